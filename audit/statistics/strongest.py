"""The strongest of several attacks, without the luck of having tried several."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..types import FloatArray, Names
from .auc import auc_interval
from .stats import Interval, roc_auc

LEAST = 2
"""Patients a side: one chooses, one measures."""


@dataclass(frozen=True, eq=False, slots=True)
class Strongest:
    """What the strongest attack reaches on patients that had no part in choosing it.

    Attributes:
        name: of the attack.
        inverted: it recognises members by *low* scores.
        auc: on the other half of the patients, oriented as chosen; below 0.5 if the choice did not carry over.
        interval: of ``auc``.
        p_value: one-sided, against 0.5: whether what was chosen carries over.
        measured: ``(p,)`` the patients that ``auc`` rests on.
    """

    name: str
    inverted: bool
    auc: float
    interval: Interval
    p_value: float
    measured: NDArray[np.bool_]


def strongest(
    scores: Mapping[str, FloatArray],
    member: NDArray[np.bool_],
    strata: Names,
    rng: np.random.Generator,
    confidence: float,
) -> Strongest:
    """Choose attack and direction on one half of the patients, measure on the other.

    The largest of several AUCs of the same patients is too large, and its interval means nothing. Choosing on each
    half for the other and averaging would be as bad: where nothing leaks, both halves then often choose the same
    attack in the direction of its own luck, and of ten useless attacks 10% of 95% intervals miss 0.5.

    Args:
        scores: ``(p,)`` of each attack, one a patient.
        member: ``(p,)`` which patients are members.
        strata: ``(p,)`` e.g. centres: both halves have their share of each.
        rng: divides members and others into halves (the larger one measures).
        confidence: e.g. 0.95.

    Raises:
        ValueError: if there is no attack, or fewer than two members or two others.
    """
    from scipy.stats import mannwhitneyu

    if not scores or min(member.sum(), (~member).sum()) < LEAST:
        raise ValueError(f"{len(scores)} attacks, {member.sum()} members, {(~member).sum()} others; needs 1, 2 and 2")
    choosing = np.zeros(len(member), dtype=bool)
    for side in (member, ~member):
        order = rng.permutation(np.flatnonzero(side))
        choosing[order[np.argsort(strata[order], kind="stable")][1::2]] = True

    def sides(score: FloatArray, half: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
        return score[half & member], score[half & ~member]

    chosen = {name: roc_auc(*sides(score, choosing)) for name, score in scores.items()}
    name = max(chosen, key=lambda attack: abs(chosen[attack] - 0.5))
    inverted = chosen[name] < 0.5
    ours, theirs = sides(-scores[name] if inverted else scores[name], ~choosing)
    names = np.arange(len(ours) + len(theirs)).astype(str)  # nobody is on both sides
    owners = (names[: len(ours)], names[len(ours) :])
    interval = auc_interval(ours, theirs, owners, confidence)
    p_value = float(mannwhitneyu(ours, theirs, alternative="greater").pvalue)
    return Strongest(name, inverted, roc_auc(ours, theirs), interval, p_value, ~choosing)
