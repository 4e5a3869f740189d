"""What a generator states of itself, ready to be shown: its claim, what crossed borders, its notes."""

from dataclasses import dataclass

from ..audit.record import AuditRecord, Declaration
from .claim import CLAIM, audited_rows_of, cautions_of, meaning_of, privacy_rows_of, trained_on
from .crossings import RECORDED, Border, borders_of, crossed_of


@dataclass(frozen=True, slots=True)
class Stated:
    """A declaration in words; empty where the generator states nothing of the kind.

    Attributes:
        meaning: what its epsilon means for a patient.
        claim: that it is a claim.
        cautions: what keeps the claim from meaning as much as it seems to.
        privacy: the claim's figures, as title and words, and what canaries showed of it.
        crossed: what crossed the borders, in a sentence.
        recorded: who says so.
        borders: the same centre by centre.
        notes: as declared.
    """

    meaning: str = ""
    claim: str = ""
    cautions: tuple[str, ...] = ()
    privacy: tuple[tuple[str, str], ...] = ()
    crossed: str = ""
    recorded: str = ""
    borders: tuple[Border, ...] = ()
    notes: tuple[str, ...] = ()


def stated_of(record: AuditRecord) -> Stated | None:
    """What the record's generator states of itself; None where it states nothing."""
    declared = record.declaration
    if declared == Declaration():
        return None
    privacy, crossings = declared.privacy, declared.crossings
    return Stated(
        meaning=meaning_of(privacy) if privacy else "",
        claim=f"{CLAIM} No epsilon is right for every use (NIST SP 800-226)." if privacy else "",
        cautions=cautions_of(privacy, trained_on(record)) if privacy else (),
        privacy=(*privacy_rows_of(privacy), *audited_rows_of(record)) if privacy else (),
        crossed=crossed_of(crossings) if crossings else "",
        recorded=RECORDED if crossings else "",
        borders=borders_of(crossings),
        notes=declared.notes,
    )
