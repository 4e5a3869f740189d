"""The plane of leak against utility: what can be put on its axes, who lies where, and whom nobody beats."""

from dataclasses import dataclass

from ...audit.comparison import STRONGEST, Cell, Compared, Comparison, leads_of, overall
from ..measures import measure_of
from ..wording import number
from .words import by_of, prefixed, title_of_compared, value_of


@dataclass(frozen=True, slots=True)
class Place:
    """Where one entrant lies on an axis, with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Axis:
    """What may be put on one side of the plane.

    Attributes:
        key: its id on the page.
        title: what it is.
        compared: the estimate.
        upward: whether more is better.
        places: one an entrant; None where it was not measured, or is not to be held against the others.
        reasons: why, one an entrant.
        beats: ``(better, worse)`` for every pair whose difference is significant.
    """

    key: str
    title: str
    compared: Compared
    upward: bool
    places: tuple[Place | None, ...]
    reasons: tuple[str, ...]
    beats: frozenset[tuple[int, int]]

    @property
    def placed(self) -> int:
        """How many entrants it has a number for."""
        return sum(place is not None for place in self.places)

    def better(self, one: int, other: int) -> float:
        """How much better the one is than the other; negative where it is worse."""
        first, second = self.places[one], self.places[other]
        assert first is not None
        assert second is not None
        return (first.value - second.value) * (1 if self.upward else -1)


@dataclass(frozen=True, slots=True)
class Standing:
    """How one entrant stands in the plane.

    Attributes:
        entrant: its position.
        beaten_by: who is at least as good on both axes and better on one; empty on the Pareto front.
        surely: which of them are significantly better on both axes.
    """

    entrant: int
    beaten_by: tuple[int, ...]
    surely: tuple[int, ...]


def utility_axes(comparison: Comparison) -> tuple[Axis, ...]:
    """What the images are good for: overall figures, those first that most entrants have."""
    own = [e for e in comparison.estimates if e.kind == "metric" and e.worse in {"lower", "higher"} and overall(e)]
    return _axes(comparison, own, "x", leak=False)


def leak_axes(comparison: Comparison) -> tuple[Axis, ...]:
    """How far a generator is from leaking nothing: the leading figures first, then every other that can be a leak."""
    own = [e for e in comparison.estimates if e.kind == "attack" and e.worse != "none" and not e.group and _tells(e)]
    return _axes(comparison, own, "y", leak=True)


def standings_of(x: Axis, y: Axis) -> tuple[Standing, ...]:
    """Every entrant that both axes have a number for; a lower leak is better."""
    placed = [i for i, (a, b) in enumerate(zip(x.places, y.places, strict=True)) if a and b]
    found = []
    for i in placed:
        beaten = tuple(j for j in placed if j != i and _dominates(x, y, j, i))
        sure = tuple(j for j in beaten if (j, i) in x.beats and (j, i) in y.beats)
        found.append(Standing(i, beaten, sure))
    return tuple(found)


def unplaced_of(x: Axis, y: Axis) -> tuple[tuple[int, str], ...]:
    """Entrants that cannot be placed, and why."""
    return tuple(
        (i, "; ".join(axis.reasons[i] for axis in (y, x) if axis.places[i] is None))
        for i in range(len(x.places))
        if x.places[i] is None or y.places[i] is None
    )


def _dominates(x: Axis, y: Axis, one: int, other: int) -> bool:
    gains = (x.better(one, other), y.better(one, other))
    return min(gains) >= 0 and max(gains) > 0


def _tells(compared: Compared) -> bool:
    """Whether it is a figure that a criterion is judged by; of a strange plugin every one."""
    measure = measure_of(compared.name)
    return compared.plugin == STRONGEST or measure.primary or not measure.meaning


def _axes(comparison: Comparison, some: list[Compared], side: str, *, leak: bool) -> tuple[Axis, ...]:
    leading = [id(e) for e in leads_of(comparison)]
    if not comparison.every_pair:  # who beats whom grows with the square of their number
        some = [e for e in some if id(e) in leading] or some[:2]
    known = [e for e in some if sum(_place(cell, leak=leak) is not None for cell in e.cells) > 1]
    ordered = sorted(
        known,
        key=lambda e: (
            -sum(_place(cell, leak=leak) is not None for cell in e.cells),
            leading.index(id(e)) if id(e) in leading else len(leading),
        ),
    )
    # What tells most entrants apart; else the strongest attack, for most ask first whether members can be told.
    if leak:
        ordered.sort(key=lambda e: (-len(e.shown), (e.plugin, e.family) != (STRONGEST, "membership")))
    return tuple(_axis(compared, f"{side}{i}", leak=leak) for i, compared in enumerate(ordered))


def _axis(compared: Compared, key: str, *, leak: bool) -> Axis:
    beats = frozenset(
        (d.better, d.first if d.better == d.second else d.second) for d in compared.shown if d.better is not None
    )
    reasons = tuple(
        "" if _place(cell, leak=leak) else f"{title_of_compared(compared)}: {cell.reason or value_of(compared, cell)}"
        for cell in compared.cells
    )
    return Axis(
        key=key,
        title=_leak_title(compared) if leak else _title(compared),
        compared=compared,
        upward=not leak and compared.worse == "lower",
        places=tuple(_place(cell, leak=leak) for cell in compared.cells),
        reasons=reasons,
        beats=beats,
    )


def _place(cell: Cell, *, leak: bool) -> Place | None:
    ends = (cell.leak, cell.leak_low, cell.leak_high) if leak else (cell.value, cell.low, cell.high)
    value, low, high = ends
    if cell.status != "measured" or value is None or cell.reason:
        return None
    return Place(value, value if low is None else low, value if high is None else high)


def _title(compared: Compared) -> str:
    return f"{title_of_compared(compared)} ({compared.plugin})"


def _leak_title(compared: Compared) -> str:
    nulls = {cell.null for cell in compared.cells if cell.null is not None}
    beyond = " beyond its null"
    if len(nulls) == 1:
        null = nulls.pop()
        words = {"both": "distance from", "higher": "above", "lower": "below"}.get(compared.worse, "beyond")
        said = number(null, "share") if measure_of(compared.name).scale == "share" else f"{null:g}"
        beyond = f", {words} {said}"
    return f"{prefixed(compared)}{beyond} ({by_of(compared)})"
