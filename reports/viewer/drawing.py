"""A trend as a picture: positions in per cent across and pixels down, so that it fits a phone without a script."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, floor, log10

from .trend import Point, Trend, said

HEIGHT = 340
"""Pixels between the top and the axis of time."""

MARGIN = 3.0
"""Per cent left free at either side, pixels times four above and below."""

MARKS = (
    "M-4.5,0a4.5,4.5 0 1,0 9,0a4.5,4.5 0 1,0 -9,0z",
    "M-4,-4h8v8h-8z",
    "M0,-5.5l5.5,5.5l-5.5,5.5l-5.5,-5.5z",
    "M0,-5.2l5.2,9.4h-10.4z",
)
"""Circle, square, diamond, triangle: what tells lines apart without their colour."""

COLOURS = 5
"""Classes in the style sheet."""

CLOSE = timedelta(days=4)
"""Runs within this are told apart by the hour."""


@dataclass(frozen=True, slots=True)
class Dot:
    """A point of the picture: per cent across, pixels down."""

    point: Point
    x: float
    y: float
    low: float | None
    high: float | None
    null: float | None
    find: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """A generator's points in order of time.

    Attributes:
        name: of the generator.
        colour: number of a class.
        mark: the shape of its points, as a path about the origin.
        dots: its points.
    """

    name: str
    colour: int
    mark: str
    dots: tuple[Dot, ...]

    @property
    def pieces(self) -> Sequence[tuple[Dot, Dot]]:
        """Each point with the one after it."""
        return list(zip(self.dots, self.dots[1:], strict=False))


@dataclass(frozen=True, slots=True)
class Drawing:
    """What the template draws.

    Attributes:
        height: of the picture in pixels.
        lines: one a generator.
        null: height of the null where all runs have the same; then no dot has one of its own.
        up: heights and what they say.
        across: per cent and what they say.
    """

    height: int
    lines: tuple[Line, ...]
    null: float | None
    up: tuple[tuple[float, str], ...]
    across: tuple[tuple[float, str], ...]

    @property
    def finds(self) -> bool:
        """Whether any run says what it would have found."""
        return any(dot.find is not None for line in self.lines for dot in line.dots)


def drawing(trend: Trend) -> Drawing | None:
    """The picture of a trend; None where there is nothing to draw."""
    points = trend.points
    if not points:
        return None
    numbers = [p.number for p in points]
    values = [v for n in numbers for v in (n.value, n.low, n.high, n.null, n.detectable) if v is not None]
    ticks = _ticks(min(values), max(values))
    bottom, top = min(ticks[0], *values), max(ticks[-1], *values)
    first, last = points[0].when, points[-1].when
    span = (last - first).total_seconds()
    nulls = {n.null for n in numbers}
    common = nulls.pop() if len(nulls) == 1 else None

    def y(value: float) -> float:
        return round(HEIGHT - 4 * MARGIN - (HEIGHT - 8 * MARGIN) * (value - bottom) / (top - bottom), 1)

    def x(when: datetime) -> float:
        share = (when - first).total_seconds() / span if span else 0.5
        return round(MARGIN + (100 - 2 * MARGIN) * share, 2)

    def dot(point: Point) -> Dot:
        n = point.number
        own = n.null if common is None else None
        low, high, null, find = (None if v is None else y(v) for v in (n.low, n.high, own, n.detectable))
        return Dot(point, x(point.when), y(n.value), low, high, null, find)

    names = sorted({point.line for point in points})
    lines = tuple(
        Line(name, i % COLOURS, MARKS[(i + i // COLOURS) % len(MARKS)], tuple(dot(p) for p in points if p.line == name))
        for i, name in enumerate(names)
    )
    days = [first + (last - first) * i / 4 for i in range(5)] if span else [first]
    form = "%Y-%m-%d" if last - first > CLOSE else "%m-%d %H:%M"
    return Drawing(
        height=HEIGHT,
        lines=lines,
        null=None if common is None else y(common),
        up=tuple((y(t), said(trend.asked.estimate, t)) for t in ticks),
        across=tuple((x(day), day.strftime(form)) for day in days),
    )


def _ticks(low: float, high: float) -> list[float]:
    """Four to nine round numbers that reach over ``low`` to ``high``."""
    if low == high:
        low, high = low - (abs(low) or 1) / 10, high + (abs(high) or 1) / 10
    rough = (high - low) / 5
    unit = 10.0 ** floor(log10(rough))
    step = unit * next(factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough)
    return [step * i for i in range(floor(low / step), ceil(high / step) + 1)]
