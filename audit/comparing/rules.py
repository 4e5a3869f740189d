"""How the rules of the verdicts came out, entrant by entrant."""

from collections.abc import Sequence

from ..record import AuditRecord, Rule
from .entrants import SEVERITY
from .model import ComparedRule


def rules_of(entrants: Sequence[Sequence[AuditRecord]]) -> tuple[ComparedRule, ...]:
    """Every rule that any of the verdicts has.

    Args:
        entrants: of each, one audit a seed.
    """
    names = dict.fromkeys(rule.name for own in entrants for record in own for rule in record.verdict.rules)
    by_name = [_by_name(own) for own in entrants]
    return tuple(_tallied(name, [own.get(name, []) for own in by_name]) for name in names)


def _by_name(records: Sequence[AuditRecord]) -> dict[str, list[Rule]]:
    found: dict[str, list[Rule]] = {}
    for record in records:
        for rule in record.verdict.rules:
            found.setdefault(rule.name, []).append(rule)
    return found


def _tallied(name: str, entrants: Sequence[list[Rule]]) -> ComparedRule:
    outcomes = [[rule.outcome for rule in own] for own in entrants]
    worst = [max(own, key=lambda rule: SEVERITY.index(rule.outcome), default=None) for own in entrants]
    return ComparedRule(
        name=name,
        tallies=tuple((own.count("pass"), own.count("fail"), own.count("inconclusive")) for own in outcomes),
        reasons=tuple(rule.reason if rule else "" for rule in worst),
    )
