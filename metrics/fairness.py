"""Dice by arm, by centre and between arms, with intervals over the patients of the test set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..audit.context import Context
from ..audit.record import Estimate
from ..audit.statistics.blocks import Kept, left_out
from ..audit.types import FloatArray, ImageSet, Names
from .resampling import patient_means, patient_weights, percentile_interval


@dataclass(frozen=True, eq=False, slots=True)
class _Means:
    """Means over patients for each row of weights: ``overall`` (draws, arms), ``centers`` (draws, centers, arms)."""

    overall: FloatArray
    centers: FloatArray

    @classmethod
    def of(cls, dice: FloatArray, belongs: FloatArray, weights: FloatArray) -> "_Means":
        inside = weights[:, None, :] * belongs.T  # (draws, centers, patients)
        return cls(weights @ dice / weights.sum(1)[:, None], inside @ dice / inside.sum(2)[:, :, None])

    def worst(self) -> FloatArray:
        """Mean of the worst centre, (draws, arms)."""
        worst: FloatArray = self.centers.min(axis=1)
        return worst

    def spread(self) -> FloatArray:
        """Standard deviation over centres, (draws, arms)."""
        spread: FloatArray = self.centers.std(axis=1, ddof=1)
        return spread


_Figure = Callable[[_Means], FloatArray]
"""One number for each row of weights."""


def _gain(means: FloatArray) -> FloatArray:
    """The last arm minus the first of ``means`` ``(draws, arms)``."""
    gain: FloatArray = means[:, -1] - means[:, 0]
    return gain


def dice_estimates(
    scores: FloatArray, arms: Sequence[str], test: ImageSet, context: Context, resamples: int
) -> tuple[Estimate, ...]:
    """What Dice ``(n_images, arms)`` on ``test`` comes to.

    ``dice`` of each arm; ``dice-gain``, the last arm minus the first, overall and by centre; where there are centres,
    ``dice-worst-center`` and ``dice-spread`` (standard deviation over centres) of each arm. Null of all arms is the
    first one. A patient's Dice is the mean over its images; a patient counts to the centre of its first image.
    """
    patients, first = np.unique(test.patient, return_index=True)
    dice = patient_means(scores, test.patient)
    center: Names = np.full(len(patients), "") if test.center is None else test.center[first]
    names = np.unique(center)
    belongs = (center[:, None] == names).astype(np.float64)
    drawn = patient_weights(patients, resamples, context.rng("bootstrap"), strata=center)
    value, draws = _Means.of(dice, belongs, np.ones((1, len(patients)))), _Means.of(dice, belongs, drawn)
    how = f"percentile bootstrap over patients within centres, {resamples} resamples"

    def estimate(
        name: str, group: str, of: _Figure, null: float, *, paired: bool = False, some: NDArray[np.bool_] | None = None
    ) -> Estimate:
        """``some`` are the patients whom the figure is about, if not all."""
        about = np.ones(len(patients), dtype=bool) if some is None else some

        def without(kept: Kept) -> FloatArray:
            stay = np.ones((len(kept), len(patients)))
            stay[:, about] = kept
            with np.errstate(invalid="ignore"):  # a centre of which nobody stays
                return of(_Means.of(dice, belongs, stay))

        worse: Literal["none", "higher", "lower"] = (
            "none" if group == arms[0] else "higher" if name == "dice-spread" else "lower"
        )
        low, high = percentile_interval(of(draws), context.confidence)
        at = float(of(value)[0])
        return Estimate(
            name=name,
            value=at,
            low=low,
            high=high,
            null=null,
            n=int(about.sum()),
            unit="patient",
            worse=worse,
            group=group,
            method=f"{how}; paired: both arms on the same patients" if paired else how,
            # What is about the worst of several centres would tell of the one or two whom a block has there.
            blocks=left_out(patients[about], at, without) if name in {"dice", "dice-gain"} else (),
        )

    def of_arm(i: int) -> _Figure:
        return lambda means: means.overall[:, i]

    def in_center(j: int) -> _Figure:
        return lambda means: _gain(means.centers[:, j])

    reference = float(value.overall[0, 0])
    found = [estimate("dice", arm, of_arm(i), reference) for i, arm in enumerate(arms)]
    found.append(estimate("dice-gain", "", lambda means: _gain(means.overall), 0.0, paired=True))
    if len(names) < 2:
        return tuple(found)
    for j, name in enumerate(names.tolist()):
        inside = center == name
        found.append(estimate("dice-gain", f"center {name}", in_center(j), 0.0, paired=True, some=inside))
    for i, arm in enumerate(arms):

        def worst(means: _Means, i: int = i) -> FloatArray:
            return means.worst()[:, i]

        def spread(means: _Means, i: int = i) -> FloatArray:
            return means.spread()[:, i]

        found.append(estimate("dice-worst-center", arm, worst, float(value.worst()[0, 0])))
        found.append(estimate("dice-spread", arm, spread, float(value.spread()[0, 0])))
    return tuple(found)
