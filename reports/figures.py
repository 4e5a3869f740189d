"""Figures as data: what the page's script draws, and the same numbers as tables for readers without a script."""

from dataclasses import dataclass
from itertools import pairwise

from ..audit.record import AuditRecord, Estimate, Finding, Plot, Series
from .fairness import voided
from .measure import Scale
from .power import KINDS, kind_of
from .wording import number, share

ROWS = 60


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the report.

    Attributes:
        key: the id of its element on the page.
        title: plugin and plot name.
        caption: how to read it.
        plot: its data, ready to draw.
        columns: heads of the table that carries the same numbers.
        rows: the table; a long curve keeps at most 60 rows a series.
    """

    key: str
    title: str
    caption: str
    plot: Plot
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


_CAPTIONS = {
    "roc": "Both axes are logarithmic, so that the patients an attacker is most certain of can be seen at the left. "
    "On the dashed diagonal the attack is no better than chance; a curve above it is a leak. Points at zero are "
    "drawn at the edge.",
    "histogram": "Where there is no leak the outlines for training and holdout patients coincide. A training outline "
    "that stands apart from the holdout's is what leakage looks like.",
    "power": "How many audits noticed a planted leak of this size. The further left a curve crosses the dashed line, "
    "which is 80 of 100 audits, the smaller the leak that would have been found.",
    "curve": "How the figure on the upright axis changes with the one on the level axis.",
}
_NAMED = {
    "robustness of the verifier": "How many altered copies of real images the verifier would still link to their "
    "originals, by kind and strength of the alteration. A copy altered beyond the right end may go unseen.",
    "copies of each patient": "How many patients have at least so many copies in the release. Where there is no leak "
    "the line of training patients runs along that of holdout patients; a long tail means that a few are exposed "
    "strongly.",
    "how many images may be published": "How many training patients a random part of the released images is expected "
    "to expose, beyond as many holdout patients, with its interval. Where the upper bound passes 1, no more can "
    "be said to expose nobody; beyond the right end nothing is known.",
}
POWER_ASKED = 0.8
ASKED = "noticed in 80 of 100 audits"


def figures_of(record: AuditRecord) -> tuple[Figure, ...]:
    """Every plot of every finding that gave a result."""
    pairs = [(f, p) for f in record.findings if f.status in {"ok", "invalid"} for p in f.plots]
    return tuple(
        Figure(
            key=f"figure-{i}",
            title=f"{finding.plugin}: {'how often planted leaks are noticed' if plot.kind == 'power' else plot.name}",
            caption=_caption(finding, plot),
            plot=_drawable(plot),
            columns=_columns(plot),
            rows=_rows(plot),
        )
        for i, (finding, plot) in enumerate(pairs, start=1)
    )


def _caption(finding: Finding, plot: Plot) -> str:
    void = "Not valid, for the comparison was not fair. " if voided(finding) else ""
    return void + (_NAMED.get(plot.name, _CAPTIONS["curve"]) if plot.kind == "curve" else _CAPTIONS[plot.kind])


def _drawable(plot: Plot) -> Plot:
    if plot.kind == "power":
        return _briefly(_with_the_power_asked(plot))
    if plot.kind == "curve":
        return _briefly(plot)
    return plot if plot.kind == "histogram" else _briefly(_on_log_axes(plot))


def _with_the_power_asked(plot: Plot) -> Plot:
    """Kinds in plain words, shares above zero (their axis is logarithmic), and the line at 80%."""
    series = []
    for one in plot.series:
        points = [(x, y) for x, y in zip(one.x, one.y, strict=True) if x > 0]
        name = _in_words(one.label)
        series.append(Series(label=name, x=tuple(x for x, _ in points), y=tuple(y for _, y in points)))
    shares = [x for one in series for x in one.x]
    if shares:
        ends = (min(shares), max(shares))
        series.append(Series(label=ASKED, x=ends, y=(POWER_ASKED, POWER_ASKED)))
    return plot.model_copy(update={"series": tuple(series)})


def _in_words(label: str) -> str:
    return kind_of(label).noun if label in KINDS else label


def _on_log_axes(plot: Plot) -> Plot:
    """Zeros have no place on a log axis: they are moved to half the smallest rate that occurs."""
    positive = [v for s in plot.series for v in (*s.x, *s.y) if v > 0]
    floor = min(positive, default=0.01) / 2
    series = tuple(
        Series(label=s.label, x=tuple(max(v, floor) for v in s.x), y=tuple(max(v, floor) for v in s.y))
        for s in plot.series
    )
    return plot.model_copy(update={"series": (*series, Series(label="chance", x=(floor, 1.0), y=(floor, 1.0)))})


def _briefly(plot: Plot) -> Plot:
    """Axis titles without what stands in parentheses: the table under the figure has it in full."""
    short = {"x_label": plot.x_label.partition(" (")[0], "y_label": plot.y_label.partition(" (")[0]}
    return plot.model_copy(update=short)


def _columns(plot: Plot) -> tuple[str, ...]:
    if plot.kind != "histogram":
        return ("planted" if plot.kind == "power" else "series", plot.x_label, plot.y_label)
    return ("from", "to", *(s.label for s in plot.series))


def _rows(plot: Plot) -> tuple[tuple[str, ...], ...]:
    if plot.kind != "histogram":
        return tuple(
            (_in_words(s.label), number(s.x[i], _scale(plot, plot.x_label)), number(s.y[i], _scale(plot, plot.y_label)))
            for s in plot.series
            for i in _thinned(len(s.x))
        )
    edges = plot.series[0].x if plot.series else ()
    return tuple(
        (number(low), number(high), *(number(s.y[i], "share") for s in plot.series))
        for i, (low, high) in enumerate(pairwise(edges))
    )


def _scale(plot: Plot, label: str) -> Scale:
    """Axes are shares, but for a curve's whose label does not begin with that word."""
    return "number" if plot.kind == "curve" and not label.startswith("share") else "share"


def _thinned(n: int) -> list[int]:
    if n <= ROWS:
        return list(range(n))
    return sorted({round(i * (n - 1) / (ROWS - 1)) for i in range(ROWS)})


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
