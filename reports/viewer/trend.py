"""One estimate over time: which runs have it, on which cohort, and a line for each generator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from ..measures import group_of, measure_of
from ..wording import NONE, number, title_of
from .listing import Row
from .summary import SEPARATOR, STRONGEST, Number

PREFERRED = (
    SEPARATOR.join((STRONGEST, "membership", "auc")),
    SEPARATOR.join(("nearest", "copied_share")),
    SEPARATOR.join(("siamese", "linked_excess")),
)
"""What is shown where nothing was chosen: the first that a run has."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks of the trend.

    Attributes:
        estimate: its key; empty for a preferred one.
        cohort: empty for the one with most runs.
        generator: empty for all.
        lines: one a generator, or one for each of its settings.
    """

    estimate: str = ""
    cohort: str = ""
    generator: str = ""
    lines: Literal["generator", "options"] = "generator"

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> "Asked":
        """What an address asks; what it cannot mean counts as not said."""
        lines: Literal["generator", "options"] = "options" if parameters.get("lines") == "options" else "generator"
        estimate, cohort, generator = (parameters.get(name, "") for name in ("estimate", "cohort", "generator"))
        return cls(estimate, cohort, generator, lines)


@dataclass(frozen=True, slots=True)
class Point:
    """One run's value.

    Attributes:
        row: the run.
        line: name of the line it belongs to.
        when: the audit was started.
        number: the estimate.
        key: of the estimate.
    """

    row: Row
    line: str
    when: datetime
    number: Number
    key: str

    @property
    def value(self) -> str:
        """The value as it is said."""
        return said(self.key, self.number.value)

    @property
    def interval(self) -> str:
        """Its interval as it is said; a dash where there is none."""
        low, high = self.number.low, self.number.high
        return NONE if low is None or high is None else f"{said(self.key, low)} to {said(self.key, high)}"


@dataclass(frozen=True, slots=True)
class Trend:
    """One estimate over time.

    Attributes:
        asked: with what was chosen for the reader where nothing was said.
        estimates: plugins, each with the keys and titles of its estimates.
        cohorts: names to choose from.
        generators: names to choose from.
        points: in order of time.
        missing: runs that have no such number.
    """

    asked: Asked
    estimates: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    cohorts: tuple[str, ...]
    generators: tuple[str, ...]
    points: tuple[Point, ...]
    missing: int

    @property
    def title(self) -> str:
        """The estimate in plain words."""
        plugin = self.asked.estimate.partition(SEPARATOR)[0]
        return label_of(self.asked.estimate) + ("" if plugin == STRONGEST else f" ({plugin})")

    @property
    def meaning(self) -> str:
        """What the estimate is; empty where nobody knows."""
        return measure_of(_name_of(self.asked.estimate)).meaning


def trend(rows: Sequence[Row], asked: Asked) -> Trend:
    """The estimate that was asked for over time, or the one that most readers want."""
    counts: dict[str, int] = {}
    for row in rows:
        if row.summary:
            counts[row.summary.cohort.name] = counts.get(row.summary.cohort.name, 0) + 1
    cohort = asked.cohort or max(counts, key=lambda name: counts[name], default="")
    on_cohort = [row for row in rows if row.summary and row.summary.cohort.name == cohort]
    own = [row for row in on_cohort if asked.generator in {"", row.summary.generator.name if row.summary else ""}]
    keys = dict.fromkeys(key for keys in {r.run.digest.keys: None for r in own if r.run.digest} for key in keys)
    estimate = asked.estimate or next((key for key in PREFERRED if key in keys), next(iter(keys), ""))
    points = sorted(
        (point for row in own if (point := _point(row, estimate, asked.lines))),
        key=lambda point: (point.when, point.row.run.name),
    )
    plugins: dict[str, list[tuple[str, str]]] = {}
    for key in keys:
        plugins.setdefault(key.partition(SEPARATOR)[0], []).append((key, label_of(key)))
    return Trend(
        asked=replace(asked, estimate=estimate, cohort=cohort),
        estimates=tuple((plugin, tuple(titled)) for plugin, titled in plugins.items()),
        cohorts=tuple(sorted(counts)),
        generators=tuple(sorted({row.summary.generator.name for row in on_cohort if row.summary})),
        points=tuple(points),
        missing=len(own) - len(points),
    )


def _point(row: Row, estimate: str, lines: Literal["generator", "options"]) -> Point | None:
    digest, summary = row.run.digest, row.summary
    found = digest.number(estimate) if digest else None
    if found is None or summary is None or summary.started is None:
        return None
    name = summary.generator.name + (f" behind {summary.guard}" if summary.guard else "")
    if lines == "options" and row.options:
        name += f" ({row.options})"
    return Point(row, name, summary.started, found, estimate)


def label_of(key: str) -> str:
    """``nearest / copied_share / pixels`` -> ``Copied images, whole image``."""
    plugin, _, rest = key.partition(SEPARATOR)
    name, _, group = rest.partition(SEPARATOR)
    if plugin == STRONGEST:
        return f"{title_of(group)} of the strongest {name} attack"
    return title_of(name) + (f", {group_of(group)}" if group else "")


def said(key: str, value: float | None) -> str:
    """A value of that estimate as its scale wants it; a dash for None."""
    return number(value, measure_of(_name_of(key)).scale)


def _name_of(key: str) -> str:
    plugin, _, rest = key.partition(SEPARATOR)
    name, _, group = rest.partition(SEPARATOR)
    return group if plugin == STRONGEST else name
