"""Every estimate of every entrant as a row, for a spreadsheet or a data frame."""

import io
from collections.abc import Iterator
from csv import writer

from ..audit.comparison import Compared, Comparison
from ..audit.plugin import report
from .cells import cell

COLUMNS = (
    "entrant",
    "generator",
    "guard",
    "verdict",
    "seeds",
    "kind",
    "family",
    "plugin",
    "estimate",
    "group",
    "status",
    "reason",
    "value",
    "low",
    "high",
    "null",
    "leak",
    "leak_low",
    "leak_high",
    "detectable",
    "rank",
    "n",
    "unit",
    "worse",
    "method",
    "note",
)


@report(suffix="csv", of="comparison")
def comparison_csv(comparison: Comparison) -> str:
    """One row an entrant and estimate, with rank, for a spreadsheet or a data frame.

    Differences of pairs are a table of their own: ``differences-csv``. What could not be measured has a status and a
    reason in place of numbers.
    """
    text = io.StringIO()
    rows = writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for compared in comparison.estimates:
        rows.writerows([cell(value) for value in row] for row in _rows(comparison, compared))
    return text.getvalue()


def _rows(comparison: Comparison, compared: Compared) -> Iterator[tuple[str | float | None, ...]]:
    seeds = " ".join(map(str, comparison.seeds))
    for entrant, own in zip(comparison.entrants, compared.cells, strict=True):
        guard = entrant.guard.name if entrant.guard else ""
        who = (entrant.label, entrant.generator.name, guard, entrant.outcome, seeds)
        what = (compared.kind, compared.family, compared.plugin, compared.name, compared.group)
        numbers = (own.value, own.low, own.high, own.null, own.leak, own.leak_low, own.leak_high, own.detectable)
        yield (
            *who,
            *what,
            own.status,
            own.reason,
            *numbers,
            own.rank,
            own.n,
            compared.unit,
            compared.worse,
            own.method,
            own.note,
        )
