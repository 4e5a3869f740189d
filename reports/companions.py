"""Figures that only accompany another and come once a space: many lines of a list, one small table of their own."""

from dataclasses import dataclass

from ..audit.record import Estimate, Finding
from .measures import group_of, measure_of

ENOUGH = 3  # measures; fewer stay in the list


@dataclass(frozen=True, slots=True)
class Companions:
    """Measures by groups.

    Attributes:
        columns: spaces in plain words.
        rows: a measure's name, and its estimate for each column, None where there is none.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Estimate | None, ...]], ...]


def companions_of(finding: Finding) -> Companions | None:
    """An attack's measures that stand on no card and have a group each; None where they are fewer than three."""
    own = [e for e in finding.estimates if e.group and not measure_of(e.name).primary and e.name != "detectable_share"]
    names = tuple(dict.fromkeys(e.name for e in own))
    if finding.kind != "attack" or len(names) < ENOUGH:
        return None
    groups = tuple(dict.fromkeys(e.group for e in own))
    cells = {(e.name, e.group): e for e in own}
    rows = tuple((name, tuple(cells.get((name, group)) for group in groups)) for name in names)
    return Companions(tuple(group_of(group) for group in groups), rows)


def listed_of(finding: Finding) -> tuple[Estimate, ...]:
    """The estimates that stay in the list of all findings."""
    aside = companions_of(finding)
    moved = set() if aside is None else {id(e) for _, row in aside.rows for e in row if e is not None}
    return tuple(e for e in finding.estimates if id(e) not in moved)
