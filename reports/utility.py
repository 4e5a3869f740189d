"""What the released images are good for, side by side: one table a metric, with its arms as columns."""

from dataclasses import dataclass

from ..audit.record import Estimate, Finding
from . import wording
from .measures import group_of, measure_of


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of a table.

    Attributes:
        name: the estimates' name.
        cells: one estimate a column.
        reading: how the released images compare with the reference, in words; "" where there is none.
    """

    name: str
    cells: tuple[Estimate, ...]
    reading: str


@dataclass(frozen=True, slots=True)
class Table:
    """Measures that were taken on the same arms.

    Attributes:
        columns: arms or centres in plain words.
        rows: the measures.
        units: what every cell rests on, where that is the same for all, else "".
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    units: str


def tables_of(finding: Finding) -> tuple[Table, ...]:
    """All estimates of a metric; those that share their groups share a table."""
    by_name: dict[str, list[Estimate]] = {}
    for estimate in finding.estimates:
        by_name.setdefault(estimate.name, []).append(estimate)
    tables: dict[tuple[str, ...], list[list[Estimate]]] = {}
    for estimates in by_name.values():
        tables.setdefault(tuple(e.group for e in estimates), []).append(estimates)
    return tuple(_table(groups, measured) for groups, measured in tables.items())


def _table(groups: tuple[str, ...], measured: list[list[Estimate]]) -> Table:
    arms = any(group.endswith("(control)") for group in groups)
    counts = {wording.count_of(e) for row in measured for e in row}
    return Table(
        columns=tuple(group_of(g, "released images" if arms else "overall") for g in groups),
        rows=tuple(Row(row[0].name, tuple(row), _reading(row)) for row in measured),
        units=counts.pop() if len(counts) == 1 else "",
    )


def _reading(row: list[Estimate]) -> str:
    overall = next((e for e in row if not e.group), None)
    if overall is None or overall.null is None:
        return ""
    words = {"differs": "worse", "no difference": "not shown to be worse"}
    return words.get(wording.reading_of(overall), "")


def sentences_of(finding: Finding) -> tuple[str, ...]:
    """A metric's result in words: the overall estimates that have a sentence, or its arms in a row."""
    said = tuple(wording.sentence_of(e) for e in finding.estimates if not e.group and measure_of(e.name).plain)
    arms = [e for e in finding.estimates if e.group and e.value is not None and e.name == finding.estimates[0].name]
    arms = [e for e in arms if not e.group.endswith("(control)")]
    if not arms:
        return said or _against_reference(finding)
    values = ", ".join(f"{wording.value_of(e)} ({group_of(e.group)})" for e in arms)
    return (f"{wording.title_of(arms[0].name)}: {values}.", *said)


def _against_reference(finding: Finding) -> tuple[str, ...]:
    """``Worse than the reference: recall 0.788 against 0.936. Not shown to be worse: ...``, as far as there is one."""
    groups: dict[str, list[str]] = {"differs": [], "no difference": []}
    for e in finding.estimates:
        reading = wording.reading_of(e)
        if not e.group and reading in groups:
            title = wording.title_of(e.name).partition(",")[0]
            groups[reading].append(f"{title} {wording.value_of(e)} against {wording.null_of(e)}")
    words = {"differs": "Worse than the reference", "no difference": "Not shown to be worse"}
    return tuple(f"{words[reading]}: {', '.join(said)}." for reading, said in groups.items() if said)
