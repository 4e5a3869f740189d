"""How the numbers of a finding were computed, said once for all estimates that share it."""

from collections import Counter

from ..audit.record import Estimate, Finding
from .measures import group_of
from .power import NAME as POWER
from .wording import title_of


def footnotes_of(finding: Finding) -> tuple[tuple[str, str], ...]:
    """``(titles, text)``: each method, and each note that all groups share, with the measures it belongs to.

    A measure that was computed in more than one way is named with its group. What leaks would have been found stands
    in a table of its own, with its method.
    """
    said = [
        (e, "; ".join(p for p in (e.method, "" if own_note(finding, e) else e.note) if p))
        for e in finding.estimates
        if e.name != POWER
    ]
    ways = Counter(name for name, _ in {(e.name, text) for e, text in said if text})
    titles: dict[str, dict[str, None]] = {}
    for estimate, text in said:
        group = f" ({group_of(estimate.group)})" if ways[estimate.name] > 1 and estimate.group else ""
        if text:
            titles.setdefault(text, {})[title_of(estimate.name) + group] = None
    return tuple(("; ".join(names), text) for text, names in titles.items())


def own_note(finding: Finding, estimate: Estimate) -> str:
    """The note that belongs to this estimate alone."""
    siblings = [e.note for e in finding.estimates if e.name == estimate.name]
    return "" if len(siblings) > 1 and set(siblings) == {estimate.note} else estimate.note
