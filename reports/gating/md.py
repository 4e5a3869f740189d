"""A gate's verdict as Markdown, for a job summary or a merge-request comment."""

from ...audit.gated import Gated
from ...audit.record import Rule
from ..markdown import table, text
from .lines import detects_of, interval_of, limit_of, ordered, reason_of, sentence_of, sources_of, value_of

LONGEST = 600
"""Characters of a reason: a comment has an end, and the whole reason stands in the record."""


def md(gated: Gated) -> str:
    """The verdict and what decided it open, what passed and what the gate went by folded."""
    lines = [f"## Privacy gate: {gated.word}", ""]
    lines += [f"**{text(gated.generator)}** on {text(gated.cohort)}. {text(sentence_of(gated))}", ""]
    lines += [f"- **failed plugin** {text(said)}" for said in gated.broken]
    lines += [""] if gated.broken else []
    rules = ordered(gated)
    decisive = [rule for rule in rules if rule.outcome != "pass"]
    passed = [rule for rule in rules if rule.outcome == "pass"]
    lines += _table(decisive, gated) if decisive else []
    if passed:
        summary = f"{len(passed)} {'rule passes' if len(passed) == 1 else 'rules pass'}"
        lines += [f"<details><summary>{summary}</summary>", "", *_table(passed, gated), "</details>", ""]
    if gated.notes:
        lines += ["Not judged:", "", *(f"- {text(note)}" for note in gated.notes), ""]
    sources = table(("went by", "which"), sources_of(gated))
    lines += ["<details><summary>What the gate went by</summary>", "", *sources, "</details>", ""]
    lines += ["Attacks find leakage; they cannot prove that there is none. Inconclusive is not a pass.", ""]
    return "\n".join(lines)


def _table(rules: list[Rule], gated: Gated) -> list[str]:
    heads = ("outcome", "rule", "value", f"{gated.confidence:.0%} interval", "limit", "would have been found", "reason")
    return table(
        heads,
        [
            (r.outcome, r.name, value_of(r), interval_of(r), limit_of(r), detects_of(r), _short(reason_of(r, gated)))
            for r in rules
        ],
    )


def _short(reason: str) -> str:
    return reason if len(reason) <= LONGEST else f"{reason[: LONGEST - 1]}…"
