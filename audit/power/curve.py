"""From how often planted leaks were detected to the smallest share that is detected."""

import math
from dataclasses import dataclass

import numpy as np

from ..statistics.stats import POWER, SIGNIFICANCE, proportion_interval
from ..types import FloatArray


@dataclass(frozen=True, eq=False, slots=True)
class PowerCurve:
    """How often a leak was detected, by its share.

    Attributes:
        share: ``(k,)`` rising, all above 0.
        power: ``(k,)`` the share of simulated audits that detected it.
        audits: ``(k,)`` how many independent audits that rests on; need not be whole.
        resampled: ``(draws, k)`` the power when the patients it rests on are drawn anew, where they are few; else None.
    """

    share: FloatArray
    power: FloatArray
    audits: FloatArray
    resampled: FloatArray | None = None

    def smallest(self, confidence: float) -> tuple[float | None, float | None, float | None]:
        """The smallest share detected with 80% power, and its interval; None where no share tried reaches that.

        Power rises with the share, so the curve is made monotone (isotonic regression), starts from the false-alarm
        rate at share 0, and is read where it crosses 80%. The interval is where the monotone Wilson bounds cross, or,
        where patients were drawn anew, the percentiles of where those curves cross.
        """
        if self.resampled is not None:
            crossed = [math.inf if (at := self._crossing(draw)) is None else at for draw in self.resampled]
            tail = (1 - confidence) / 2
            ends = np.quantile(crossed, [tail, 1 - tail], method="closest_observation")
            low, high = (float(end) if math.isfinite(end) else None for end in ends)
            return self._crossing(self.power), low, high
        bounds = [_wilson(p, n, confidence) for p, n in zip(self.power, self.audits, strict=True)]
        least, most = (np.array(side) for side in zip(*bounds, strict=True))
        return self._crossing(self.power), self._crossing(most), self._crossing(least)

    def _crossing(self, power: FloatArray) -> float | None:
        from scipy.optimize import isotonic_regression

        monotone = np.concatenate([[SIGNIFICANCE], np.maximum(isotonic_regression(power, weights=self.audits).x, 0)])
        share = np.concatenate([[0.0], self.share])
        reached = np.flatnonzero(monotone >= POWER)
        if not len(reached):
            return None
        at = max(int(reached[0]), 1)
        rise = monotone[at] - monotone[at - 1]
        part = (POWER - monotone[at - 1]) / rise if rise > 0 else 1.0
        return float(share[at - 1] + np.clip(part, 0.0, 1.0) * (share[at] - share[at - 1]))


def _wilson(power: float, audits: float, confidence: float) -> tuple[float, float]:
    n = max(round(audits), 1)
    found = proportion_interval(min(round(power * audits), n), n, confidence, "wilson")
    return found.low, found.high


def effective(detected: FloatArray) -> float:
    """How many independent audits each share's detections are worth.

    Audits that share a draw of planted images go together: with m audits a draw and intra-class correlation rho they
    count 1 + (m - 1) rho times less (Kish 1965). rho is pooled over the shares; where it cannot be told, draws count.

    Args:
        detected: ``(shares, draws, m)`` 0 or 1.
    """
    _, draws, m = detected.shape
    if draws < 2 or m < 2:
        return float(draws)
    total = detected.mean(axis=(1, 2))
    spread = float((total * (1 - total)).mean())
    if spread == 0:
        return float(draws)
    between = float(detected.mean(axis=2).var(axis=1, ddof=1).mean())
    rho = float(np.clip((m * between - spread) / ((m - 1) * spread), 0.0, 1.0))
    return float(draws * m / (1 + (m - 1) * rho))
