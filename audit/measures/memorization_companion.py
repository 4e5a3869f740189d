"""What stands beside the copied share, space by space: a published statistic, with the null that permuting gives it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..context import Context
from ..record import Estimate
from ..statistics.stats import permutation_p_value
from ..types import FloatArray
from .memorization_near import Division

NOT_PASSED = "a value that passes does not rule out membership inference (arXiv 2505.01524)"


@dataclass(frozen=True, slots=True)
class Companion:
    """A statistic of one space under one division of the candidate patients.

    Attributes:
        name: of its estimate.
        worse: the side on which copying shows.
        lacks: why it cannot be measured, or "".
        statistic: what is permuted; nan where a division leaves it undefined.
        estimate: the figure of the true division, from the statistic's values under permuted ones.
    """

    name: str
    worse: Literal["higher", "lower"]
    lacks: Callable[[Division], str]
    statistic: Callable[[Division], float]
    estimate: Callable[[Division, FloatArray, Context], Estimate]

    def measure(self, division: Division, null: FloatArray, context: Context) -> Estimate:
        """The figure, or that there is none and why."""
        why = self.lacks(division)
        if why:
            return unmeasured(self.name, self.worse, division.space.name, len(division.space.samples), why)
        return self.estimate(division, null, context)


def unmeasured(name: str, worse: Literal["higher", "lower"], group: str, images: int, why: str) -> Estimate:
    """No figure, and why."""
    return Estimate(name=name, group=group, value=None, n=images, unit="image", worse=worse, note=why)


def against(observed: float, null: FloatArray, worse: Literal["higher", "lower"]) -> tuple[float, float]:
    """Mean of the permuted statistic, and how often it is at least as bad as the observed one.

    Args:
        observed: the statistic of the true division.
        null: ``(b,)`` of permuted ones; nan where one was undefined.
        worse: which side is bad.
    """
    defined = null[np.isfinite(null)]
    sign = 1 if worse == "higher" else -1
    mean = float(defined.mean()) if len(defined) else observed
    return mean, permutation_p_value(sign * observed, sign * defined)


def lacks_patients(division: Division, least: int) -> str:
    """Why a statistic that needs ``least`` patients a side cannot be measured, or ""."""
    found = division.smaller
    return "" if found >= least else f"needs {least} patients a side, there are {found}"
