"""Who is better than whom, and how surely: differences of every pair of entrants, and the ranks that follow."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from ..record import Estimate
from ..statistics.differences import Difference, difference, leak
from ..statistics.stats import holm
from .model import Compared, PairDifference
from .rows import Row

MANY = 8
"""Entrants from which on only main figures are subtracted: pairs grow with the square of their number."""
ARM = "synthetic"
"""The group that says what a classifier or segmenter learns from released images alone."""


def differences_of(rows: Sequence[Row], entrants: int, confidence: float) -> tuple[Compared, ...]:
    """Every row, with the differences of all pairs; of many entrants those of the main figures."""
    if entrants <= MANY:
        return tuple(_with_differences(row, confidence) for row in rows)
    main = {id(compared) for compared in main_figures([row.compared for row in rows])}
    few = f"with more than {MANY} entrants only main figures are subtracted"
    return tuple(
        _with_differences(row, confidence)
        if id(row.compared) in main or row.compared.withheld
        else row.compared.model_copy(update={"withheld": few})
        for row in rows
    )


def main_figures(estimates: Sequence[Compared]) -> list[Compared]:
    """Of each attack and metric its first overall figure, by which it is judged."""
    found: dict[tuple[str, str], Compared] = {}
    for compared in estimates:
        if overall(compared):
            found.setdefault((compared.family, compared.plugin), compared)
    return list(found.values())


def _with_differences(row: Row, confidence: float) -> Compared:
    """The row with the differences of all pairs that have a number, corrected for their number, and with ranks.

    Holm's correction holds for the pairs of this one estimate: that no pair of it is called different by chance is
    kept with ``confidence``, whatever their number. Which of many *estimates* to look at is not corrected for.
    """
    compared = row.compared
    if compared.withheld:
        return compared
    ready = {i: _ready(own, compared) for i, own in row.measured.items()}
    pairs = list(combinations(ready, 2))
    found = [difference(list(zip(ready[a], ready[b], strict=True)), confidence) for a, b in pairs]
    if any(one is None for one in found):
        return compared.model_copy(update={"withheld": "no interval is stated"})
    known = [one for one in found if one is not None]
    adjusted = holm(np.array([one.p_value for one in known]))
    # A leak is worse the larger it is; of other values their own direction says.
    higher_is_worse = compared.of == "leak" or compared.worse == "higher"
    differences = tuple(
        _pair(pair, one, float(p), 1 - confidence, higher_is_worse=higher_is_worse)
        for pair, one, p in zip(pairs, known, adjusted, strict=True)
    )
    ranked = compared.model_copy(
        update={"differences": differences, "method": "; ".join(dict.fromkeys(one.method for one in known))}
    )
    return _with_ranks(ranked, list(ready))


def overall(compared: Compared) -> bool:
    """Whether it is an overall figure: of no space or centre, or the arm of released images alone."""
    return not compared.group or (compared.kind == "metric" and compared.group == ARM)


def _ready(estimates: Sequence[Estimate], compared: Compared) -> list[Estimate]:
    return [leak(e) for e in estimates] if compared.of == "leak" else list(estimates)


def _pair(
    pair: tuple[int, int], found: Difference, adjusted: float, alpha: float, *, higher_is_worse: bool
) -> PairDifference:
    first, second = pair
    shown = adjusted <= alpha and found.value != 0
    return PairDifference(
        first=first,
        second=second,
        value=found.value,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
        adjusted=adjusted,
        paired=found.paired,
        better=(second if (found.value > 0) == higher_is_worse else first) if shown else None,
    )


def _with_ranks(compared: Compared, measured: Sequence[int]) -> Compared:
    """1 + how many entrants are significantly better; no ranks where no difference is shown."""
    if not compared.shown:
        return compared
    beaten = dict.fromkeys(measured, 0)
    for one in compared.shown:
        beaten[one.first if one.better == one.second else one.second] += 1
    cells = tuple(
        cell.model_copy(update={"rank": 1 + beaten[i]}) if i in beaten else cell
        for i, cell in enumerate(compared.cells)
    )
    return compared.model_copy(update={"cells": cells})
