"""The short report for a job summary or a merge-request comment."""

from ..audit.plugin import report
from ..audit.record import AuditRecord, Finding
from ..audit.types import ImageSet
from . import wording
from .advice import name_of, next_steps_of, reason_of
from .criteria import Criterion, criteria_of, known_answer
from .crossings import MANY, size_of
from .fairness import Check, checks_of, fair_sentence
from .guarded import guarded_of, name_of_guard
from .markdown import table as _table
from .markdown import text as _text
from .power import UNKNOWN, mark_of, reach_of, reach_of_all
from .sentence import verdict_sentence
from .stated import stated_of
from .strongest import LEAD, strongest_of
from .threats import tested_threats, untested_threats
from .utility import sentences_of
from .worst import worst_of


@report(suffix="md")
def md(record: AuditRecord, gallery: ImageSet | None) -> str:  # noqa: ARG001
    """A Markdown summary for a merge request: verdict, rules, main numbers, worst-off patients, utility, gaps."""
    spec = record.spec
    lines = [f"# Privacy audit: {_text(spec.generator.name)} on {_text(spec.cohort.name)}", ""]
    reach = "" if record.verdict.outcome == "fail" else reach_of_all(record)
    lines += [f"**{record.verdict.outcome.upper()}.** {_text(f'{verdict_sentence(record)} {reach}')}", ""]
    if record.simulated:
        lines += ["> **Simulated data.** No image of this audit shows a real person.", ""]
    if known_answer(record):
        lines += [
            "> **Known-answer generator.** Its leakage is known beforehand: this run checks the audit itself.",
            "",
        ]
    lines += [*(f"- {_text(step)}" for step in next_steps_of(record)), ""]
    lines += ["## Is the comparison fair?", "", *_fairness(checks_of(record)), ""]
    rules: list[tuple[str, ...]] = [(name_of(r), r.outcome, reason_of(r, record)) for r in record.verdict.rules]
    lines += ["## Verdict rules", "", *_table(("rule", "outcome", "reason"), rules)]
    heads = (
        "criterion",
        "measure",
        "value",
        f"{100 * spec.confidence:g}% interval",
        "no leakage",
        "rests on",
        "reading",
        "would have been noticed",
    )
    lines += [
        "## Main numbers",
        "",
        *_table(heads, [row for c in criteria_of(record) for part in c.parts or (c,) for row in _rows(part)]),
    ]
    lines += ["## Who is worst off", "", *_worst(record), ""]
    lines += ["## Smallest leak that would have been found", "", *_power(record), ""]
    lines += [*_strongest(record), *_stated(record), *_guarded(record)]
    utility = [_utility(f) for f in record.findings if f.kind == "metric"]
    if utility:
        lines += ["## Utility", "", *utility, ""]
    untested = [f"- {_text(line)}" for line in untested_threats(record)]
    lines += ["<details><summary>Not tested</summary>", "", *untested, "", "</details>", ""]
    lines += ["Attacks find leakage; they cannot prove that there is none. What was not measured is not a pass.", ""]
    guard = f", guard {name_of_guard(spec.guard)}" if spec.guard else ""
    made = f"privbench {record.provenance.privbench}, seed {spec.seed}, budget {spec.budget}{guard}"
    lines.append(_text(f"{made}, {record.provenance.started}"))
    return "\n".join(lines) + "\n"


def _rows(criterion: Criterion) -> list[tuple[str, ...]]:
    measured = [
        (
            criterion.name,
            f"{wording.title_of(e.name)} ({f.plugin})",
            wording.value_of(e),
            wording.interval_of(e),
            wording.null_of(e),
            wording.count_of(e),
            wording.READINGS[wording.reading_of(e)],
            "" if e.worse == "none" else " ".join(mark_of(f)),
        )
        for f, e in criterion.measured
        if e.value is not None
    ]
    gaps = [
        (
            criterion.name,
            f"{', '.join(wording.title_of(e.name) for e in estimates)} ({plugin})",
            note,
            "",
            "",
            "",
            "",
            "",
        )
        for (plugin, note), estimates in criterion.gaps.items()
    ]
    missing = [(criterion.name, f.plugin, f"{f.status}. {f.reason}", "", "", "", "", "") for f in criterion.missing]
    return [*measured, *gaps, *missing]


def _fairness(checks: tuple[Check, ...]) -> list[str]:
    """The sentence, and a line for each check that did not pass."""
    return [_text(fair_sentence(checks)), ""] + [
        f"- {_text(c.title)}: **{c.badge.lower()}**. {_text(' '.join((*c.says, c.advice)))}"
        for c in checks
        if c.outcome != "pass"
    ]


def _worst(record: AuditRecord) -> list[str]:
    """Counts, without the tables of the page."""
    worst = worst_of(record)
    groups = [f"{group.how}: {group.members} training patients" for group in worst.groups if group.leak]
    said = [*worst.sentences, *worst.missing, *(f"More than the control: {group}." for group in groups)]
    return [f"- {_text(line)}" for line in said]


def _power(record: AuditRecord) -> list[str]:
    """One sentence an attack."""
    return [f"- {_text(f.plugin)}: {_text(reach_of(f))}" for f in tested_threats(record)] or [UNKNOWN]


def _strongest(record: AuditRecord) -> list[str]:
    """A row a family, where there were several attacks to choose from."""
    best = strongest_of(record)
    if not best:
        return []
    heads = ("asks for", "attack", "AUC", f"{100 * record.spec.confidence:g}% interval", "rests on", "reading")
    rows: list[tuple[str, ...]] = [(b.family, b.attack, b.value, b.interval, b.rests, b.reading) for b in best]
    return ["## The strongest attack of each kind", "", LEAD, "", *_table(heads, rows)]


def _stated(record: AuditRecord) -> list[str]:
    """What the generator states of itself, if anything."""
    stated = stated_of(record)
    if stated is None:
        return []
    lines = ["## What the generator states of itself", ""]
    if stated.privacy:
        lines += [_text(stated.meaning), "", *(f"- {_text(line)}" for line in stated.cautions), ""]
        lines += [_text(stated.claim), "", *_table(("differential privacy", "as claimed"), [*stated.privacy])]
    if stated.borders:
        heads = ("centre", "direction", "what", "count", "size", "SHA-256")
        rows: list[tuple[str, ...]] = [
            (border.center, c.direction, c.what, f"{c.count:,}", size_of(c.size), c.sha256[:12])
            for border in stated.borders
            for c in border.crossings
        ]
        lines += [_text(f"{stated.crossed} {stated.recorded}"), ""]
        table = ["<details><summary>What crossed each border</summary>", "", *_table(heads, rows), "</details>", ""]
        lines += table if len(rows) <= MANY else ["Centre by centre it stands in the record.", ""]
    return [*lines, *(f"- {_text(note)}" for note in stated.notes), ""]


def _guarded(record: AuditRecord) -> list[str]:
    """What the guard certifies, if there was one, and how to prove it."""
    guarded = guarded_of(record)
    if guarded is None:
        return []
    lines = ["## What the guard withheld", "", *_table(("certificate", "as stated"), [*guarded.rows])]
    lines += [*(f"- {_text(line)}" for line in guarded.cautions), ""]
    return [*lines, f"To prove it again: `{guarded.command}`. {_text(guarded.proof)}", ""]


def _utility(finding: Finding) -> str:
    if finding.status != "ok":
        return f"- {_text(finding.plugin)}: {finding.status}. {_text(finding.reason)}"
    said = " ".join(sentences_of(finding)) or "; ".join(
        f"{wording.title_of(e.name)} {wording.value_of(e)} (reference {wording.null_of(e)})"
        for e in finding.estimates
        if not e.group
    )
    return f"- {_text(finding.plugin)}: {_text(said)}"
