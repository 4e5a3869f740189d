"""What crossed the centres' borders, centre by centre and in one sentence."""

from dataclasses import dataclass

from ..audit.record import Crossing
from .criteria import counted

MANY = 40  # crossings; more are folded away
_KINDS = 6  # of goods; more are only counted
RECORDED = "It is what the generator recorded while it trained; the audit did not watch the network."


@dataclass(frozen=True, slots=True)
class Border:
    """One centre's border.

    Attributes:
        center: whose.
        crossings: what left it, then what came in.
    """

    center: str
    crossings: tuple[Crossing, ...]


def borders_of(crossings: tuple[Crossing, ...]) -> tuple[Border, ...]:
    """By centre, in the order in which they were recorded."""
    by_center: dict[str, list[Crossing]] = {}
    for crossing in sorted(crossings, key=lambda c: c.direction != "out"):
        by_center.setdefault(crossing.center, []).append(crossing)
    centers = dict.fromkeys(crossing.center for crossing in crossings)
    return tuple(Border(center, tuple(by_center[center])) for center in centers)


def crossed_of(crossings: tuple[Crossing, ...]) -> str:
    """All of it in two sentences, the centres added up."""
    centers = len({crossing.center for crossing in crossings})
    where = f"the border{'s' * (centers != 1)} of {counted(centers, 'centre')}"
    return f"Out over {where} went {_goods(crossings, 'out')}. In came {_goods(crossings, 'in')}."


def _goods(crossings: tuple[Crossing, ...], direction: str) -> str:
    """``691 kB: 600 × synthetic images; 600 × synthetic masks``."""
    found = [crossing for crossing in crossings if crossing.direction == direction]
    if not found:
        return "nothing"
    counts: dict[str, int] = {}
    for crossing in found:
        counts[crossing.what] = counts.get(crossing.what, 0) + crossing.count
    goods = "; ".join(f"{count:,} \N{MULTIPLICATION SIGN} {what}" for what, count in counts.items())
    if len(counts) > _KINDS:
        goods = f"{sum(counts.values()):,} things of {len(counts)} kinds"
    return f"{size_of(sum(crossing.size for crossing in found))}: {goods}"


def size_of(size: int) -> str:
    """``20480`` -> ``20.5 kB``."""
    value, units = float(size), ["bytes", "kB", "MB", "GB", "TB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.3g} {units[0]}" if value < 999.5 else f"{value:,.0f} {units[0]}"
