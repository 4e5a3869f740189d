"""Every difference of two entrants as a row, for a spreadsheet or a data frame."""

import io
from csv import writer

from ..audit.comparison import Comparison
from ..audit.plugin import report
from .cells import cell

COLUMNS = (
    "first",
    "second",
    "kind",
    "family",
    "plugin",
    "estimate",
    "group",
    "of",
    "difference",
    "low",
    "high",
    "p_value",
    "p_adjusted",
    "paired",
    "seeds",
    "better",
    "method",
)


@report(suffix="csv", of="comparison")
def comparison_differences_csv(comparison: Comparison) -> str:
    """One row a pair of entrants and estimate: difference, interval, p, p after Holm's correction, who is better.

    ``better`` is empty where no difference is shown.
    """
    labels = [entrant.label for entrant in comparison.entrants]
    text = io.StringIO()
    rows = writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for compared in comparison.estimates:
        what = (compared.kind, compared.family, compared.plugin, compared.name, compared.group, compared.of)
        for found in compared.differences:
            numbers = (found.value, found.low, found.high, found.p_value, found.adjusted)
            better = "" if found.better is None else labels[found.better]
            row = (
                labels[found.first],
                labels[found.second],
                *what,
                *numbers,
                found.paired,
                len(comparison.seeds),
                better,
                compared.method,
            )
            rows.writerow([cell(value) for value in row])
    return text.getvalue()
