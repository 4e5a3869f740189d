"""Statistics of an audit: ROC, intervals that resample patients, exact proportions, corrections. Pure functions."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .types import FloatArray, Index, Names

RESAMPLES = 2000
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
    """Interval of p1 - p2 by Newcombe's hybrid of two Wilson intervals (Statistics in Medicine 17, 1998, method 10).

    It treats the two proportions as independent; where they are positively correlated (one sample against two
    galleries) it is wider than need be.

    Args:
        first: successes and trials of p1.
        second: successes and trials of p2.
        confidence: e.g. 0.95.
    """
    p1, p2 = first[0] / first[1], second[0] / second[1]
    a, b = proportion_interval(*first, confidence, "wilson"), proportion_interval(*second, confidence, "wilson")
    low = p1 - p2 - math.hypot(p1 - a.low, b.high - p2)
    high = p1 - p2 + math.hypot(a.high - p1, p2 - b.low)
    return Interval(max(-1.0, low), min(1.0, high))


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


def multiplicities(patient: Names, rng: np.random.Generator, resamples: int) -> Iterator[NDArray[np.int64]]:
    """For each resample of patients with replacement, how often each image is drawn: ``(n_images,)``."""
    names, code = np.unique(patient, return_inverse=True)
    even = np.full(len(names), 1 / len(names))
    for _ in range(resamples):
        yield rng.multinomial(len(names), even)[code]


def bootstrap(
    statistic: Callable[..., float],
    patients: tuple[Names, ...],
    rng: np.random.Generator,
    confidence: float,
    resamples: int = RESAMPLES,
) -> Interval:
    """Percentile interval of ``statistic`` under resampling of patients, all images of a patient together.

    Args:
        statistic: takes one array of multiplicities ``(n_i,)`` for each entry of ``patients``; may return nan for a
            resample it is not defined on.
        patients: the patient of each image, one array for each independent group (members, holdout).
        rng: where the resamples come from.
        confidence: e.g. 0.95.
        resamples: how many.

    Returns:
        The interval; (nan, nan) where the statistic is never defined.
    """
    draws = zip(*(multiplicities(p, rng, resamples) for p in patients), strict=True)
    values = np.array([statistic(*draw) for draw in draws])
    values = values[np.isfinite(values)]
    if not len(values):
        return Interval(math.nan, math.nan)
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def auc_interval(
    member: FloatArray,
    other: FloatArray,
    patients: tuple[Names, Names],
    rng: np.random.Generator,
    confidence: float,
    resamples: int = RESAMPLES,
) -> Interval:
    """Interval of the ROC AUC that resamples patients of both groups.

    Where every resample gives the same value (complete separation) the resampling says nothing; the interval is then
    Newcombe's score interval (Statistics in Medicine 25, 2006, method 5) with patients as the sample size.
    """
    order = np.argsort(np.concatenate([member, other]), kind="stable")
    values = np.concatenate([member, other])[order]
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    is_member = order < len(member)

    def weighted(w_member: NDArray[np.int64], w_other: NDArray[np.int64]) -> float:
        weight = np.concatenate([w_member, w_other])[order].astype(np.float64)
        ours = np.add.reduceat(np.where(is_member, weight, 0.0), starts)
        theirs = np.add.reduceat(np.where(is_member, 0.0, weight), starts)
        below = np.cumsum(theirs) - theirs
        return float((ours * (below + theirs / 2)).sum() / (ours.sum() * theirs.sum()))

    found = bootstrap(weighted, patients, rng, confidence, resamples)
    if found.high - found.low > 0:
        return found
    return _auc_score_interval(
        roc_auc(member, other), len(np.unique(patients[0])), len(np.unique(patients[1])), confidence
    )


def _auc_score_interval(auc: float, m: int, n: int, confidence: float) -> Interval:
    from scipy.optimize import brentq
    from scipy.stats import norm

    z = norm.ppf((1 + confidence) / 2)
    mean = (m + n) / 2

    def gap(theta: float) -> float:
        spread = theta * (1 - theta) * (2 * mean - 1 - (3 * mean - 3) / ((2 - theta) * (1 + theta))) / (m * n)
        return float(abs(auc - theta) - z * math.sqrt(max(spread, 0.0)))

    tiny = 1e-12
    low = 0.0 if auc <= tiny else brentq(gap, tiny, auc - tiny) if gap(tiny) > 0 else 0.0
    high = 1.0 if auc >= 1 - tiny else brentq(gap, auc + tiny, 1 - tiny) if gap(1 - tiny) > 0 else 1.0
    return Interval(float(low), float(high))


def auc_detectable(m: int, n: int) -> float:
    """The AUC above 0.5 that a two-sided Mann-Whitney test at 5% finds with 80% power (normal approximation)."""
    from scipy.optimize import brentq
    from scipy.stats import norm

    null = math.sqrt((m + n + 1) / (12 * m * n))
    reach = norm.ppf(1 - SIGNIFICANCE / 2) * null

    def missing(auc: float) -> float:
        q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
        variance = auc * (1 - auc) + (m - 1) * (q1 - auc * auc) + (n - 1) * (q2 - auc * auc)
        return float(auc - 0.5 - reach - norm.ppf(POWER) * math.sqrt(variance / (m * n)))

    return float(brentq(missing, 0.5, 1.0)) if missing(1.0) > 0 else 1.0


def share_detectable(control_only: int, floor: float, n: int, null: FloatArray, p_value: float) -> float:
    """The smallest share found with 80% power at 5% false alarms, if every copy is recognised.

    Without a leak, images that match one side only fall on either side alike, so that the excess has the variance
    2 c / n^2 for c images that match the control only. The permuted null replaces that where it is wider (clustered
    images), unless a leak was found: then the permuted null contains the leak.

    Args:
        control_only: images that match the control and no member.
        floor: the false match rate that the threshold was set for: c is at least ``floor * n``.
        n: number of released images.
        null: the share under permuted membership.
        p_value: of the observed share.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    spread = math.sqrt(2 * max(control_only, floor * n)) / n
    if p_value > SIGNIFICANCE:
        spread = max(spread, float(null.std()))
    critical = norm.ppf(1 - SIGNIFICANCE) * spread

    def missing(share: float) -> float:
        return float(share - critical - norm.ppf(POWER) * math.sqrt(share * (1 - share) / n + spread**2))

    return float(brentq(missing, 0.0, 1.0)) if missing(0.0) < 0 < missing(1.0) else 1.0


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


def chance_map_at_r(gallery: int, relevant: int) -> float:
    """Expected mAP@R of a random ranking: ``relevant`` = R matches among ``gallery`` = N images.

    E = (1/R) sum_{i=1..R} (1/i) (R/N) (1 + (i-1)(R-1)/(N-1)), exact by linearity of expectation.
    """
    if gallery <= 1:
        return 1.0
    i = np.arange(1, relevant + 1)
    terms = (relevant / gallery) * (1 + (i - 1) * (relevant - 1) / (gallery - 1)) / i
    return float(terms.sum() / relevant)


def average_precision_at_r(relevant: NDArray[np.bool_]) -> float:
    """(1/R) sum over the first R ranks of precision at i times relevance at i (Musgrave et al. 2020, arXiv 2003.08505).

    Args:
        relevant: ``(R,)`` whether each of the R nearest gallery images matches.
    """
    hits = np.cumsum(relevant)
    return float((hits / np.arange(1, len(relevant) + 1) * relevant).sum() / len(relevant))


def shuffle_within(strata: Names, rng: np.random.Generator) -> Index:
    """A random permutation that keeps each element in its stratum."""
    order = np.arange(len(strata))
    for stratum in np.unique(strata):
        places = np.flatnonzero(strata == stratum)
        order[places] = rng.permutation(places)
    return order
