"""The report that a privacy officer reads, as one page that works offline."""

import hashlib
import re
from datetime import datetime
from typing import TYPE_CHECKING

from ..audit.plugin import report
from ..audit.record import AuditRecord, Estimate, Finding
from ..audit.types import ImageSet
from . import wording
from .advice import name_of, next_steps_of, reasons_of
from .companions import companions_of, listed_of
from .criteria import OUTCOMES, criteria_of, foremost_of, known_answer
from .crossings import size_of
from .fairness import checks_of, crossed_out, failed_checks_of, fair_sentence, voided
from .figures import Figure, Strip, bars_of, figures_of, strip_of
from .footnotes import footnotes_of, own_note
from .guarded import guarded_of, name_of_guard
from .joined import power_of, roc_of
from .measures import group_of, measure_of
from .offline import asset, environment, plotly, policy
from .pictures import pairs_of, pictures_of
from .power import NAME as POWER
from .power import UNKNOWN, found_from, mark_of, planted_in, reach_of, reach_of_all
from .power import interval_of as share_interval_of
from .power_table import NAMES, power_table_of
from .ruled import rules_of
from .sentence import verdict_sentence
from .stated import stated_of
from .strongest import LEAD, strongest_of
from .threats import tested_threats, untested_threats
from .utility import sentences_of, tables_of
from .worst import FEWEST, in_worst, worst_of

if TYPE_CHECKING:
    from ..audit.pairs import RealPairs

BRIEF = 4  # lines of a list; more fold out
FOLD = 8  # lines of a table that fold out


@report(suffix="html")
def html(record: AuditRecord, gallery: ImageSet | None, pairs: "RealPairs | None" = None) -> str:
    """One self-contained page that works offline: verdict, criteria, findings, plots, gallery, sign-off.

    Everything that comes from data is escaped; the page's own scripts are named by hash in its Content-Security-Policy,
    so nothing else runs and nothing is fetched.

    Args:
        record: what is reported.
        gallery: synthetic images to show, or None where no image may be shown.
        pairs: real patients' images, only where the owner of the data asks for them: the page then says that it is
            confidential.
    """
    checks, worst, roc, power = checks_of(record), worst_of(record), roc_of(record), power_of(record)
    attacks = [f for f in record.findings if f.kind == "attack"]
    metrics = [f for f in record.findings if f.kind == "metric"]
    own = [figures_of(_without_the_tail(f), f"figure-{i}") for i, f in enumerate(attacks, start=1)]
    of_metrics = [(*bars_of(f, f"metric-{i}"), *figures_of(f, f"metric-{i}")) for i, f in enumerate(metrics, start=1)]
    shared = [figure for figure in (roc, power) if figure]
    figures = [*worst.bars, *worst.curves, *shared, *(figure for some in (*own, *of_metrics) for figure in some)]
    script = asset("report.js")
    library = plotly() if figures else ""
    started = datetime.fromisoformat(record.provenance.started)
    return (
        environment()
        .get_template("report.html.jinja")
        .render(
            record=record,
            outcomes=OUTCOMES,
            sentence=verdict_sentence(record),
            reasons=reasons_of(record),
            steps=next_steps_of(record),
            brief=BRIEF,
            known_answer=known_answer(record),
            reach=reach_of_all(record),
            checks=checks,
            fair=fair_sentence(checks),
            criteria=criteria_of(record),
            worst=worst,
            fewest=FEWEST,
            power=power_table_of(record),
            best=strongest_of(record),
            best_lead=LEAD,
            stated=stated_of(record),
            many=FOLD,
            guarded=guarded_of(record),
            rules=rules_of(record),
            tested=tested_threats(record),
            untested=untested_threats(record),
            attacks=attacks,
            metrics=metrics,
            roc=roc,
            power_figure=power,
            figures_by=own,
            metric_figures=of_metrics,
            plots=[_payload(figure) for figure in figures],
            gallery=None if gallery is None else pictures_of(gallery),
            pairs=None if pairs is None else pairs_of(pairs),
            started=started,
            expires=_a_year_later(started).date().isoformat(),
            fingerprint=hashlib.sha256(record.model_dump_json().encode()).hexdigest(),
            spec=record.spec.model_dump_json(indent=2),
            confidence=f"{100 * record.spec.confidence:g}%",
            style=asset("report.css"),
            script=script,
            plotly=library,
            policy=policy(script, library),
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
            foremost_of=foremost_of,
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
            said_in_sentence=wording.counted_in_sentence,
            sentences_of=sentences_of,
            share_interval_of=share_interval_of,
            size_of=size_of,
            tables_of=tables_of,
            unknown=UNKNOWN,
            voided=voided,
        )
    )


def _without_the_tail(finding: Finding) -> Finding:
    """Without the plots that are drawn where it is said who is worst off; an invalid finding is not shown there."""
    if finding.status != "ok":
        return finding
    return finding.model_copy(update={"plots": tuple(p for p in finding.plots if not in_worst(p))})


def _payload(figure: Figure) -> dict[str, object]:
    """What the page's script draws."""
    return {
        "key": figure.key,
        "kind": figure.kind,
        "x_label": figure.x_label,
        "y_label": figure.y_label,
        "null": figure.null,
        "shares": figure.shares,
        "lines": [
            {"label": one.label, "x": one.x, "y": one.y, "low": one.low, "high": one.high, "panel": one.panel}
            for one in figure.lines
        ],
    }


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
