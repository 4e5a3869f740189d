"""How sure a ROC AUC is, with patients as the unit, and how small a one would have been found."""

import math

import numpy as np
from numpy.typing import NDArray

from ..types import FloatArray, Names
from .blocks import Kept, left_out
from .resampling import resampled_auc
from .stats import POWER, SIGNIFICANCE, Interval, roc_auc


def auc_interval(member: FloatArray, other: FloatArray, patients: tuple[Names, Names], confidence: float) -> Interval:
    """Interval of the ROC AUC: Obuchowski's variance by patient, on the logit scale, with Student's t.

    The variance sums each patient's images before squaring (Obuchowski, Biometrics 53, 1997; with one image a patient
    it is DeLong's); a patient may be on both sides. On the logit scale the interval stays in [0, 1] and is centred
    better; t has Welch's degrees of freedom over the two sides' patients. At 20 to 200 patients a side, one image each
    or 1 to 8, and AUC of 0.5 to 0.9, 95% intervals cover 93-97% (docs/validation.md); plain percentile intervals of
    the bootstrap cover 89-95%. Where a side has one patient, or the variance is zero (complete separation, one score
    for all), it is Newcombe's score interval (Statistics in Medicine 25, 2006, method 5) with patients as sample sizes.

    Args:
        member: ``(m,)`` scores, one an image.
        other: ``(n,)`` scores.
        patients: ``(m,)`` and ``(n,)`` the patient of each score.
        confidence: e.g. 0.95.
    """
    from scipy.special import expit, logit
    from scipy.stats import t

    auc = roc_auc(member, other)
    ours, theirs = _sums(_placements(member, other), patients[0]), _sums(_placements(other, member), patients[1])
    m, n = len(ours), len(theirs)
    if min(m, n) == 1 or not 0 < auc < 1:
        return _score_interval(auc, m, n, confidence)
    variances = [sum(v * v for v in side.values()) * len(side) / (len(side) - 1) for side in (ours, theirs)]
    both = sorted(ours.keys() & theirs.keys())  # a set's order changes with the process, and with it the last digit
    shared = -2 * sum(ours[p] * theirs[p] for p in both) * len(both) / max(len(both) - 1, 1)
    spread = sum(variances) + shared
    if spread <= 1e-24:
        return _score_interval(auc, m, n, confidence)
    freedom = sum(variances) ** 2 / (variances[0] ** 2 / (m - 1) + variances[1] ** 2 / (n - 1))
    half = t.ppf((1 + confidence) / 2, freedom) * math.sqrt(spread) / (auc * (1 - auc))
    return Interval(float(expit(logit(auc) - half)), float(expit(logit(auc) + half)))


def auc_without_blocks(score: FloatArray, member: NDArray[np.bool_], patient: Names) -> tuple[float, ...]:
    """The ROC AUC without each block of patients in turn, for comparisons with other audits (see ``blocks``).

    Args:
        score: ``(n,)`` scores of both sides.
        member: ``(n,)`` which are the members'.
        patient: ``(n,)`` the real name of the patient of each score.
    """
    auc = resampled_auc(score[member], score[~member])

    def without(kept: Kept) -> FloatArray:
        return auc(kept[:, member].astype(np.int64), kept[:, ~member].astype(np.int64))

    return left_out(patient, roc_auc(score[member], score[~member]), without)


def _placements(score: FloatArray, against: FloatArray) -> FloatArray:
    """The share of ``against`` that each score exceeds, ties counting half."""
    rising = np.sort(against)
    return (np.searchsorted(rising, score, "left") + np.searchsorted(rising, score, "right")) / (2 * len(against))


def _sums(placement: FloatArray, patient: Names) -> dict[str, float]:
    """What each patient's images add to the mean placement beyond their share."""
    names, code = np.unique(patient, return_inverse=True)
    sums = np.bincount(code, placement - placement.mean()) / len(placement)
    return dict(zip(names.tolist(), sums.tolist(), strict=True))


def _score_interval(auc: float, m: int, n: int, confidence: float) -> Interval:
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
