"""The verdict's rules as a table: each with the number that decided it, where the record has it."""

from dataclasses import dataclass

from ..audit.record import AuditRecord, Outcome, Rule
from .advice import name_of, reason_of
from .measures import measure_of
from .wording import number


@dataclass(frozen=True, slots=True)
class Line:
    """One rule.

    Attributes:
        title: in words.
        name: in the record.
        outcome: what came of it.
        reason: why, with the smallest leak that would have been found.
        value: what was measured; "" where the rule is about no number, or the record is of an older version.
        interval: of the value.
        threshold: what it was held against.
        detectable: the smallest value that would have been found.
    """

    title: str
    name: str
    outcome: Outcome
    reason: str
    value: str
    interval: str
    threshold: str
    detectable: str


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules.

    Attributes:
        lines: one a rule.
        numbers: whether any has a number of its own.
        summary: ``18 rules: 1 failed, 12 open, 5 passed``.
    """

    lines: tuple[Line, ...]
    numbers: bool
    summary: str


def rules_of(record: AuditRecord) -> Rules:
    """The rules: those that failed first, then those that remained open."""
    words = {"fail": "failed", "inconclusive": "open", "pass": "passed"}
    rules = sorted(record.verdict.rules, key=lambda rule: list(words).index(rule.outcome))
    counts = {word: sum(r.outcome == outcome for r in rules) for outcome, word in words.items()}
    said = ", ".join(f"{n} {word}" for word, n in counts.items() if n)
    summary = f"{len(rules)} rule{'s' * (len(rules) != 1)}{': ' * bool(said)}{said}"
    return Rules(tuple(_line(r, record) for r in rules), any(r.value is not None for r in rules), summary)


def _line(rule: Rule, record: AuditRecord) -> Line:
    scale = measure_of(rule.name.rpartition(".")[2]).scale

    def said(value: float | None) -> str:
        return "" if value is None else number(value, scale)

    return Line(
        title=name_of(rule),
        name=rule.name,
        outcome=rule.outcome,
        reason=reason_of(rule, record),
        value=said(rule.value),
        interval="" if rule.low is None or rule.high is None else f"{said(rule.low)} to {said(rule.high)}",
        threshold=said(rule.threshold),
        detectable=said(rule.detectable),
    )
