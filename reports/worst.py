"""Who is worst off: how many patients are exposed how strongly, and in which centre or class. Counts, never names."""

import math
import re
from dataclasses import dataclass

from ..audit.record import AuditRecord, Estimate, Finding, Plot
from .criteria import counted
from .fairness import voided
from .figures import COPIES, RELEASE, Figure, bars_of, figures_of
from .measures import group_of
from .wording import MINUS, number, share, unmeasured

FEWEST = 5
FEW = "too few to show"
NOT_MEASURED = "Whether one centre or group of patients is worse off than others was not measured in this audit."
_COUNTS = re.compile(r"^(\d+) of (\d+) member patients, (\d+) of (\d+) holdout patients")
_AT_LEAST = re.compile(r"^(?:at least|by) (\d+)\b")
_SUBGROUPS = ("center ", "label ")
_EXPOSED = {
    "exposed_patients": ("at least {k} look-alike in the release", "at least {k} look-alikes in the release"),
    "linked_patients": ("matched by at least {k} released image", "matched by at least {k} released images"),
}


@dataclass(frozen=True, slots=True)
class Exposed:
    """How many patients are exposed in one way.

    Attributes:
        how: in words.
        attack: which found it.
        members: ``3 of 64``; "" where the record does not count them.
        control: the same of holdout patients.
        beyond: training patients beyond the control, with its interval: ``0 (5 fewer to 5 more)``.
        leak: whether the whole interval lies beyond the control.
    """

    how: str
    attack: str
    members: str
    control: str
    beyond: str
    leak: bool = False


@dataclass(frozen=True, slots=True)
class Worst:
    """The section.

    Attributes:
        sentences: the answer in plain words, most important first.
        rows: by how strongly, strongest last.
        groups: the same by centre and class.
        bars: groups as bars with intervals.
        curves: how many patients have how many copies, and are exposed by how many images.
        missing: why there is no number, where there is none.
    """

    sentences: tuple[str, ...]
    rows: tuple[Exposed, ...]
    groups: tuple[Exposed, ...]
    bars: tuple[Figure, ...]
    curves: tuple[Figure, ...]
    missing: tuple[str, ...]


def worst_of(record: AuditRecord) -> Worst:
    """Who is worst off, as far as valid findings say."""
    valid = [f for f in record.findings if f.kind == "attack" and f.status == "ok"]
    counted = [(f, e) for f in valid for e in f.estimates if e.name in _EXPOSED]
    groups = [(f, e) for f, e in counted if e.group.startswith(_SUBGROUPS)]
    levels = [(f, e) for f, e in counted if not e.group or _AT_LEAST.match(e.group)]
    shown = [(f, e) for f, e in groups if not _few(e)]
    bars = [
        bar
        for i, f in enumerate(valid)
        for bar in bars_of(f.model_copy(update={"estimates": tuple(e for g, e in shown if g is f)}), f"worst-{i}")
    ]
    curves = [figure for i, f in enumerate(valid) for figure in figures_of(_only_the_tail(f), f"tail-{i}")]
    rows = [*(_exposed(f, e) for f, e in levels if e.value is not None), *_recognised(valid)]
    gaps = {f"{f.plugin}: {unmeasured(e)}. {e.note}".strip(): None for f, e in levels if e.value is None}
    void = [f.plugin for f in record.findings if voided(f)]
    if void:
        gaps[f"Not valid, for the comparison was not fair: {', '.join(void)}."] = None
    return Worst(
        sentences=(*_sentences(valid, rows), *(() if groups else (NOT_MEASURED,))),
        rows=tuple(rows),
        groups=tuple(_of_group(f, e) for f, e in groups),
        bars=tuple(bars),
        curves=tuple(curves),
        missing=tuple(gaps),
    )


def in_worst(plot: Plot) -> bool:
    """Whether a plot is drawn here, and not once more with its attack."""
    return plot.kind == "curve" and plot.name in {COPIES, RELEASE}


def _only_the_tail(finding: Finding) -> Finding:
    return finding.model_copy(update={"plots": tuple(p for p in finding.plots if in_worst(p))})


def _few(estimate: Estimate) -> bool:
    return estimate.value is None or estimate.n < FEWEST


def _exposed(finding: Finding, estimate: Estimate) -> Exposed:
    one, several = _EXPOSED[estimate.name]
    least = _AT_LEAST.match(estimate.group)
    k = int(least[1]) if least else 1
    members, control = _counts(estimate)
    how = (one if k == 1 else several).format(k=k)
    leak = estimate.low is not None and estimate.low > 0
    return Exposed(how, finding.plugin, members, control, _beyond(estimate), leak)


def _counts(estimate: Estimate) -> tuple[str, str]:
    found = _COUNTS.match(estimate.note)
    return (f"{found[1]} of {found[2]}", f"{found[3]} of {found[4]}") if found else ("", "")


def _beyond(estimate: Estimate) -> str:
    """The excess as patients, its interval rounded away from the middle."""
    if estimate.value is None:
        return unmeasured(estimate)
    found = number(round(estimate.value * estimate.n, 1)).removesuffix(".0")
    if estimate.low is None or estimate.high is None:
        return found
    low, high = math.floor(estimate.low * estimate.n), math.ceil(estimate.high * estimate.n)
    return f"{found} ({_signed(low)} to {_signed(high)})"


def _signed(count: int) -> str:
    return f"{MINUS if count < 0 else ''}{abs(count):,}"


def _recognised(valid: list[Finding]) -> list[Exposed]:
    """By the attack that recognises most: how many at each false-alarm rate that could be measured."""
    best: dict[str, tuple[float, Finding, Estimate]] = {}
    asked = sum(f.family == "membership" for f in valid)
    luck = f" (by the one of {asked} attacks that recognises most, which is partly luck)" if asked > 1 else ""
    for finding in valid:
        for e in finding.estimates:
            if e.name.startswith("tpr@fpr=") and not e.group and e.value is not None and e.unit == "patient":
                known = best.get(e.name)
                if known is None or e.value > known[0]:
                    best[e.name] = (e.value, finding, e)
    rows = []
    for name, (value, finding, e) in best.items():
        rate = float(name.partition("=")[2])
        beyond = number(round((value - rate) * e.n, 1)).removesuffix(".0")
        if e.low is not None and e.high is not None:
            low, high = math.floor((e.low - rate) * e.n), math.ceil((e.high - rate) * e.n)
            beyond += f" ({_signed(low)} to {_signed(high)})"
        rows.append(
            Exposed(
                how=f"recognised while at most {share(rate)} of others are wrongly accused{luck}",
                attack=finding.plugin,
                members=f"{round(value * e.n)} of {e.n}",
                control=f"{share(rate)} by guessing: {rate * e.n:.3g} of {e.n}",
                beyond=beyond,
                leak=asked == 1 and e.low is not None and e.low > rate,
            )
        )
    return rows


def _of_group(finding: Finding, estimate: Estimate) -> Exposed:
    how = group_of(estimate.group) if estimate.group.startswith("center ") else f"class {estimate.group[6:]}"
    if _few(estimate):
        few = FEW if estimate.n < FEWEST or FEW in estimate.note else estimate.note or unmeasured(estimate)
        return Exposed(how, finding.plugin, few, "", "")
    members, control = _counts(estimate)
    return Exposed(how, finding.plugin, members, control, _beyond(estimate), (estimate.low or 0.0) > 0)


def _sentences(valid: list[Finding], rows: list[Exposed]) -> tuple[str, ...]:
    """How many, how strongly, and how large a part of the release exposes nobody."""
    if not rows:
        return ("How many patients are exposed could not be measured. That is not a pass.",)
    leaks = [row for row in rows if row.leak]
    said = [
        f"{row.members} training patients: {row.how} ({row.attack}); of those the generator never met, {row.control}."
        for row in leaks
        if row.members
    ]
    if not leaks:
        said.append(
            "In no way that was tested are more training patients shown to be exposed than chance gives; the intervals "
            "below say how many there may be all the same."
        )
    for finding in valid:
        most = finding.estimate("most_copies")
        if most and most.value is not None and most.note:
            said.append(f"The training patient who is worst off: {most.note}.")
        release = finding.estimate("release_size")
        if release:
            size = "cannot be said" if release.value is None else counted(int(release.value), "image")
            note = f" ({release.note})" if release.note else ""
            said.append(
                "Largest part of this release of which it can be said that it exposes fewer than one patient beyond "
                f"chance: {size}{note}. That is no leave to publish it: the verdict counts."
            )
    return tuple(line if line.endswith(".") else f"{line}." for line in said)
