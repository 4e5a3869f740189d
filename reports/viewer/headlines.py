"""The few numbers of a run that stand in the list: one a question, each the worst of those that ask it."""

from dataclasses import dataclass

from ..measures import measure_of
from ..wording import NONE, number
from .light import Light, LightEstimate, LightRecord


class Headline(Light):
    """One number of the list, with its interval and whose it is.

    Attributes:
        of: the attack or metric that found it.
        name: of the estimate.
        value: what was found.
        low: end of its interval.
        high: end of its interval.
        null: what no leak, or the real images, would give.
    """

    of: str
    name: str
    value: float
    low: float | None
    high: float | None
    null: float | None

    @property
    def text(self) -> str:
        """The value as it is said."""
        return number(self.value, measure_of(self.name).scale)

    @property
    def interval(self) -> str:
        """``0.4% to 2.1%``; a dash where there is none."""
        if self.low is None or self.high is None:
            return NONE
        scale = measure_of(self.name).scale
        return f"{number(self.low, scale)} to {number(self.high, scale)}"


@dataclass(frozen=True, slots=True)
class Column:
    """A question that has a column of its own.

    Attributes:
        key: in the address of the page.
        title: at the head of the column.
        means: what the number is, in a sentence.
        family: of the findings that answer it.
        names: of the estimates that answer it, with their group; the first that a run has is shown.
    """

    key: str
    title: str
    means: str
    family: str
    names: tuple[tuple[str, str], ...]


COLUMNS = (
    Column(
        "copied",
        "Copied images",
        "Share of released images that reproduce a training patient, beyond what chance gives",
        "memorization",
        (("copied_share", ""),),
    ),
    Column(
        "membership",
        "Membership AUC",
        "What the strongest membership attack reaches on patients that had no part in choosing it; 0.5 is a coin toss",
        "membership",
        (),
    ),
    Column(
        "linked",
        "Linked images",
        "Share of released images that a re-identification model matches to a training patient, beyond chance matches",
        "reidentification",
        (("linked_excess", ""),),
    ),
    Column(
        "attribute",
        "Attributes told",
        "Share of patients about whom the release gives away an attribute that would otherwise be guessed wrong",
        "attribute",
        (("attribute_risk", ""),),
    ),
    Column(
        "utility",
        "Utility",
        "How well a model trained on the synthetic images alone works on real patients",
        "utility",
        (("dice", "synthetic"), ("roc-auc", "synthetic")),
    ),
)


def headlines_of(record: LightRecord) -> dict[str, Headline]:
    """The headline of each column; a column for which nothing valid was measured is missing."""
    found = {column.key: _found(record, column) for column in COLUMNS}
    return {key: headline for key, headline in found.items() if headline is not None}


def _found(record: LightRecord, column: Column) -> Headline | None:
    if column.key == "membership":
        return next((_headline(s.attack, s.auc) for s in record.strongest if s.family == column.family), None)
    valid = [f for f in record.findings if f.family == column.family and f.status == "ok"]
    for name, group in column.names:
        measured = [
            headline
            for finding in valid
            for estimate in finding.estimates
            if (estimate.name, estimate.group) == (name, group) and (headline := _headline(finding.plugin, estimate))
        ]
        if measured:
            return max(measured, key=lambda headline: headline.value)
    return None


def _headline(of: str, estimate: LightEstimate) -> Headline | None:
    if estimate.value is None:
        return None
    fields = estimate.model_dump(include={"name", "value", "low", "high", "null"})
    return Headline(of=of, **fields)
