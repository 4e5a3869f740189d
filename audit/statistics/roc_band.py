"""How far a ROC curve is known: a confidence band around it."""

from dataclasses import dataclass

import numpy as np

from ..types import FloatArray


@dataclass(frozen=True, eq=False, slots=True)
class Band:
    """Where the true curve lies at each of some false positive rates, each taken by itself.

    Attributes:
        low: ``(k,)`` smallest true positive rate.
        high: ``(k,)`` largest true positive rate.
    """

    low: FloatArray
    high: FloatArray


def roc_band(fpr: FloatArray, tpr: FloatArray, others: int, members: int, confidence: float) -> Band:
    """Pointwise band from the exact rectangle of every threshold.

    At a threshold both rates are proportions, of independent patients. Their Clopper-Pearson intervals (Biometrika 26,
    1934), each of confidence sqrt(c), make a rectangle that holds the true point with confidence c or more. A true
    curve never falls, so at a rate x it is at least as high as the rectangle of the last threshold that lies wholly
    left of x, and at most as high as that of the first one that lies wholly right of it.

    Args:
        fpr: ``(k,)`` false positive rates, rising, each a number of patients over ``others``.
        tpr: ``(k,)`` true positive rates, rising, each a number of patients over ``members``.
        others: patients who are no members.
        members: patients who are.
        confidence: of each point of the band, e.g. 0.95.

    Raises:
        ValueError: if the rates are no proportions of so many patients.
    """
    left, right = _exact(fpr, others, confidence**0.5)
    bottom, top = _exact(tpr, members, confidence**0.5)
    before = np.searchsorted(right, fpr, side="right") - 1
    # Where members alone lie between two thresholds the curve stands upright: the band goes up with it.
    upright = np.searchsorted(fpr, fpr, side="right") - 1
    after = np.maximum(np.searchsorted(left, fpr, side="left"), upright)
    low = np.where(before >= 0, bottom[np.maximum(before, 0)], 0.0)
    high = np.where(after < len(fpr), top[np.minimum(after, len(fpr) - 1)], 1.0)
    return Band(low, high)


def _exact(rates: FloatArray, n: int, confidence: float) -> tuple[FloatArray, FloatArray]:
    """Clopper-Pearson bounds of each rate."""
    from scipy.special import betaincinv

    counts = np.rint(rates * n)
    if n < 1 or np.abs(counts - rates * n).max(initial=0.0) > 1e-6 * n:
        raise ValueError(f"not every rate is a number of patients over {n}")
    tail = (1 - confidence) / 2
    low = np.where(counts > 0, betaincinv(np.maximum(counts, 1), n - counts + 1, tail), 0.0)
    high = np.where(counts < n, betaincinv(counts + 1, np.maximum(n - counts, 1), 1 - tail), 1.0)
    return low, high
