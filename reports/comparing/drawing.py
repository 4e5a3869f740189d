"""The plane as a drawing that needs no script; the same shapes are drawn again by the page's script."""

import math
from dataclasses import dataclass

from ...audit.comparison import Comparison
from ...audit.record import Outcome
from .plane import Axis, Place, standings_of

WIDTH, HEIGHT = 720, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 20, 60
LINE = 15
"""Height of a name."""
LETTER = 7
"""Width of a letter, about."""
FEW = 12
"""Entrants up to which every point is labelled; of more only those on the front."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where it is drawn, and what it says."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Point:
    """One entrant in the drawing, in its units.

    Attributes:
        label: of the entrant.
        outcome: of its verdict, which decides shape and colour.
        x: centre.
        y: centre.
        left: end of the horizontal interval.
        right: end of the horizontal interval.
        top: end of the upright interval.
        bottom: end of the upright interval.
        labelled: whether its name stands beside it.
        leftward: whether the name stands on its left, for there is no room on its right.
        text_y: where the name stands, moved from the point where another name is.
        pale: another entrant is significantly better on both axes.
    """

    label: str
    outcome: Outcome
    x: float
    y: float
    left: float
    right: float
    top: float
    bottom: float
    labelled: bool
    leftward: bool
    text_y: float
    pale: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """A plane, ready to be drawn.

    Attributes:
        points: one an entrant that can be placed.
        front: corners of the line that joins those whom nobody beats.
        x_ticks: of the level axis.
        y_ticks: of the upright axis.
    """

    points: tuple[Point, ...]
    front: tuple[tuple[float, float], ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def drawing_of(comparison: Comparison, x: Axis, y: Axis) -> Drawing:
    """The plane of two axes; better utility to the right, a smaller leak below."""
    standing = standings_of(x, y)
    placed = [s.entrant for s in standing]
    xs, ys = [x.places[i] for i in placed], [y.places[i] for i in placed]
    across = _Scale(_range([p for p in xs if p]), (LEFT, WIDTH - RIGHT), turned=not x.upward)
    down = _Scale(_range([p for p in ys if p]), (HEIGHT - BOTTOM, TOP), turned=False)
    front = {s.entrant for s in standing if not s.beaten_by}
    points = []
    named: list[tuple[float, float, float]] = []
    for one in sorted(standing, key=lambda s: _value(y, s.entrant)):
        i = one.entrant
        a, b = x.places[i], y.places[i]
        assert a is not None
        assert b is not None
        at = across(a.value)
        ends = sorted((across(a.low), across(a.high)))
        labelled = len(placed) <= FEW or i in front
        leftward = at > WIDTH / 2
        wide = LETTER * len(comparison.entrants[i].label)
        box = (at - wide, at) if leftward else (at, at + wide)
        text_y = _free(named, box, down(b.value) - 6) if labelled else 0.0
        points.append(
            Point(
                label=comparison.entrants[i].label,
                outcome=comparison.entrants[i].outcome,
                x=at,
                y=down(b.value),
                left=ends[0],
                right=ends[1],
                top=down(b.high),
                bottom=down(b.low),
                labelled=labelled,
                leftward=leftward,
                text_y=text_y,
                pale=bool(one.surely),
            )
        )
    line = sorted((across(a.value), down(b.value)) for i in front if (a := x.places[i]) and (b := y.places[i]))
    return Drawing(tuple(points), _steps(line), across.ticks(), down.ticks())


def _value(axis: Axis, entrant: int) -> float:
    place = axis.places[entrant]
    return place.value if place else 0.0


def _free(named: list[tuple[float, float, float]], box: tuple[float, float], y: float) -> float:
    """The nearest height, upwards, at which the name lies on no other; of these ``named`` holds left, right, height."""
    while any(left < box[1] and box[0] < right and abs(y - at) < LINE for left, right, at in named):
        y -= 2
    named.append((*box, y))
    return round(y, 1)


class _Scale:
    """Values to units of the drawing."""

    def __init__(self, values: tuple[float, float], units: tuple[float, float], *, turned: bool) -> None:
        self.values = values
        self.units = units[::-1] if turned else units

    def __call__(self, value: float) -> float:
        low, high = self.values
        start, end = self.units
        return round(start + (value - low) / (high - low) * (end - start), 1)

    def ticks(self) -> tuple[Tick, ...]:
        low, high = self.values
        step = _step((high - low) / 6)
        first = math.ceil(low / step)
        digits = max(0, -math.floor(math.log10(step)))
        values = [i * step for i in range(first, math.floor(high / step) + 1)]
        return tuple(Tick(self(v), f"{v + 0.0:.{digits}f}".replace("-", "\N{MINUS SIGN}")) for v in values)


def _step(width: float) -> float:
    """The next larger of 1, 2 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(width))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= width)


def _range(places: list[Place]) -> tuple[float, float]:
    low, high = min(p.low for p in places), max(p.high for p in places)
    margin = 0.06 * (high - low) or abs(high) * 0.1 or 1.0
    return low - margin, high + margin


def _steps(corners: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """The staircase through the front: at any utility, the smallest leak that an entrant reaches with no less of it."""
    line: list[tuple[float, float]] = []
    for x, y in corners:
        if line:
            line.append((line[-1][0], y))
        line.append((x, y))
    return tuple(line)
