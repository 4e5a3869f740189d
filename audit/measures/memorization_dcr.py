"""Distance to closest record, and the nearest-neighbour distance ratio."""

from collections.abc import Callable

import numpy as np

from ..context import Context
from ..record import Estimate
from ..statistics.clustered import split_interval
from ..statistics.resampling import Multiplicities, bootstrap
from ..types import FloatArray
from .memorization_companion import NOT_PASSED, Companion, against, lacks_patients
from .memorization_near import Division, Near

RESAMPLES = 1000


def closer(near: FloatArray, control: FloatArray) -> FloatArray:
    """1 for each image that lies closer to a member than to a holdout patient, 1/2 for a tie, ``(n,)`` each."""
    return np.where(near == control, 0.5, near < control)


def protection(share: float) -> float:
    """The score min(1, 2 (1 - share)) of SDMetrics' DCROverfittingProtection: 1 is best, 0 worst."""
    return min(1.0, 2 * (1 - share))


def ratios(near: FloatArray, second: FloatArray) -> FloatArray:
    """Distance to the nearest patient over that to the second nearest; 1 where there is no second one beyond 0."""
    usable = (second > 0) & np.isfinite(second)
    ratio: FloatArray = np.divide(near, second, out=np.ones(len(near)), where=usable)
    return ratio


def _share(division: Division) -> float:
    return float(closer(division.member.distance, division.holdout.distance).mean())


def _dcr(division: Division, null: FloatArray, context: Context) -> Estimate:
    members = division.is_member
    near, control = division.member, division.holdout
    flags = closer(near.distance, control.distance)
    # Wilson's interval over images would contain 0.5 in two of three audits without a leak (docs/validation.md).
    # Who is not among the nearest (-1) gets no image: an infinite distance is never the closer one.
    first = np.bincount(np.maximum(near.patient, 0), flags, len(members)).astype(np.float64)[members]
    second = np.bincount(np.maximum(control.patient, 0), 1 - flags, len(members)).astype(np.float64)[~members]
    interval = split_interval(first, second, context.confidence)
    share = float(flags.mean())
    return Estimate(
        name="dcr_share",
        group=division.space.name,
        value=share,
        low=interval.low,
        high=interval.high,
        null=0.5,
        n=len(flags),
        unit="image",
        worse="higher",
        p_value=against(share, null, "higher")[1],
        method=f"closer to members than to as many holdout patients; logit, by nearest patient; {len(null)} "
        f"permutations within centres; beside it SDMetrics' score min(1, 2 (1 - share)); {NOT_PASSED}",
        note=f"DCROverfittingProtection {protection(share):.2f} of 1",
    )


def _median_ratio(near: Near) -> float:
    return float(np.median(ratios(near.distance, near.second)))


def resampled_median(value: FloatArray) -> Callable[[Multiplicities], FloatArray]:
    """The median of ``value`` ``(n,)`` as a statistic of multiplicities ``(r, n)``; nan for an empty resample."""
    rising = np.argsort(value, kind="stable")
    ordered = value[rising]

    def resampled(multiplicities: Multiplicities) -> FloatArray:
        total = multiplicities.take(rising, axis=1).cumsum(axis=1)
        half = total[:, -1:] / 2
        lower, upper = (ordered[reached.argmax(axis=1)] for reached in (total >= half, total > half))
        return np.where(half[:, 0] > 0, (lower + upper) / 2, np.nan)

    return resampled


def _nndr(division: Division, null: FloatArray, context: Context) -> Estimate:
    value = ratios(division.member.distance, division.member.second)
    observed = float(np.median(value))
    mean, p_value = against(observed, null, "lower")
    interval = bootstrap(
        resampled_median(value),
        (division.member.patient.astype(str),),
        context.rng("nndr", division.space.name),
        context.confidence,
        RESAMPLES,
    )
    return Estimate(
        name="nndr",
        group=division.space.name,
        value=observed,
        low=min(interval.low, observed),
        high=max(interval.high, observed),
        null=mean,
        n=len(value),
        unit="image",
        worse="lower",
        p_value=p_value,
        method="median of nearest over second nearest patient's distance; bootstrap of nearest patients; null: mean of "
        f"{len(null)} permutations within centres; {NOT_PASSED}",
        note=f"{_median_ratio(division.holdout):.3f} against holdout",
    )


DCR = Companion("dcr_share", "higher", lambda division: lacks_patients(division, 1), _share, _dcr)
NNDR = Companion(
    "nndr", "lower", lambda division: lacks_patients(division, 2), lambda d: _median_ratio(d.member), _nndr
)
