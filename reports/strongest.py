"""The strongest attack of each family, in words: one claim where several attacks were tried."""

from dataclasses import dataclass

from ..audit.record import AuditRecord, StrongestAttack
from .wording import count_of, interval_of, number

FAMILIES = {
    "memorization": "How close released images come",
    "membership": "Membership",
    "reidentification": "Re-identification",
}
LEAD = (
    "Of many attacks one will look strong by luck. So the strongest of each family was chosen on half of the patients, "
    "and what it reaches was measured on the other half, which had no part in the choice."
)


@dataclass(frozen=True, slots=True)
class Line:
    """One family.

    Attributes:
        family: in plain words.
        attack: the chosen one.
        value: its AUC.
        interval: of the AUC.
        rests: how many patients it rests on.
        reading: what that says.
    """

    family: str
    attack: str
    value: str
    interval: str
    rests: str
    reading: str


def strongest_of(record: AuditRecord) -> tuple[Line, ...]:
    """A line for each family of which an attack gave a result."""
    return tuple(_line(found) for found in record.strongest)


def _line(found: StrongestAttack) -> Line:
    auc = found.auc
    assert auc.low is not None
    assert auc.high is not None
    if auc.low > 0.5:
        reading = "tells training patients from others, and not by luck"
    elif auc.high < 0.5:
        reading = "what it seemed to tell on one half it does not tell on the other"
    else:
        reading = "no better than guessing on patients that it was not chosen on"
    return Line(
        family=FAMILIES.get(found.family, found.family),
        attack=f"{found.attack}, {_of(found)}" + (", turned round" if found.inverted else ""),
        value=number(auc.value, "score"),
        interval=interval_of(auc),
        rests=count_of(auc),
        reading=reading,
    )


def _of(found: StrongestAttack) -> str:
    return f"the strongest of {len(found.tried)}" if len(found.tried) > 1 else "the only one"
