"""The report that a privacy officer reads, as one page that works offline."""

import base64
import hashlib
import re
from datetime import datetime
from importlib.resources import files
from typing import TYPE_CHECKING

from ..audit.plugin import report
from ..audit.record import AuditRecord, Estimate
from ..audit.types import ImageSet
from . import wording
from .advice import name_of, next_steps_of, reason_of, reasons_of
from .companions import companions_of, listed_of
from .criteria import OUTCOMES, criteria_of, known_answer, verdict_sentence
from .crossings import MANY, size_of
from .fairness import checks_of, crossed_out, failed_checks_of, fair_sentence, voided
from .figures import Figure, Strip, figures_of, strip_of
from .footnotes import footnotes_of, own_note
from .guarded import guarded_of, name_of_guard
from .measures import group_of, measure_of
from .pictures import pictures_of
from .power import NAME as POWER
from .power import UNKNOWN, found_from, mark_of, planted_in, reach_of, reach_of_all
from .power import interval_of as share_interval_of
from .power_table import NAMES, power_table_of
from .stated import stated_of
from .strongest import LEAD, strongest_of
from .threats import tested_threats, untested_threats
from .utility import sentences_of, tables_of

if TYPE_CHECKING:
    from jinja2 import Environment


@report(suffix="html")
def html(record: AuditRecord, gallery: ImageSet | None) -> str:
    """One self-contained page that works offline: verdict, criteria, findings, plots, gallery, sign-off.

    Everything that comes from data is escaped; the page's own scripts are named by hash in its Content-Security-Policy,
    so nothing else runs and nothing is fetched.

    Args:
        record: what is reported.
        gallery: synthetic images to show, or None where no image may be shown.
    """
    checks, figures = checks_of(record), figures_of(record)
    script = _asset("report.js")
    plotly = _plotly() if figures else ""
    started = datetime.fromisoformat(record.provenance.started)
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            record=record,
            outcomes=OUTCOMES,
            sentence=verdict_sentence(record),
            reasons=reasons_of(record),
            steps=next_steps_of(record),
            known_answer=known_answer(record),
            reach=reach_of_all(record),
            checks=checks,
            fair=fair_sentence(checks),
            criteria=criteria_of(record),
            power=power_table_of(record),
            best=strongest_of(record),
            best_lead=LEAD,
            stated=stated_of(record),
            many=MANY,
            guarded=guarded_of(record),
            tested=tested_threats(record),
            untested=untested_threats(record),
            attacks=[f for f in record.findings if f.kind == "attack"],
            metrics=[f for f in record.findings if f.kind == "metric"],
            figures=figures,
            plots=[_drawn(figure) for figure in figures],
            gallery=None if gallery is None else pictures_of(gallery),
            started=started,
            expires=_a_year_later(started).date().isoformat(),
            fingerprint=hashlib.sha256(record.model_dump_json().encode()).hexdigest(),
            spec=record.spec.model_dump_json(indent=2),
            confidence=f"{100 * record.spec.confidence:g}%",
            style=_asset("report.css"),
            script=script,
            plotly=plotly,
            policy=_policy(script, plotly),
            w=wording,
            strip=_strip,
            glossary=_glossary(record),
            POWER=POWER,
            NAMES=NAMES,
            anchor=_anchor,
            companions_of=companions_of,
            crossed_out=crossed_out,
            failed_checks_of=failed_checks_of,
            footnotes_of=footnotes_of,
            found_from=found_from,
            group_of=group_of,
            listed_of=listed_of,
            mark_of=mark_of,
            measure_of=measure_of,
            name_of=name_of,
            name_of_guard=name_of_guard,
            own_note=own_note,
            planted_in=planted_in,
            reach_of=reach_of,
            reason_of=reason_of,
            sentences_of=sentences_of,
            share_interval_of=share_interval_of,
            size_of=size_of,
            tables_of=tables_of,
            unknown=UNKNOWN,
            voided=voided,
        )
    )


def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader(__package__, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    source = str(get_plotlyjs())
    if "</script" in source.lower() or "<!--" in source:
        raise ValueError("plotly.min.js cannot be inlined: it holds text that ends a script element")
    return source


def _policy(*scripts: str) -> str:
    """A Content-Security-Policy under which only these scripts run and nothing is ever requested."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts if s
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _drawn(figure: Figure) -> dict[str, object]:
    return {"key": figure.key, **figure.plot.model_dump(include={"kind", "x_label", "y_label", "series"})}


def _a_year_later(moment: datetime) -> datetime:
    leap_day = moment.month == 2 and moment.day == 29
    return moment.replace(year=moment.year + 1, day=28 if leap_day else moment.day)


def _strip(estimate: Estimate) -> Strip | None:
    return strip_of(estimate, measure_of(estimate.name).scale)


def _glossary(record: AuditRecord) -> dict[str, str]:
    names = {e.name for f in record.findings for e in f.estimates}
    measures = {m.title: m.meaning for m in map(measure_of, names) if m.meaning}
    return dict(sorted(measures.items()))


def _anchor(title: str) -> str:
    """The id of a glossary entry."""
    return "g-" + re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
