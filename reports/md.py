"""The short report for a job summary or a merge-request comment."""

import re

from ..audit.plugin import report
from ..audit.record import AuditRecord, Estimate, Finding
from ..audit.types import ImageSet
from . import wording
from .criteria import Criterion, criteria_of, known_answer, untested_threats, verdict_sentence

_SPECIAL = re.compile(r"([\\`*_\[\]|~#])")


@report(suffix="md")
def md(record: AuditRecord, gallery: ImageSet | None) -> str:  # noqa: ARG001
    """A Markdown summary: verdict, the three criteria, rules, findings, what was not tested."""
    spec = record.spec
    lines = [f"# Privacy audit: {_text(spec.generator.name)} on {_text(spec.cohort.name)}", ""]
    lines += [f"**{record.verdict.outcome.upper()}.** {verdict_sentence(record)}", ""]
    if record.simulated:
        lines += ["> **Simulated data.** No image of this audit shows a real person.", ""]
    if known_answer(record):
        lines += [
            "> **Known-answer generator.** Its leakage is known beforehand: this run checks the audit itself.",
            "",
        ]
    for criterion in criteria_of(record):
        lines += _criterion(criterion, f"{100 * spec.confidence:g}%")
    lines += ["## Verdict rules", ""]
    lines += _table(("rule", "outcome", "reason"), [(r.name, r.outcome, r.reason) for r in record.verdict.rules])
    lines += ["## All findings", ""]
    lines += _table(
        ("finding", "measure", "group", "value", f"{100 * spec.confidence:g}% interval", "no leakage", "n", "note"),
        [row for f in record.findings for row in _rows(f)],
    )
    lines += ["## Not tested", "", *(f"- {_text(line)}" for line in untested_threats(record)), ""]
    lines += ["Attacks find leakage; they cannot prove that there is none. What was not measured is not a pass.", ""]
    run = (
        f"privbench {record.provenance.privbench}, seed {spec.seed}, budget {spec.budget}, {record.provenance.started}"
    )
    lines.append(_text(run))
    return "\n".join(lines) + "\n"


def _criterion(criterion: Criterion, confidence: str) -> list[str]:
    lines = [f"## {criterion.title}: {criterion.badge.lower()}", "", f"{criterion.asks} {criterion.headline}", ""]
    lines += [f"- {_text(f.plugin)}: {_sentence(e, confidence)}" for f, e in criterion.measured]
    lines += [f"- {_text(f.plugin)}: {f.status}. {_text(f.reason)}" for f in criterion.missing]
    return [*lines, ""]


def _sentence(estimate: Estimate, confidence: str) -> str:
    said = wording.sentence_of(estimate) or f"{wording.title_of(estimate.name)}: {wording.value_of(estimate)}."
    if estimate.value is None:
        return _text(said)
    found = f" Smallest leak that would show: {wording.detectable_of(estimate)}." if estimate.detectable else ""
    return _text(
        f"{said} ({confidence} interval {wording.interval_of(estimate)}; {wording.count_of(estimate)}.){found}"
    )


def _rows(finding: Finding) -> list[tuple[str, ...]]:
    if not finding.estimates:
        return [(finding.plugin, finding.status, "", "", "", "", "", finding.reason)]
    return [
        (
            finding.plugin,
            wording.title_of(e.name),
            e.group,
            wording.value_of(e),
            wording.interval_of(e),
            wording.null_of(e),
            wording.count_of(e),
            e.note if finding.status == "ok" else f"{finding.status}: {finding.reason}",
        )
        for e in finding.estimates
    ]


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    lines += ["| " + " | ".join(_text(cell) for cell in row) + " |" for row in rows]
    return [*lines, ""]


def _text(text: str) -> str:
    """Inert in Markdown and HTML: one line, no markup, no mention that notifies somebody."""
    one_line = " ".join(text.split())
    entities = one_line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", entities).replace("@", "@\N{ZERO WIDTH SPACE}")
