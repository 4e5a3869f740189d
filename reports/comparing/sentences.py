"""What can be said of a comparison in a few sentences: only differences that are shown, and what was not compared."""

from ...audit.comparison import Compared, Comparison, PairDifference
from .leads import PRIVACY, privacy_of, utility_of
from .words import adjusted_of, by_of, difference_of, family_of, listed, title_of_compared

FEW = 4
"""Entrants of which every pair is named."""
BY = {
    "membership": "membership",
    "memorization": "copies of patients",
    "reidentification": "linkage to patients",
    "attribute": "attributes of patients",
}


def headline_of(comparison: Comparison) -> str:
    """In one sentence: who leaks more by what, and whether utility differs."""
    parts = []
    for estimates, what in ((privacy_of(comparison), "leakage"), (utility_of(comparison), "utility")):
        shown = [_brief(comparison, e) for e in estimates if e.shown]
        if shown:
            parts += shown
        elif any(e.differences for e in estimates):
            parts.append(f"no difference in {what} is shown")
        else:
            parts.append(f"{what} could not be compared")
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}." if sentence.startswith(("no ", "leakage ")) else f"{sentence}."


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
    """Leading figures that some entrants have no number for: these are not ranked there, and not better for it."""
    lines = []
    for compared in (*privacy_of(comparison), *utility_of(comparison)):
        if not compared.differences:
            continue
        gaps: dict[str, list[str]] = {}
        for entrant, cell in zip(comparison.entrants, compared.cells, strict=True):
            if cell.status != "measured":
                gaps.setdefault(f"{cell.status}: {cell.reason}", []).append(entrant.label)
        lines += [f"{_named(compared)} was not measured of {listed(who)} ({why})." for why, who in gaps.items()]
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


def _brief(comparison: Comparison, compared: Compared) -> str:
    """``ldm leaks more than dfgm by membership: +0.480 [+0.31, +0.65]``."""
    labels = [entrant.label for entrant in comparison.entrants]
    by = BY.get(compared.family, title_of_compared(compared)) if compared.kind == "attack" else _utility(compared)
    if len(labels) > FEW:
        return f"by {by} {len(compared.shown)} of {len(compared.differences)} pairs differ{_ends(compared, labels)}"
    worse = "leaks more than" if compared.kind == "attack" else "is less useful than"
    parts = []
    for loser in dict.fromkeys(worse_first(d).first for d in compared.shown):
        lost = [worse_first(d) for d in compared.shown if worse_first(d).first == loser]
        by_how_much = difference_of(compared, lost[0]) if len(lost) == 1 else ""
        words = f"{labels[loser]} {worse} {listed([labels[d.second] for d in lost])} by {by}"
        parts.append(f"{words}: {by_how_much}" if by_how_much else words)
    return "; ".join(parts)


def _pairs(comparison: Comparison, compared: Compared) -> str:
    """Every pair that differs, with interval and p; of many only how many, and who is least and most."""
    labels = [entrant.label for entrant in comparison.entrants]
    if len(labels) > FEW:
        return f"{len(compared.shown)} of {len(compared.differences)} pairs differ{_ends(compared, labels)}"
    turned = [worse_first(d) for d in compared.shown]
    worse = "worse than"
    return "; ".join(
        f"{labels[d.first]} is {worse} {labels[d.second]} by {difference_of(compared, d)}, {adjusted_of(d)}"
        for d in turned
    )


def _ends(compared: Compared, labels: list[str]) -> str:
    """Who is best and who is worst, by rank."""
    ranks = [cell.rank for cell in compared.cells if cell.rank is not None]
    best = [label for label, cell in zip(labels, compared.cells, strict=True) if cell.rank == min(ranks)]
    worst = [label for label, cell in zip(labels, compared.cells, strict=True) if cell.rank == max(ranks)]
    return f" (best: {listed(best)}; worst: {listed(worst)})"


def _named(compared: Compared) -> str:
    family = f"{family_of(compared.family)}, " if compared.kind == "attack" else ""
    return f"{family}{title_of_compared(compared)} ({by_of(compared)})"


def _utility(compared: Compared) -> str:
    return title_of_compared(compared)


def _why(compared: Compared) -> str:
    reasons = dict.fromkeys(cell.reason for cell in compared.cells if cell.status != "measured" and cell.reason)
    if compared.withheld.startswith("fewer") and reasons:
        return next(iter(reasons))
    return compared.withheld
