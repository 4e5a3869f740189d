"""Student's t without scipy, whose import alone would take most of the half second that a gate in CI has."""

import math
from functools import lru_cache
from statistics import NormalDist

NORMAL = 1000
"""Degrees of freedom from which t is taken for the normal: quantiles differ by less than 0.2%."""


def two_sided(t: float, freedom: float) -> float:
    """P(|T| >= |t|), by the finite series for whole degrees of freedom (Abramowitz and Stegun, 26.7.3 and 26.7.4).

    Args:
        t: any number.
        freedom: at least 1; rounded down, which errs towards larger p-values.
    """
    if freedom >= NORMAL:
        return 2 * NormalDist().cdf(-abs(t))
    n = max(int(freedom), 1)  # a sum of few terms may come out a hair below 1
    angle = math.atan2(abs(t), math.sqrt(n))
    sine, cosine = math.sin(angle), math.cos(angle)
    term, total = (cosine if n % 2 else 1.0), 0.0
    for k in range(n % 2, n - 1, 2):
        total += term
        term *= cosine**2 * (k + 1) / (k + 2)
    inside = 2 / math.pi * (angle + sine * total) if n % 2 else sine * total
    return min(max(1 - inside, 0.0), 1.0)


@lru_cache(maxsize=4096)
def quantile(confidence: float, freedom: float) -> float:
    """The t beyond which, on both sides together, lies ``1 - confidence``.

    Args:
        confidence: in [0.5, 1).
        freedom: at least 1; rounded down, which errs towards wider intervals.
    """
    if freedom >= NORMAL:
        return NormalDist().inv_cdf((1 + confidence) / 2)
    return _quantile(confidence, max(int(freedom), 1))


@lru_cache(maxsize=4096)
def _quantile(confidence: float, freedom: int) -> float:
    low, high = 0.0, 1.0
    while two_sided(high, freedom) > 1 - confidence:
        low, high = high, 2 * high
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided(middle, freedom) > 1 - confidence else (low, middle)
    return high
