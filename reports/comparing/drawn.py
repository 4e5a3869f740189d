"""What the page's script draws, as plain values: the axes of the plane, and the differences of each estimate."""

from itertools import accumulate

from ...audit.comparison import Compared, Comparison, PairDifference, leads_of
from ..measures import measure_of
from .plane import Axis
from .words import prefixed

DIGITS = 7
"""Significant digits of what is drawn: more than are printed, or rounding twice would change the last one."""
MOST = 12_000
"""Differences that a page carries for drawing."""


def drawn_of(comparison: Comparison, x: tuple[Axis, ...], y: tuple[Axis, ...]) -> dict[str, object]:
    """Entrants, axes and differences; of many entrants the differences of the leading figures."""
    leads = leads_of(comparison)
    others = [e for e in comparison.estimates if e.differences and not any(e is lead for lead in leads)]
    chosen = _within([*(e for e in leads if e.differences), *(others if comparison.every_pair else ())])
    return {
        "entrants": [{"label": e.label, "outcome": e.outcome} for e in comparison.entrants],
        "x": [_axis(axis) for axis in x],
        "y": [_axis(axis) for axis in y],
        "estimates": [_estimate(e) for e in chosen],
    }


def _within(some: list[Compared]) -> list[Compared]:
    """The first of them, as many as leave the page small."""
    sizes = accumulate(len(compared.differences) for compared in some)
    return [compared for compared, size in zip(some, sizes, strict=True) if size <= MOST]


def _axis(axis: Axis) -> dict[str, object]:
    return {
        "key": axis.key,
        "title": axis.title,
        "upward": axis.upward,
        "scale": measure_of(axis.compared.name).scale,
        "places": [[_brief(v) for v in (p.value, p.low, p.high)] if p else None for p in axis.places],
        "reasons": axis.reasons,
        "beats": sorted(axis.beats),
    }


def _estimate(compared: Compared) -> dict[str, object]:
    return {
        "title": f"{prefixed(compared)} ({compared.plugin})",
        "scale": measure_of(compared.name).scale,
        "kind": compared.kind,
        "of": compared.of,
        "worse": "higher" if compared.of == "leak" else compared.worse,
        "pairs": [_pair(d) for d in compared.differences],
    }


def _pair(found: PairDifference) -> list[float]:
    """Who minus whom, value and interval, corrected p, and whether the difference is shown."""
    numbers = (_brief(v) for v in (found.value, found.low, found.high))
    return [found.first, found.second, *numbers, _brief(found.adjusted), int(found.better is not None)]


def _brief(value: float) -> float:
    shortest = float(f"{value:.{DIGITS}g}")
    return int(shortest) if shortest == int(shortest) else shortest
