"""Copies by relative distance: far closer to one image than that image's own neighbours are (Carlini et al. 2023)."""

import numpy as np
from numpy.typing import NDArray

from ..context import Context
from ..record import Estimate
from ..types import FloatArray
from .excess import image_excess
from .memorization_companion import NOT_PASSED, Companion, against, lacks_patients
from .memorization_near import Division

NEIGHBOURS = 50
SCALE = 0.5
# The scale is the criterion: below 1, an image lies closer than half of the usual distance of its match's neighbours.
THRESHOLD = 1.0
LEAST = 6  # patients a side: the mean over fewer than five neighbours is no yardstick


def relative_distance(near: FloatArray, spread: FloatArray, scale: float = SCALE) -> FloatArray:
    """d(s, x1) / (scale * mean distance from x1 to its nearest neighbours); inf where that is not defined.

    Args:
        near: ``(n,)`` distance of each released image to its nearest real image x1.
        spread: ``(n,)`` mean distance from x1 to its nearest images of other patients on its side.
        scale: alpha in arXiv 2301.13188.
    """
    usable = np.isfinite(spread) & (spread > 0)
    distance: FloatArray = np.divide(near, scale * spread, out=np.full(len(near), np.inf), where=usable)
    return distance


def copies(division: Division) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which released images count as copies of a member, and which of a holdout patient."""
    sides = division.member, division.holdout
    images = np.concatenate([near.image for near in sides])
    spread = np.split(division.space.spread(division.is_member, images, NEIGHBOURS), 2)
    member, holdout = (
        relative_distance(near.distance, around) < THRESHOLD for near, around in zip(sides, spread, strict=True)
    )
    return member, holdout


def _statistic(division: Division) -> float:
    member, holdout = copies(division)
    return float(member.mean() - holdout.mean())


def _estimate(division: Division, null: FloatArray, context: Context) -> Estimate:
    member, holdout = copies(division)
    mean, p_value = against(float(member.mean() - holdout.mean()), null, "higher")
    most = min(NEIGHBOURS, division.smaller - 1)
    estimate = image_excess(
        "relative_knn",
        division.space.name,
        (member, holdout),
        p_value,
        context.confidence,
        "",
        division.holdout.patient,
    )
    method = (
        f"distance to the nearest image over {SCALE:g} x the mean distance from that image to its {most} nearest "
        f"patients on the same side, below {THRESHOLD:g} (Carlini et al. 2023); score interval of a ratio of matched "
        f"shares; null: mean of {len(null)} permutations within centres; {NOT_PASSED}"
    )
    note = f"{int(member.sum())} of {len(member)} images, {int(holdout.sum())} by holdout"
    return estimate.model_copy(update={"null": mean, "method": method, "note": note})


RELATIVE = Companion("relative_knn", "higher", lambda division: lacks_patients(division, LEAST), _statistic, _estimate)
