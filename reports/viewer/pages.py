"""What the viewer's pages look like: templates, filled and escaped."""

import hashlib
from dataclasses import dataclass, field
from functools import cache

from ..offline import asset, environment
from .drawing import drawing
from .headlines import COLUMNS
from .listing import OUTCOMES, Listing, Row
from .trend import Trend, said

BAR = (
    '<nav aria-label="Viewer" style="position:static;display:flex;gap:1.2rem;padding:.8rem clamp(1rem,2vw,2.5rem);'
    'border-bottom:1px solid var(--line)"><a href="/">All runs</a> <a href="/trend">Trend</a></nav>'
)
"""Its style stands in it, for a report has a style sheet of its own, and may have one for ``nav``."""

SORTED_BY = (
    ("date", "Date, oldest first", "Date, latest first"),
    ("run", "Run, A to Z", "Run, Z to A"),
    ("verdict", "Verdict, pass first", "Verdict, pass last"),
    ("generator", "Generator, A to Z", "Generator, Z to A"),
    ("cohort", "Cohort, A to Z", "Cohort, Z to A"),
    *((column.key, f"{column.title}, least first", f"{column.title}, most first") for column in COLUMNS),
    ("failed", "Failed plugins, fewest first", "Failed plugins, most first"),
    ("seed", "Seed, smallest first", "Seed, largest first"),
    ("budget", "Budget, quick first", "Budget, full first"),
)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages ask for; its name says what it holds, so that it may be kept for ever."""

    text: str
    kind: str
    name: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256(self.text.encode()).hexdigest()[:16]
        object.__setattr__(self, "name", f"{digest}.{'js' if 'script' in self.kind else 'css'}")


@cache
def script() -> Asset:
    """The pages' script; they work without."""
    return Asset(asset("viewer/viewer.js"), "text/javascript")


@cache
def style() -> Asset:
    """The reports' style sheet, and what only the viewer has."""
    return Asset(asset("report.css") + asset("viewer/viewer.css"), "text/css")


def list_page(found: Listing, rows: list[Row], waiting: int, revision: int, folder: str) -> str:
    """The table of runs."""
    summaries = [row.summary for row in rows if row.summary]
    return _render(
        "list.html.jinja",
        found=found,
        query=found.query,
        columns=COLUMNS,
        sorts=SORTED_BY,
        outcomes=OUTCOMES,
        generators=sorted({(s.generator.name, s.generator.name) for s in summaries}),
        cohorts=sorted({(s.cohort.name, s.cohort.name) for s in summaries}),
        used=[(outcome, word) for outcome, word in OUTCOMES.items() if outcome in {row.outcome for row in rows}],
        waiting=waiting,
        revision=revision,
        folder=folder,
    )


def trend_page(trend: Trend, revision: int) -> str:
    """One estimate over time."""
    return _render(
        "trend.html.jinja", trend=trend, drawn=drawing(trend), said=said, outcomes=OUTCOMES, revision=revision
    )


def message_page(title: str, *lines: str) -> str:
    """A few sentences: why there is nothing else to show."""
    return _render("message.html.jinja", title=title, lines=lines)


def with_bar(page: str) -> str:
    """A self-contained report with the way back to the list on top."""
    head, body, rest = page.partition("<body>")
    return head + body + BAR + rest if body else page


def _render(template: str, **values: object) -> str:
    return environment("viewer").get_template(template).render(script=script().name, style=style().name, **values)
