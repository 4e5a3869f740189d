"""How the numbers of a finding were computed, said once for all estimates that share it."""

from collections import Counter

from ..audit.record import Estimate, Finding
from .wording import title_of


def footnotes_of(finding: Finding) -> tuple[tuple[str, str], ...]:
    """``(titles, text)``: each method, and each note that several estimates carry, with the measures it belongs to."""
    repeated = _repeated(finding)
    titles: dict[str, dict[str, None]] = {}
    for estimate in finding.estimates:
        note = estimate.note if estimate.note in repeated else ""
        text = "; ".join(part for part in (estimate.method, note) if part)
        if text:
            titles.setdefault(text, {})[title_of(estimate.name)] = None
    return tuple((", ".join(names), text) for text, names in titles.items())


def own_note(finding: Finding, estimate: Estimate) -> str:
    """The note that belongs to this estimate alone."""
    return "" if estimate.note in _repeated(finding) else estimate.note


def _repeated(finding: Finding) -> set[str]:
    counts = Counter(e.note for e in finding.estimates if e.note and e.value is not None)
    return {note for note, n in counts.items() if n > 1}
