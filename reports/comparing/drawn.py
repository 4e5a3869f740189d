"""What the page's script draws, as plain values: the axes of the plane, and the differences of each estimate."""

from ...audit.comparison import Compared, Comparison
from ..measures import measure_of
from .leads import leads_of
from .plane import Axis
from .words import family_of, title_of_compared

DIGITS = 5
"""Significant digits of what is drawn; the tables and comparison.json hold the numbers themselves."""


def drawn_of(comparison: Comparison, x: tuple[Axis, ...], y: tuple[Axis, ...]) -> dict[str, object]:
    """Entrants, axes and differences; of many entrants the differences of the leading figures."""
    leads = leads_of(comparison)
    others = [e for e in comparison.estimates if e.differences and not any(e is lead for lead in leads)]
    chosen = [*(e for e in leads if e.differences), *(others if comparison.every_pair else ())]
    return {
        "entrants": [{"label": e.label, "outcome": e.outcome} for e in comparison.entrants],
        "x": [_axis(axis) for axis in x],
        "y": [_axis(axis) for axis in y],
        "estimates": [_estimate(e) for e in chosen],
    }


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
        "title": f"{family_of(compared.family)}: {title_of_compared(compared)} ({compared.plugin})",
        "scale": measure_of(compared.name).scale,
        "kind": compared.kind,
        "of": compared.of,
        "worse": "higher" if compared.of == "leak" else compared.worse,
        "pairs": [
            [d.first, d.second, *(_brief(v) for v in (d.value, d.low, d.high, d.adjusted)), d.better]
            for d in compared.differences
        ],
    }


def _brief(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
