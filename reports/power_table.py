"""The power certificate as a table: the smallest leak of each kind that each attack would have found."""

from dataclasses import dataclass

from ..audit.record import AuditRecord, Estimate, Finding
from .fairness import voided
from .power import KINDS, Kind, kind_of, planted_in


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of planted leak.

    Attributes:
        kind: in plain words.
        group: its name in the record.
        cells: for each attack what was measured, None where this kind was not planted for it.
    """

    kind: Kind
    group: str
    cells: tuple[Estimate | None, ...]


@dataclass(frozen=True, slots=True)
class PowerTable:
    """Kinds by attacks.

    Attributes:
        attacks: the attacks that gave a result, and those that a failed check made invalid.
        rows: the kinds that were planted for any of them.
        methods: how the numbers were computed, each way once.
    """

    attacks: tuple[Finding, ...]
    rows: tuple[Row, ...]
    methods: tuple[str, ...]


def power_table_of(record: AuditRecord) -> PowerTable:
    """All kinds and all attacks; no rows where no leak was planted."""
    attacks = tuple(f for f in record.findings if f.kind == "attack" and (f.status == "ok" or voided(f)))
    planted = [e for f in attacks for e in planted_in(f)]
    there = {e.group for e in planted}
    groups = [*(k for k in KINDS if k in there), *dict.fromkeys(e.group for e in planted if e.group not in KINDS)]
    rows = tuple(
        Row(kind_of(group), group, tuple(next((e for e in planted_in(f) if e.group == group), None) for f in attacks))
        for group in groups
    )
    return PowerTable(attacks, rows, tuple(dict.fromkeys(e.method for e in planted if e.method)))
