"""What can be said of a comparison in a few sentences: only differences that are shown, and what was not compared."""

from ...audit.comparison import PRIVACY, Compared, Comparison, PairDifference, privacy_of, utility_of
from .words import by_of, difference_of, family_of, listed, title_of_compared

FEW = 4
"""Entrants of which every pair is named."""
CLAUSES = 3
"""What the one sentence says at most of leakage, and of utility."""
BY = {
    "membership": "membership",
    "memorization": "copies of patients",
    "reidentification": "linkage to patients",
    "attribute": "attributes of patients",
}


def headline_of(comparison: Comparison) -> str:
    """In one sentence: who leaks more by what, whether utility differs, and which kinds of leak are left open.

    A kind that only some entrants could be compared in is not among these: ``missing_of`` names who was left out.
    """
    parts = []
    for estimates, what in ((privacy_of(comparison), "leakage"), (utility_of(comparison), "utility")):
        shown = [e for e in estimates if e.shown]
        if shown:
            parts += _brief(comparison, shown)
        elif any(e.differences for e in estimates):
            parts.append(f"no difference in {what} is shown")
        else:
            parts.append(f"{what} could not be compared")
    compared = {e.family for e in privacy_of(comparison) if e.differences}
    if open_still := [BY[family] for family in PRIVACY if family not in compared] if compared else []:
        parts.append(f"not compared: {listed(open_still)}")
    if len(comparison.seeds) == 1:
        parts.append("one training of each, others may differ")
    sentence = "; ".join(parts)
    ours = sentence.startswith(("no difference in", "leakage could", "by "))
    return f"{sentence[0].upper()}{sentence[1:]}." if ours else f"{sentence}."


def details_of(comparison: Comparison) -> tuple[str, ...]:
    """A sentence for each leading figure with a difference, one for those without, one for what was not compared."""
    privacy, utility = privacy_of(comparison), utility_of(comparison)
    every = (*privacy, *utility)
    lines = [f"{_named(e)}: {_pairs(comparison, e)}." for e in every if e.shown]
    alike = [_named(e) for e in every if e.differences and not e.shown]
    if alike:
        lines.append(f"No difference is shown in {listed(alike, len(alike))}. That does not show that there is none.")
    gaps = [f"{_named(e)} ({_why(e)})" for e in every if not e.differences]
    tested = {e.family for e in privacy}
    gaps += [f"{family_of(family).lower()} (not tested)" for family in PRIVACY if family not in tested]
    gaps += [] if utility else ["utility (not measured)"]
    if gaps:
        lines.append(f"Not compared: {'; '.join(gaps)}.")
    return tuple(lines)


def missing_of(comparison: Comparison) -> tuple[str, ...]:
    """Leading figures that some entrants have no number for, or one that stands alone: no rank, and not better."""
    lines = []
    for compared in (*privacy_of(comparison), *utility_of(comparison)):
        if not compared.differences:
            continue
        gaps: dict[tuple[str, str], list[str]] = {}
        for entrant, cell in zip(comparison.entrants, compared.cells, strict=True):
            if cell.status != "measured":
                gaps.setdefault(("measured", f"{cell.status}: {cell.reason}"), []).append(entrant.label)
            elif cell.reason:
                gaps.setdefault(("compared", cell.reason), []).append(entrant.label)
        lines += [f"{_named(compared)} was not {what} for {listed(who)} ({why})." for (what, why), who in gaps.items()]
    return tuple(lines)


def worse_first(found: PairDifference) -> PairDifference:
    """The same difference with the entrant that is worse as the first."""
    if found.better != found.first:
        return found
    turned = {
        "first": found.second,
        "second": found.first,
        "value": -found.value,
        "low": -found.high,
        "high": -found.low,
    }
    return found.model_copy(update=turned)


def _brief(comparison: Comparison, shown: list[Compared]) -> list[str]:
    """``ldm leaks more than dfgm by membership: +0.480 [+0.31, +0.65]``; what is true of several figures said once."""
    labels = [entrant.label for entrant in comparison.entrants]
    if len(labels) > FEW:
        return [f"by {_by(e)} {len(e.shown)} of {len(e.differences)} pairs differ{_ends(e, labels)}" for e in shown]
    worse = "leaks more than" if shown[0].kind == "attack" else "is less useful than"
    by: dict[tuple[int, tuple[int, ...]], list[Compared]] = {}
    for compared in shown:
        for loser, lost in _lost(compared).items():
            by.setdefault((loser, tuple(d.second for d in lost)), []).append(compared)
    parts = []
    for (loser, winners), some in sorted(by.items(), key=lambda item: -len(item[0][1]) * len(item[1]))[:CLAUSES]:
        alone = len(some) == len(winners) == 1
        number = f": {difference_of(some[0], _lost(some[0])[loser][0])}" if alone else ""
        who = listed([labels[i] for i in winners])
        parts.append(f"{labels[loser]} {worse} {who} by {listed([_by(e) for e in some], len(some))}{number}")
    rest = len(by) - len(parts)
    return [*parts, f"and {rest} more, below"] if rest else parts


def _lost(compared: Compared) -> dict[int, list[PairDifference]]:
    """The differences that each entrant comes off worse in, with that entrant first."""
    lost: dict[int, list[PairDifference]] = {}
    for found in map(worse_first, compared.shown):
        lost.setdefault(found.first, []).append(found)
    return lost


def _by(compared: Compared) -> str:
    return (
        BY.get(compared.family, title_of_compared(compared))
        if compared.kind == "attack"
        else title_of_compared(compared)
    )


def _pairs(comparison: Comparison, compared: Compared) -> str:
    """Every pair that differs, with its interval; of many entrants only how many, and who is best and worst."""
    labels = [entrant.label for entrant in comparison.entrants]
    if len(labels) > FEW:
        return f"{len(compared.shown)} of {len(compared.differences)} pairs differ{_ends(compared, labels)}"
    parts = []
    for loser, lost in _lost(compared).items():
        who = listed([f"{labels[d.second]} ({difference_of(compared, d)})" for d in lost])
        parts.append(f"{labels[loser]} is worse than {who}")
    return "; ".join(parts)


def _ends(compared: Compared, labels: list[str]) -> str:
    """Who is best and who is worst, by rank."""
    ranks = [cell.rank for cell in compared.cells if cell.rank is not None]
    best = [label for label, cell in zip(labels, compared.cells, strict=True) if cell.rank == min(ranks)]
    worst = [label for label, cell in zip(labels, compared.cells, strict=True) if cell.rank == max(ranks)]
    return f" (best: {listed(best)}; worst: {listed(worst)})"


def _named(compared: Compared) -> str:
    family = f"{family_of(compared.family)}, " if compared.kind == "attack" else ""
    return f"{family}{title_of_compared(compared)} ({by_of(compared)})"


def _why(compared: Compared) -> str:
    reasons = dict.fromkeys(cell.reason for cell in compared.cells if cell.status != "measured" and cell.reason)
    if compared.withheld.startswith("fewer") and reasons:
        return next(iter(reasons))
    return compared.withheld
