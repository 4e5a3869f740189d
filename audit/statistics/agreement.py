"""Do several raters say the same? Fleiss' kappa and its interval."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..types import FloatArray, Names
from .resampling import Multiplicities, bootstrap
from .stats import Interval


def fleiss_kappa(said: NDArray[np.bool_]) -> float:
    """Agreement of several raters on yes or no, beyond chance: 1 is full, 0 what chance gives.

    It is nan where all raters say one thing of all subjects. Fleiss, Measuring nominal scale agreement among many
    raters (Psychological Bulletin 76, 1971).

    Args:
        said: ``(n, raters)`` what each said of each subject; at least two raters.
    """
    return float(_kappa(said)(np.ones((1, len(said)), dtype=np.int64))[0])


def kappa_interval(said: NDArray[np.bool_], group: Names, rng: np.random.Generator, confidence: float) -> Interval:
    """Its interval when groups of subjects are drawn again with replacement; (nan, nan) where kappa is not defined.

    Args:
        said: ``(n, raters)``.
        group: ``(n,)`` subjects that stand or fall together.
        rng: where resamples come from.
        confidence: e.g. 0.95.
    """
    return bootstrap(_kappa(said), (group,), rng, confidence)


def _kappa(said: NDArray[np.bool_]) -> Callable[[Multiplicities], FloatArray]:
    raters = said.shape[1]
    yes = said.sum(axis=1).astype(np.float64)
    alike = (yes * (yes - 1) + (raters - yes) * (raters - yes - 1)) / (raters * (raters - 1))

    def statistic(weights: Multiplicities) -> FloatArray:
        total = weights.sum(axis=1)
        share = weights @ yes / (raters * total)
        chance = share**2 + (1 - share) ** 2
        observed = weights @ alike / total
        kappa: FloatArray = np.divide(
            observed - chance, 1 - chance, out=np.full(len(total), math.nan), where=chance < 1
        )
        return kappa

    return statistic
