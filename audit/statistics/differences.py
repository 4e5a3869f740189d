"""What differs between two audits, and how surely: the patients are the same, so their results err together.

As if independent, an interval of the difference follows from the two intervals (MOVER: Zou and Donner, Statistics in
Medicine 27, 2008), which keeps what each knows of its own number: that an AUC of 0.98 can hardly be larger, say. How
much less, or more, the difference varies over the same patients is read from both sides' ``Estimate.blocks`` (the
grouped jackknife), and the interval is scaled by it. Simulations in docs/validation.md; reasons in decisions/0017.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..record import Estimate
from .student import quantile, two_sided

FEWEST = 10
"""Blocks that must make a difference on either side, or nothing is known of how the two vary together."""
NOISE = 1e-8
"""What rounding leaves of a deviation that is none."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One number over one or several seeds.

    Attributes:
        value: the mean over seeds.
        low: end of its interval.
        high: end of its interval.
        seeds: how many.
        method: how the interval was computed, and what it does not say.
    """

    value: float
    low: float
    high: float
    seeds: int
    method: str


@dataclass(frozen=True, slots=True)
class Difference:
    """The first number minus the second.

    Attributes:
        value: the mean over seeds.
        low: end of its interval.
        high: end of its interval.
        p_value: two-sided, against no difference; below ``1 - confidence`` where the interval does not hold 0.
        paired: whether it is known how far both numbers err together; else they are taken for independent.
        seeds: how many pairs.
        method: how the interval was computed, and what it does not say.
    """

    value: float
    low: float
    high: float
    p_value: float
    paired: bool
    seeds: int
    method: str


@dataclass(frozen=True, slots=True)
class _Known:
    """A number with its two standard errors, towards lower and towards higher values, and their degrees of freedom."""

    value: float
    below: float
    above: float
    freedom: float


@dataclass(frozen=True, slots=True)
class _Share:
    """What share of the variance of independent numbers a difference has, and how surely."""

    share: float
    freedom: float


def leak(estimate: Estimate) -> Estimate:
    """The estimate turned so that higher is worse and its null is 0.

    Where both directions are a leak it is the distance from the null in the direction in which the value lies; interval
    and blocks are turned with it, so the lower end may be negative.

    Raises:
        ValueError: if neither direction is worse.
    """
    if estimate.worse == "none":
        raise ValueError(f"{estimate.name}: neither direction is worse, so it cannot be turned")
    null = estimate.null or 0.0
    turned = estimate.worse == "lower" or (
        estimate.worse == "both" and estimate.value is not None and estimate.value < null
    )

    def seen(value: float | None) -> float | None:
        return None if value is None else null - value if turned else value - null

    low, high = seen(estimate.low), seen(estimate.high)
    detectable = seen(estimate.detectable)
    return estimate.model_copy(
        update={
            "value": seen(estimate.value),
            "low": high if turned else low,
            "high": low if turned else high,
            "null": None if estimate.null is None else 0.0,
            "detectable": abs(detectable) if detectable is not None and estimate.worse == "both" else detectable,
            "worse": "higher",
            "blocks": tuple(null - b if turned else b - null for b in estimate.blocks),
        }
    )


def over_seeds(estimates: Sequence[Estimate], confidence: float) -> Aggregate | None:
    """The mean of one number over audits with several seeds.

    Args:
        estimates: one a seed.
        confidence: of their intervals, and of the result's.

    Returns:
        None if there is none, or one has no value or no interval.
    """
    known = [_known(e, confidence) for e in estimates]
    every = [k for k in known if k is not None]
    if not every or len(every) < len(known):
        return None
    if len(every) == 1:
        value, low, high = (getattr(estimates[0], end) for end in ("value", "low", "high"))
        return Aggregate(value, low, high, 1, f"{estimates[0].method}; one seed: says nothing of other trainings")
    mean = _mean(every)
    low, high = _ends(mean, confidence)
    return Aggregate(mean.value, low, high, len(every), _over(len(every)))


def difference(pairs: Sequence[tuple[Estimate, Estimate]], confidence: float) -> Difference | None:
    """The first number minus the second, and how sure that is.

    Args:
        pairs: one a seed; both of a pair from the same cohort and split.
        confidence: of their intervals, and of the result's.

    Returns:
        None if there is no pair, or a number has no value or no interval.
    """
    together = [_together(first, second) for first, second in pairs]
    known = [_of_pair(*pair, share, confidence) for pair, share in zip(pairs, together, strict=True)]
    every = [k for k in known if k is not None]
    if not every or len(every) < len(known):
        return None
    paired = None not in together
    mean = _mean(every)
    low, high = _ends(mean, confidence)
    how = (
        "paired by blocks of patients, Student's t"
        if paired
        else "taken for independent, as nothing says how far both vary together: too wide if they do so alike"
    )
    return Difference(
        value=mean.value,
        low=low,
        high=high,
        p_value=_p_value(mean),
        paired=paired,
        seeds=len(every),
        method=f"MOVER (Zou and Donner 2008), {how}; {_over(len(every))}",
    )


def _known(estimate: Estimate, confidence: float) -> _Known | None:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return None
    z = quantile(confidence, math.inf)
    below, above = estimate.value - estimate.low, estimate.high - estimate.value
    return _Known(estimate.value, max(below, 0.0) / z, max(above, 0.0) / z, math.inf)


def _of_pair(first: Estimate, second: Estimate, share: _Share | None, confidence: float) -> _Known | None:
    a, b = _known(first, confidence), _known(second, confidence)
    if a is None or b is None:
        return None
    scale, freedom = (1.0, math.inf) if share is None else (math.sqrt(share.share), share.freedom)
    return _Known(
        a.value - b.value, math.hypot(a.below, b.above) * scale, math.hypot(a.above, b.below) * scale, freedom
    )


def _together(first: Estimate, second: Estimate) -> _Share | None:
    """How much less, or more, the difference varies than that of independent numbers; None where nothing tells.

    Where both vary by as much, the share is 1 - rho, rho being their correlation. Of m blocks it scatters by
    (1 + rho) / sqrt(m - 1) of itself, as a variance with 2 (m - 1) / (1 + rho)^2 degrees of freedom; where one varies
    more than the other, by less.
    """
    if first.value is None or second.value is None or len(first.blocks) != len(second.blocks):
        return None
    deviations = [(a - first.value, b - second.value) for a, b in zip(first.blocks, second.blocks, strict=True)]
    noise = NOISE * max(1.0, abs(first.value), abs(second.value))
    blocks = sum(math.hypot(a, b) > noise for a, b in deviations)
    if blocks < FEWEST:
        return None
    share = sum((a - b) ** 2 for a, b in deviations) / sum(a**2 + b**2 for a, b in deviations)
    return _Share(share, 2 * (blocks - 1) / (2 - share) ** 2 if share < 2 else math.inf)


def _mean(seeds: Sequence[_Known]) -> _Known:
    """The mean over seeds; all may share the patients, whose part is therefore not divided by their number."""
    r = len(seeds)
    if r == 1:
        return seeds[0]
    value = math.fsum(s.value for s in seeds) / r
    # Not statistics.variance, whose exact fractions take most of the time of a comparison of many audits.
    between = math.fsum((s.value - value) ** 2 for s in seeds) / (r - 1) / r
    errors = []
    freedom = math.inf
    for side in ([s.below for s in seeds], [s.above for s in seeds]):
        patients = math.fsum(error**2 for error in side) / r
        total = patients + between
        errors.append(math.sqrt(total))
        if total:
            spent = patients**2 / min(s.freedom for s in seeds) + between**2 / (r - 1)
            freedom = min(freedom, total**2 / spent if spent else math.inf)
    return _Known(value, errors[0], errors[1], freedom)


def _ends(known: _Known, confidence: float) -> tuple[float, float]:
    reach = quantile(confidence, known.freedom)
    return known.value - reach * known.below, known.value + reach * known.above


def _p_value(known: _Known) -> float:
    """Two-sided, with the standard error on the side of 0."""
    if known.value == 0:
        return 1.0
    error = known.below if known.value > 0 else known.above
    return two_sided(known.value / error, known.freedom) if error else 0.0


def _over(seeds: int) -> str:
    if seeds == 1:
        return "one seed: says nothing of other trainings"
    return f"mean of {seeds} seeds, patients' variance not divided by {seeds}, Student's t (Satterthwaite)"
