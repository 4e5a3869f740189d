"""Every estimate side by side: one row an estimate, one cell an entrant, over its seeds."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from ..comparable import differing_attack
from ..record import AuditRecord, Estimate, Finding
from ..statistics.differences import leak, over_seeds
from .model import Cell, CellStatus, Compared, ComparedPlugin

STRONGEST = "strongest attack"
REAL = "real"
"""The arm of a metric that learns from real images: what its other arms are held against, measured as they are."""
WORST: tuple[CellStatus, ...] = ("measured", "unmeasured", "absent", "skipped", "invalid", "error")

Kind = Literal["check", "attack", "metric"]
PluginKey = tuple[Kind, str, str]
"""Kind, family and name of a plugin."""
Key = tuple[Kind, str, str, str, str]
"""The plugin's, and name and group of an estimate."""


@dataclass(frozen=True, slots=True)
class Row:
    """One estimate of all entrants, and what its differences are to be computed from.

    Attributes:
        compared: the row without differences.
        measured: by position of the entrant, one estimate a seed; only those whose cell is ``measured`` and that may be
            held against the others.
    """

    compared: Compared
    measured: dict[int, tuple[Estimate, ...]]


@dataclass(frozen=True, slots=True)
class _Seen:
    """One audit, ready to be looked things up in."""

    record: AuditRecord
    findings: dict[PluginKey, Finding]
    estimates: dict[Key, Estimate]


def rows_of(entrants: Sequence[Sequence[AuditRecord]], confidence: float) -> tuple[list[ComparedPlugin], list[Row]]:
    """What became of each plugin, and every estimate.

    Args:
        entrants: of each, one audit a seed, the same seeds in the same order.
        confidence: of all intervals.
    """
    seen = [[_look(record) for record in records] for records in entrants]
    every = [one for own in seen for one in own]
    plugins: dict[PluginKey, Finding] = {}
    keys: dict[PluginKey, dict[Key, Estimate]] = {}
    for one in every:
        for plugin, finding in one.findings.items():
            plugins.setdefault(plugin, finding)
        for key, estimate in one.estimates.items():
            keys.setdefault(key[:3], {}).setdefault(key, estimate)
    rows = []
    for plugin, own in keys.items():
        apart = _apart(plugin, seen)
        arms = {key[3] for key in own if key[0] == "metric" and key[4] == REAL}
        rows += [_row(key, estimate, seen, apart, confidence, arm=key[3] in arms) for key, estimate in own.items()]
    return [_plugin(plugin, finding, seen) for plugin, finding in plugins.items()], rows


def _look(record: AuditRecord) -> _Seen:
    """Findings and estimates by key; estimates of what is not valid are none."""
    findings: dict[PluginKey, Finding] = {(f.kind, f.family, f.plugin): f for f in record.findings}
    estimates: dict[Key, Estimate] = {
        (*plugin, e.name, e.group): e for plugin, f in findings.items() if f.status == "ok" for e in f.estimates
    }
    for found in record.strongest:
        estimates["attack", found.family, STRONGEST, found.auc.name, ""] = found.auc.model_copy(
            update={"note": f"{found.attack}{', turned round' * found.inverted}; chosen from {len(found.tried)}"}
        )
    return _Seen(record, findings, estimates)


def _apart(plugin: PluginKey, seen: Sequence[Sequence[_Seen]]) -> dict[int, str]:
    """Entrants of which what this plugin measured must not be held against the others, and why."""
    if plugin[2] == STRONGEST:
        return _of_other_attacks(plugin[1], seen)
    why = _not_alike(plugin, [one for own in seen for one in own])
    return dict.fromkeys(range(len(seen)), why) if why else {}


def _not_alike(plugin: PluginKey, every: Sequence[_Seen]) -> str:
    kind, family, _ = plugin
    if kind == "check" and family == "validity":
        return "a check of the real images says nothing of a generator"
    having = [one for one in every if plugin in one.findings and one.findings[plugin].status == "ok"]
    reasons = (differing_attack(having[0].record, o.record, having[0].findings[plugin]) for o in having[1:])
    return next((reason for reason in reasons if reason), "")


def _of_other_attacks(family: str, seen: Sequence[Sequence[_Seen]]) -> dict[int, str]:
    """All but the largest group of entrants whose strongest was chosen, at each seed, from the same attacks.

    What a generator grants decides which attacks there are: one that gives images alone must not keep two others, that
    face the same attacks, from being compared.
    """
    tried = {
        i: tuple(tuple(f.tried for f in one.record.strongest if f.family == family) for one in own)
        for i, own in enumerate(seen)
    }
    groups = Counter(attacks for attacks in tried.values() if all(attacks))
    if not groups:
        return {}
    most = max(groups, key=lambda attacks: (groups[attacks], len(attacks[0][0])))
    if len(groups) > 1 and groups[most] < 2:
        return dict.fromkeys(tried, "the strongest was chosen from other attacks for some than for others")
    return {i: "its strongest was chosen from other attacks" for i, own in tried.items() if all(own) and own != most}


def _plugin(plugin: PluginKey, finding: Finding, seen: Sequence[Sequence[_Seen]]) -> ComparedPlugin:
    states = [_state(plugin, own) for own in seen]
    return ComparedPlugin(
        kind=finding.kind,
        family=finding.family,
        plugin=finding.plugin,
        summary=finding.summary,
        paper=finding.paper,
        statuses=tuple(status for status, _ in states),
        reasons=tuple(reason for _, reason in states),
    )


def _state(plugin: PluginKey, own: Sequence[_Seen]) -> tuple[CellStatus, str]:
    """The worst that became of a plugin over the seeds, and why."""
    states = [_of_finding(one.findings.get(plugin)) for one in own]
    status, reason = max(states, key=lambda state: WORST.index(state[0]))
    count = sum(state[0] == status for state in states)
    return status, reason if status == "measured" or count == len(
        states
    ) else f"{reason} ({count} of {len(states)} seeds)"


def _of_finding(finding: Finding | None) -> tuple[CellStatus, str]:
    if finding is None:
        return "absent", "was not asked for"
    return ("measured", "") if finding.status == "ok" else (finding.status, finding.reason)


def _row(
    key: Key,
    estimate: Estimate,
    seen: Sequence[Sequence[_Seen]],
    apart: Mapping[int, str],
    confidence: float,
    *,
    arm: bool,
) -> Row:
    kind, family, plugin, name, group = key
    found = [[one.estimates.get(key) for one in own] for own in seen]
    cells: list[Cell] = []
    measured: dict[int, tuple[Estimate, ...]] = {}
    for i, (own, estimates) in enumerate(zip(seen, found, strict=True)):
        gap = _gap(key, own, estimates)
        known = tuple(e for e in estimates if e is not None)
        cells.append(gap or _cell(known, confidence, apart.get(i, "")))
        if gap is None and i not in apart:
            measured[i] = known
    alone = next((cell.reason for cell in cells if cell.status == "measured" and cell.reason), "")
    compared = Compared(
        kind=kind,
        family=family,
        plugin=plugin,
        name=name,
        group=group,
        unit=estimate.unit,
        worse=estimate.worse,
        cells=tuple(cells),
        of=_subtracted(estimate, measured, arm=arm),
        withheld=(alone if len(measured) < 2 else "") or _not_subtracted(estimate, measured),
    )
    return Row(compared, measured)


def _gap(key: Key, own: Sequence[_Seen], estimates: Sequence[Estimate | None]) -> Cell | None:
    """What stands in place of a number, or None where every seed gave one."""
    if key[2] != STRONGEST:
        status, reason = _state(key[:3], own)
        if status != "measured":
            return Cell(status=status, reason=reason)
    missing = [e for e in estimates if e is None or e.value is None]
    if not missing:
        return None
    first = missing[0]
    if first is None:
        why = "no attack of this kind gave a result" if key[2] == STRONGEST else "it did not report this"
        return Cell(status="absent", reason=why)
    return Cell(status="unmeasured", reason=first.note or "no reason was given", n=first.n)


def _cell(estimates: tuple[Estimate, ...], confidence: float, apart: str) -> Cell:
    """The mean over seeds; where no interval is stated, without one; ``apart`` says why it stands alone, if it does."""
    first = estimates[0]
    mean = over_seeds(estimates, confidence)
    bad = None if first.worse == "none" or first.null is None else over_seeds([leak(e) for e in estimates], confidence)
    value = mean.value if mean else _mean(estimates, lambda e: e.value)
    notes = dict.fromkeys(e.note for e in estimates if e.note)
    return Cell(
        status="measured",
        reason=apart,
        value=value,
        low=mean.low if mean else None,
        high=mean.high if mean else None,
        null=_mean(estimates, lambda e: e.null),
        leak=bad.value if bad else None,
        leak_low=bad.low if bad else None,
        leak_high=bad.high if bad else None,
        detectable=_largest([e.detectable for e in estimates]),
        n=min(e.n for e in estimates),
        note=" / ".join(notes),
        method=mean.method if mean else first.method,
    )


def _mean(estimates: Sequence[Estimate], of: Callable[[Estimate], float | None]) -> float | None:
    values = [of(e) for e in estimates]
    known = [v for v in values if v is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _largest(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return max(known) if len(known) == len(values) else None


def _not_subtracted(estimate: Estimate, measured: dict[int, tuple[Estimate, ...]]) -> str:
    if estimate.worse == "none":
        return "neither direction is better"
    if len(measured) < 2:
        return "fewer than two have a number"
    if any(e.low is None or e.high is None for own in measured.values() for e in own):
        return "no interval is stated"
    return ""


def _subtracted(
    estimate: Estimate, measured: dict[int, tuple[Estimate, ...]], *, arm: bool
) -> Literal["value", "leak"]:
    """The distance from the null where both sides of it are bad, or where it is not the same for all entrants.

    Not of a metric's arms: they are held against the arm of real images, which is measured as surely or unsurely as
    they are. As a null it would count as known, and who trained on more patients would be asked for more.
    """
    if estimate.worse == "both":
        return "leak"
    if arm:
        return "value"
    for nulls in zip(*([e.null for e in own] for own in measured.values()), strict=True):
        known = {n for n in nulls if n is not None}
        if len(known) > 1 and None not in nulls and max(known) - min(known) > 1e-9 * max(map(abs, known)):
            return "leak"
    return "value"
