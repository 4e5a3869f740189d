"""Which runs a page lists and in which order; all of it stands in the page's address, so that a view can be shared."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlencode

from .headlines import COLUMNS
from .runs import Run
from .summary import Summary

PAGE = 100
"""Runs on one page, unless all are asked for."""

OUTCOMES = {
    "pass": "Pass",
    "fail": "Fail",
    "inconclusive": "Inconclusive",
    "running": "Running",
    "unfinished": "No record yet",
    "unreadable": "Unreadable",
    "waiting": "Being read",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A run as a line of the table.

    Attributes:
        run: which.
        options: of its generator, where they differ from another run's of the same generator.
    """

    run: Run
    options: str = ""

    @property
    def key(self) -> str:
        """What addresses call the run."""
        return self.run.found.key

    @property
    def summary(self) -> Summary | None:
        """Of the record, where it could be read."""
        return self.run.digest.summary if self.run.digest else None

    @property
    def outcome(self) -> str:
        """The verdict, or why there is none."""
        return self.summary.outcome if self.summary else self.run.state

    @property
    def trouble(self) -> tuple[str, ...]:
        """Plugins that failed, and then those whose findings mean nothing."""
        return (*self.summary.broken, *self.summary.invalid) if self.summary else ()

    @property
    def day(self) -> str:
        """When it was started, to the minute."""
        started = self.summary.started if self.summary else None
        return started.strftime("%Y-%m-%d %H:%M") if started else ""


def rows_of(runs: Iterable[Run]) -> list[Row]:
    """A row for each run, with what sets it apart from others of the same generator."""
    rows = list(runs)
    values: dict[str, dict[str, set[str]]] = {}
    for run in rows:
        if run.digest:
            generator = run.digest.summary.generator
            seen = values.setdefault(generator.name, {})
            for name, value in generator.options.items():
                seen.setdefault(name, set()).add(str(value))
    return [Row(run, _options(run, values)) for run in rows]


def _options(run: Run, values: Mapping[str, Mapping[str, set[str]]]) -> str:
    if run.digest is None:
        return ""
    generator = run.digest.summary.generator
    differing = values[generator.name]
    return ", ".join(f"{name}={value}" for name, value in generator.options.items() if len(differing[name]) > 1)


@dataclass(frozen=True, slots=True)
class Query:
    """What a page lists.

    Attributes:
        text: words that a run's name, generator, options, guard, cohort or failed plugins must all contain.
        generator: exactly this one; empty for any.
        cohort: exactly this one; empty for any.
        outcome: a verdict or a state; empty for any.
        sort: key of a column, with a hyphen before it for the largest first.
        page: from 1.
        every: all on one page.
    """

    text: str = ""
    generator: str = ""
    cohort: str = ""
    outcome: str = ""
    sort: str = "-date"
    page: int = 1
    every: bool = False

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> "Query":
        """The query that an address asks; what it cannot mean counts as not said."""
        sort, page = parameters.get("sort", ""), parameters.get("page", "")
        return cls(
            text=parameters.get("q", "").strip(),
            generator=parameters.get("generator", ""),
            cohort=parameters.get("cohort", ""),
            outcome=parameters.get("verdict", ""),
            sort=sort if sort.removeprefix("-") in SORTS else "-date",
            page=int(page) if page.isascii() and page.isdigit() and len(page) < 9 else 1,
            every=parameters.get("show") == "all",
        )

    @property
    def address(self) -> str:
        """The page's address, from its folder."""
        said = {
            "q": self.text,
            "generator": self.generator,
            "cohort": self.cohort,
            "verdict": self.outcome,
            "sort": "" if self.sort == "-date" else self.sort,
            "page": "" if self.page <= 1 else str(self.page),
            "show": "all" if self.every else "",
        }
        return "/?" + urlencode({name: value for name, value in said.items() if value})

    def sorted_by(self, column: str) -> "Query":
        """The same, sorted by that column; by the one it is sorted by already, the other way round."""
        return replace(self, sort=f"-{column}" if self.sort == column else column, page=1)

    def at(self, page: int) -> "Query":
        """Another page of it."""
        return replace(self, page=page)

    def whole(self, every: bool) -> "Query":
        """All of it on one page, or not."""
        return replace(self, every=every, page=1)

    def direction(self, column: str) -> Literal["ascending", "descending", "none"]:
        """How it is sorted by that column."""
        if self.sort.removeprefix("-") != column:
            return "none"
        return "descending" if self.sort.startswith("-") else "ascending"


@dataclass(frozen=True, slots=True)
class Listing:
    """What a query finds.

    Attributes:
        query: with the page that there is.
        rows: of this page.
        found: runs that match, on all pages.
        total: runs in all.
        pages: how many there are.
    """

    query: Query
    rows: tuple[Row, ...]
    found: int
    total: int
    pages: int


def listing(rows: Iterable[Row], query: Query) -> Listing:
    """What ``query`` finds among ``rows``."""
    rows = list(rows)
    words = query.text.casefold().split()
    matching = [row for row in rows if _matches(row, query) and all(word in _text(row) for word in words)]
    column = query.sort.removeprefix("-")
    sortable = [(SORTS[column](row), row) for row in sorted(matching, key=lambda row: row.run.name)]
    known = sorted(
        ((value, row) for value, row in sortable if value is not None),
        key=lambda pair: pair[0],
        reverse=query.sort.startswith("-"),
    )
    ordered = [row for _, row in known] + [row for value, row in sortable if value is None]
    pages = 1 if query.every else max(1, -(-len(ordered) // PAGE))
    page = min(max(query.page, 1), pages)
    shown = ordered if query.every else ordered[PAGE * (page - 1) : PAGE * page]
    return Listing(replace(query, page=page), tuple(shown), len(ordered), len(rows), pages)


def _matches(row: Row, query: Query) -> bool:
    summary = row.summary
    return (
        (not query.outcome or row.outcome == query.outcome)
        and (not query.generator or (summary is not None and summary.generator.name == query.generator))
        and (not query.cohort or (summary is not None and summary.cohort.name == query.cohort))
    )


def _text(row: Row) -> str:
    summary = row.summary
    parts = [row.run.name, row.run.reason]
    if summary:
        options = (f"{name}={value}" for name, value in summary.generator.options.items())
        parts += [summary.generator.name, summary.guard, summary.cohort.name, *row.trouble, *options]
    return "\n".join(parts).casefold()


Place = tuple[float, str]
"""Where a row stands among others: a number, or a text where the numbers are equal."""


def _number(value: Callable[[Summary], float | None]) -> Callable[[Row], Place | None]:
    def place(row: Row) -> Place | None:
        number = value(row.summary) if row.summary else None
        return None if number is None else (number, "")

    return place


def _text_of(value: Callable[[Summary], str]) -> Callable[[Row], Place | None]:
    def place(row: Row) -> Place | None:
        text = value(row.summary) if row.summary else ""
        return (0.0, text.casefold()) if text else None

    return place


def _headline(column: str) -> Callable[[Row], Place | None]:
    return _number(lambda s: s.headlines[column].value if column in s.headlines else None)


BUDGETS = {"quick": 0.0, "standard": 1.0, "full": 2.0}
SORTS: dict[str, Callable[[Row], Place | None]] = {
    "run": lambda row: (0.0, row.run.name.casefold()),
    "date": _number(lambda s: s.started.timestamp() if s.started else None),
    "generator": lambda row: (0.0, f"{row.summary.generator.name} {row.options}".casefold()) if row.summary else None,
    "cohort": _text_of(lambda s: s.cohort.name),
    "seed": _number(lambda s: s.seed),
    "budget": _number(lambda s: BUDGETS.get(s.budget)),
    "verdict": lambda row: (float(tuple(OUTCOMES).index(row.outcome)), ""),
    "failed": _number(lambda s: len(s.broken) + len(s.invalid)),
    **{column.key: _headline(column.key) for column in COLUMNS},
}
"""What each column is sorted by; what has no value comes last, either way."""
