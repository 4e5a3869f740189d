"""Figures as data: what the page's script draws, and the same numbers as tables for readers without a script."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from ..audit.record import Estimate, Finding, Plot
from .fairness import voided
from .measure import Scale
from .measures import group_of, measure_of
from .wording import number, share, title_of

ROWS = 60
CENTER = "center "


@dataclass(frozen=True, slots=True)
class Line:
    """One line, set of bars, or bar of a figure.

    Attributes:
        label: what it shows.
        x: as the figure's kind has it.
        y: as the figure's kind has it.
        low: lower end of the band or interval at each x; empty where there is none.
        high: its upper end.
        panel: of several plots side by side, the one that it belongs to.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    panel: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the report.

    Attributes:
        key: the id of its element on the page.
        title: plugin and plot name.
        caption: how to read it.
        kind: as a ``Plot``'s; ``bars`` are values with intervals, one a centre, against ``null``.
        x_label: of the level axis.
        y_label: of the upright axis.
        lines: what is drawn.
        columns: heads of the table that carries the same numbers.
        rows: the table; a long curve keeps at most 60 rows a line.
        words: how many columns of the table hold words, not numbers.
        null: of bars, what no leakage or no difference would give.
        shares: of bars, whether values are printed as percentages.
    """

    key: str
    title: str
    caption: str
    kind: Literal["roc", "histogram", "power", "curve", "bars"]
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    null: float | None = None
    shares: bool = False


_HISTOGRAM = (
    "Where there is no leak the outlines for training and holdout patients coincide. A training outline that stands "
    "apart from the holdout's is what leakage looks like."
)
_CURVE = "How the figure on the upright axis changes with the one on the level axis."
COPIES, RELEASE = "copies of each patient", "how many images may be published"
_TITLES = {RELEASE: "patients exposed, by number of images released"}
_NAMED = {
    "robustness of the verifier": "How many altered copies of real images the verifier would still link to their "
    "originals, by kind and strength of the alteration. A copy altered beyond the right end may go unseen.",
    COPIES: "How many patients have at least so many copies in the release. Where there is no leak the line of "
    "training patients runs along that of holdout patients; a long tail means that a few are exposed strongly.",
    RELEASE: "How many training patients a random part of the released images is expected to expose, beyond as many "
    "holdout patients, with its interval. Where the upper bound passes 1, no more can be said to expose nobody; "
    "beyond the right end nothing is known.",
}


def figures_of(finding: Finding, key: str) -> tuple[Figure, ...]:
    """The histograms and curves of a finding that gave a result; what all attacks share is drawn once, elsewhere."""
    if finding.status not in {"ok", "invalid"}:
        return ()
    void = "Not valid, for the comparison was not fair. " if voided(finding) else ""
    return tuple(
        Figure(
            key=f"{key}-{i}",
            title=f"{finding.plugin}: {_TITLES.get(plot.name, plot.name)}",
            caption=void + (_HISTOGRAM if plot.kind == "histogram" else _NAMED.get(plot.name, _CURVE)),
            kind=plot.kind,
            x_label=plot.x_label if plot.kind == "histogram" else briefly(plot.x_label),
            y_label=plot.y_label if plot.kind == "histogram" else briefly(plot.y_label),
            lines=tuple(Line(s.label, s.x, s.y) for s in plot.series),
            columns=_columns(plot),
            rows=_rows(plot),
            words=0 if plot.kind == "histogram" else 1,
        )
        for i, plot in enumerate((p for p in finding.plots if p.kind in {"histogram", "curve"}), start=1)
    )


def bars_of(finding: Finding, key: str) -> tuple[Figure, ...]:
    """What a finding measured centre by centre, as values with intervals."""
    by_name: dict[str, list[Estimate]] = {}
    for e in finding.estimates:
        if e.group.startswith(CENTER) and None not in {e.value, e.low, e.high}:
            by_name.setdefault(e.name, []).append(e)
    return tuple(
        _bars(finding, name, estimates, f"{key}-centres-{i}")
        for i, (name, estimates) in enumerate(by_name.items(), start=1)
        if len(estimates) > 1
    )


def _bars(finding: Finding, name: str, estimates: list[Estimate], key: str) -> Figure:
    scale = measure_of(name).scale
    bounds = [(e, e.value or 0.0, e.low or 0.0, e.high or 0.0) for e in estimates]
    return Figure(
        key=key,
        title=f"{finding.plugin}: {title_of(name)} by centre",
        caption="One bar a centre, with its interval. Where intervals overlap widely the centres may well be alike.",
        kind="bars",
        x_label="",
        y_label=title_of(name),
        lines=tuple(Line(e.group.removeprefix(CENTER), (v,), (), (low,), (high,)) for e, v, low, high in bounds),
        columns=("centre", "value", "from", "to", "rests on"),
        rows=tuple(
            (group_of(e.group), number(v, scale), number(low, scale), number(high, scale), f"{e.n:,} {e.unit}s")
            for e, v, low, high in bounds
        ),
        null=estimates[0].null,
        shares=scale == "share",
    )


def briefly(label: str) -> str:
    """An axis title without what stands in parentheses: the table under the figure has it in full."""
    return label.partition(" (")[0]


def thinned(n: int, most: int = ROWS) -> list[int]:
    """Which of ``n`` points a table keeps."""
    if n <= most:
        return list(range(n))
    return sorted({round(i * (n - 1) / (most - 1)) for i in range(most)})


def _columns(plot: Plot) -> tuple[str, ...]:
    if plot.kind != "histogram":
        return ("series", plot.x_label, plot.y_label)
    return ("from", "to", *(s.label for s in plot.series))


def _rows(plot: Plot) -> tuple[tuple[str, ...], ...]:
    if plot.kind != "histogram":
        return tuple(
            (s.label, number(s.x[i], _scale(plot.x_label)), number(s.y[i], _scale(plot.y_label)))
            for s in plot.series
            for i in thinned(len(s.x))
        )
    edges = plot.series[0].x if plot.series else ()
    return tuple(
        (number(low), number(high), *(number(s.y[i], "share") for s in plot.series))
        for i, (low, high) in enumerate(pairwise(edges))
    )


def _scale(label: str) -> Scale:
    """An axis of shares says so in its first word."""
    return "share" if label.startswith("share") else "number"


@dataclass(frozen=True, slots=True)
class Strip:
    """An interval drawn as a bar against its null: positions in percent of the width.

    ``find`` is where the smallest detectable leak lies, None where it is unknown.
    """

    value: float
    low: float
    high: float
    null: float
    find: float | None
    left: str
    right: str


def strip_of(estimate: Estimate, scale: Scale) -> Strip | None:
    """The strip of an estimate that has value, interval and null; None for others."""
    value, low, high, null = estimate.value, estimate.low, estimate.high, estimate.null
    if value is None or low is None or high is None or null is None:
        return None
    seen = [v for v in (value, low, high, null, estimate.detectable) if v is not None]
    left, right = min(0.0, *seen), max(seen)
    right = 1.0 if scale in {"share", "score"} and right > 0.3 else right + 0.15 * (right - left or 1.0)
    left -= 0.05 * (right - left) if left < 0 else 0.0

    def at(v: float) -> float:
        return round(100 * (v - left) / (right - left), 2)

    find = None if estimate.detectable is None else at(estimate.detectable)
    return Strip(at(value), at(low), at(high), at(null), find, _end(left, scale), _end(right, scale))


def _end(value: float, scale: Scale) -> str:
    return (
        share(value, 0 if abs(value) >= 0.1 or value == 0 else 1) if scale == "share" else number(float(f"{value:.2g}"))
    )
