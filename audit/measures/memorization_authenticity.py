"""Authenticity: released images that lie farther from their nearest one than real neighbours do (Alaa et al. 2022)."""

import numpy as np
from numpy.typing import NDArray

from ..context import Context
from ..record import Estimate
from ..statistics.clustered import mean_interval
from ..types import FloatArray
from .memorization_companion import NOT_PASSED, Companion, against, lacks_patients
from .memorization_near import Division, Near


def authentic(near: FloatArray, image: NDArray[np.int32], among: FloatArray) -> NDArray[np.bool_]:
    """Whether another patient's image lies closer to the nearest real image than the released one does.

    Args:
        near: ``(n,)`` distance of each released image to its nearest real image t.
        image: ``(n,)`` t, as a row of the candidates.
        among: ``(m,)`` distance of each candidate image to the nearest other patient on its side.
    """
    return (among[image] < near) & (image >= 0)


def _flags(division: Division, near: Near) -> NDArray[np.bool_]:
    return authentic(near.distance, near.image, division.same)


def _estimate(division: Division, null: FloatArray, context: Context) -> Estimate:
    flags = _flags(division, division.member)
    share = float(flags.mean())
    mean, p_value = against(share, null, "lower")
    interval = mean_interval(flags.astype(np.float64), division.member.patient.astype(str), context.confidence)
    return Estimate(
        name="authpct",
        group=division.space.name,
        value=share,
        low=interval.low,
        high=interval.high,
        null=mean,
        n=len(flags),
        unit="image",
        worse="lower",
        p_value=p_value,
        method="farther from the nearest member's image than that image's nearest other member is (Alaa et al. 2022); "
        f"Wilson by nearest patient; null: mean of {len(null)} permutations within centres; {NOT_PASSED}",
        note=f"{100 * float(_flags(division, division.holdout).mean()):.1f}% against holdout",
    )


AUTHENTICITY = Companion(
    "authpct",
    "lower",
    lambda division: lacks_patients(division, 2),
    lambda division: float(_flags(division, division.member).mean()),
    _estimate,
)
