"""Statistics of an audit: ROC, proportions, permutations, corrections. Pure functions."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..types import FloatArray, Index, Names

POWER = 0.8
SIGNIFICANCE = 0.05


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided confidence interval."""

    low: float
    high: float


def proportion_interval(
    successes: int, n: int, confidence: float, method: Literal["exact", "wilson"] = "exact"
) -> Interval:
    """Clopper-Pearson ("exact") or Wilson interval of a proportion, from ``scipy.stats.binomtest``."""
    from scipy.stats import binomtest

    found = binomtest(successes, n).proportion_ci(confidence, method)
    return Interval(float(found.low), float(found.high))


def difference_interval(first: tuple[int, int], second: tuple[int, int], confidence: float) -> Interval:
    """Interval of p1 - p2 of two independent groups: Agresti and Caffo (The American Statistician 54, 2000).

    Wald's interval after one more success and one more failure in each group. Of 20 to 200 patients a side, 95%
    intervals cover 95-97%, but where three successes or fewer are expected on both (then up to 99.9%;
    docs/validation.md). Newcombe's hybrid of Wilson intervals covers 92.8% for 0.9 against 0.05 of 20.

    Args:
        first: successes and trials of p1.
        second: successes and trials of p2.
        confidence: e.g. 0.95.
    """
    from scipy.stats import norm

    p1, p2 = ((successes + 1) / (trials + 2) for successes, trials in (first, second))
    variance = p1 * (1 - p1) / (first[1] + 2) + p2 * (1 - p2) / (second[1] + 2)
    half = float(norm.ppf((1 + confidence) / 2)) * math.sqrt(variance)
    return Interval(max(-1.0, p1 - p2 - half), min(1.0, p1 - p2 + half))


def reduce_by_patient(score: FloatArray, patient: Names) -> tuple[Names, FloatArray]:
    """The largest score of each patient: ``(patients, scores)``, sorted by patient."""
    names, code = np.unique(patient, return_inverse=True)
    best = np.full(len(names), -np.inf)
    np.maximum.at(best, code, score)
    return names, best


def roc_auc(member: FloatArray, other: FloatArray) -> float:
    """P(member > other) + P(member = other) / 2, by ranks (Mann-Whitney)."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([member, other]))
    m, n = len(member), len(other)
    return float((ranks[:m].sum() - m * (m + 1) / 2) / (m * n))


def roc_curve(member: FloatArray, other: FloatArray) -> tuple[FloatArray, FloatArray]:
    """False and true positive rates at every distinct threshold, from (0, 0) to (1, 1)."""
    levels = np.unique(np.concatenate([member, other]))[::-1]
    m, n = np.sort(member), np.sort(other)
    tpr = 1 - np.searchsorted(m, levels, "left") / len(m)
    fpr = 1 - np.searchsorted(n, levels, "left") / len(n)
    return np.concatenate([[0.0], fpr]), np.concatenate([[0.0], tpr])


def tpr_at_fpr(member: FloatArray, other: FloatArray, fpr: float) -> tuple[int, float]:
    """Members above the lowest threshold whose empirical false positive rate does not exceed ``fpr``.

    Returns:
        The number of members at or above that threshold, and the threshold (``inf`` where none will do).
    """
    allowed = math.floor(fpr * len(other) + 1e-9)
    descending = np.sort(other)[::-1]
    if allowed >= len(other):
        return len(member), -math.inf
    # everything above the first non-member that may not be accused
    barrier = descending[allowed]
    return int((member > barrier).sum()), float(np.nextafter(barrier, math.inf))


def resolvable(fpr: float, n: int, confidence: float) -> bool:
    """Whether n non-members, none of them accused, would bound the false positive rate by ``fpr``."""
    return bool(1 - (1 - confidence) ** (1 / n) <= fpr)


def permutation_p_value(observed: float, null: FloatArray) -> float:
    """One-sided: how often the null reaches ``observed``, the observed arrangement counted in (never 0)."""
    return float((1 + (null >= observed - 1e-12).sum()) / (1 + len(null)))


def holm(p_values: FloatArray) -> FloatArray:
    """Holm's adjusted p-values, in the order given (Scandinavian Journal of Statistics 6, 1979).

    Rejecting where they are at most alpha accuses wrongly, among all the hypotheses together, with probability at
    most alpha, however the tests depend on one another.

    Args:
        p_values: ``(k,)`` in [0, 1]; k may be 0.
    """
    k = len(p_values)
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(k)
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * np.arange(k, 0, -1)), 1.0)
    return adjusted


def shuffle_within(strata: Names, rng: np.random.Generator) -> Index:
    """A random permutation that keeps each element in its stratum."""
    order = np.arange(len(strata))
    for stratum in np.unique(strata):
        places = np.flatnonzero(strata == stratum)
        order[places] = rng.permutation(places)
    return order
