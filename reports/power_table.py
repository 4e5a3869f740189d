"""The power certificate as a table: the smallest leak of each kind that each attack would have found."""

from dataclasses import dataclass

from ..audit.record import AuditRecord, Estimate, Finding
from .criteria import QUESTIONS
from .fairness import voided
from .power import KINDS, Kind, kind_of, planted_in

NAMES = {q.family: f"{q.title} of {q.part}" if q.part else q.title for q in QUESTIONS}


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
class Seen:
    """What a family sees of one kind.

    Attributes:
        estimate: of the attack that notices the smallest share.
        attack: which that is; "" where none notices it.
    """

    estimate: Estimate
    attack: str


@dataclass(frozen=True, slots=True)
class PowerTable:
    """Kinds by attacks, and kinds by families of attacks.

    Attributes:
        attacks: the attacks that gave a result, and those that a failed check made invalid.
        rows: the kinds that were planted for any of them.
        methods: how the numbers were computed, each way once.
        families: those of attacks for which leaks were planted.
        best: for each row what each family sees of it; None where it was not planted for any of its attacks.
        only: for each family its attack where it has one alone; else "".
    """

    attacks: tuple[Finding, ...]
    rows: tuple[Row, ...]
    methods: tuple[str, ...]
    families: tuple[str, ...] = ()
    best: tuple[tuple[Seen | None, ...], ...] = ()
    only: tuple[str, ...] = ()


def power_table_of(record: AuditRecord) -> PowerTable:
    """All kinds and all attacks for which leaks were planted; no rows where none were."""
    attacks = tuple(f for f in record.findings if f.kind == "attack" and (f.status == "ok" or voided(f)))
    planted = [e for f in attacks for e in planted_in(f)]
    found = dict.fromkeys(e.group for e in planted)
    groups = [*(k for k in KINDS if k in found), *(k for k in found if k not in KINDS)]
    rows = tuple(Row(kind_of(group), group, tuple(_cell(f, group) for f in attacks)) for group in groups)
    there = {f.family for f in attacks if planted_in(f)}
    families = (*(family for family in NAMES if family in there), *sorted(there - NAMES.keys()))
    best = tuple(
        tuple(_seen([f for f in attacks if f.family == family], group) for family in families) for group in groups
    )
    tried = [[f.plugin for f in attacks if f.family == family and planted_in(f)] for family in families]
    only = tuple(names[0] if len(names) == 1 else "" for names in tried)
    return PowerTable(attacks, rows, tuple(dict.fromkeys(e.method for e in planted if e.method)), families, best, only)


def _cell(finding: Finding, group: str) -> Estimate | None:
    return next((e for e in planted_in(finding) if e.group == group), None)


def _seen(attacks: list[Finding], group: str) -> Seen | None:
    found = [(e, f.plugin) for f in attacks if (e := _cell(f, group))]
    noticed = [(e.value, e, name) for e, name in found if e.value is not None]
    if noticed:
        _, estimate, name = min(noticed, key=lambda one: one[0])
        return Seen(estimate, name)
    return Seen(found[0][0], "") if found else None
