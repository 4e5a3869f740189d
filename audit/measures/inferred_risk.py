"""How much more often an attacker is right about members than about others: the risk, and how sure it is.

Anonymeter's risk (Giomi et al., PoPETs 2023, arXiv 2211.10459) is (a - c) / (1 - c), a and c being the shares of right
guesses about members and about the control. Most of their scatter has nothing to do with the release: some patients
are easy to guess. How the attacker fared *without* the release says who they are, so each patient's success is
adjusted for it (a control variate), which leaves the expected value as it is and takes most of the scatter away.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..statistics.risk import normalised_risk
from ..statistics.stats import POWER, SIGNIFICANCE, Interval
from ..types import FloatArray

CORNERS = np.array([(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)])
WEIGHT = 0.5  # of each corner: two patients more on either side


@dataclass(frozen=True, eq=False, slots=True)
class Success:
    """How often the attacker was right about each patient.

    Attributes:
        right: ``(p,)`` share of the patient's images guessed right with the release, in [0, 1].
        prior: ``(p,)`` the same without it.
        told: ``(p,)`` share of the patient's images whose guess rests on the release, and is right; None if unknown.
        asked: ``(p,)`` share of the patient's images whose guess rests on the release; None if unknown.
    """

    right: FloatArray
    prior: FloatArray
    told: FloatArray | None = None
    asked: FloatArray | None = None

    @property
    def evidence(self) -> FloatArray:
        """``(p,)`` what the test adds up: right answers of the release beyond those that general knowledge gives.

        Where the release is not believed it is 0, and where it is, the prior's own luck with that very patient does not
        count: among 132 patients a side that needs half the leak that ``adjusted`` needs. Without knowing where the
        release was believed, ``adjusted`` it is.
        """
        if self.told is None or self.asked is None:
            return self.adjusted
        return np.asarray(self.told - self.asked * self.prior.mean())

    @property
    def slope(self) -> float:
        """How much of one more patient guessed right without the release shows with it, within [0, 1].

        From all patients, whichever side they are on: so no permutation changes it.
        """
        prior, right = (self._with_corners(values, column) for column, values in ((1, self.prior), (0, self.right)))
        weight = np.concatenate([np.ones(len(self.right)), np.full(len(CORNERS), WEIGHT)])
        centred = prior - np.average(prior, weights=weight)
        return float(np.clip((weight * centred * right).sum() / (weight * centred**2).sum(), 0.0, 1.0))

    @property
    def adjusted(self) -> FloatArray:
        """``(p,)`` the success of each patient, had all been as easy to guess as they are on average."""
        return np.asarray(self.right - self.slope * (self.prior - self.prior.mean()))

    def of(self, patients: NDArray[np.bool_]) -> "Success":
        """The same of some of the patients ``(p,)``."""
        told, asked = (None if values is None else values[patients] for values in (self.told, self.asked))
        return Success(self.right[patients], self.prior[patients], told, asked)

    def risk(self, member: NDArray[np.bool_]) -> float:
        """(a - c) / (1 - c) of the adjusted shares.

        Args:
            member: ``(p,)`` both sides have patients.
        """
        adjusted = self.adjusted
        return normalised_risk(float(adjusted[member].mean()), float(adjusted[~member].mean()))

    def interval(self, member: NDArray[np.bool_], confidence: float) -> Interval:
        """Interval of ``risk``: one minus Fieller's interval of a ratio of two independent means, 1 - a over 1 - c.

        With two patients more on each side, half a one for each outcome of the two guesses (after Agresti and Min,
        Biometrics 61, 2005), so that it has a width where nothing was guessed otherwise. -1 to 1 where the control may
        be all.

        Args:
            member: ``(p,)`` both sides have patients.
            confidence: e.g. 0.95.
        """
        from scipy.stats import t

        (x, vx), (y, vy) = (self._wrong(side) for side in (member, ~member))
        quantile = float(t.ppf((1 + confidence) / 2, max(len(member) - 2, 1)))
        a, b, c = y**2 - quantile**2 * vy, x * y, x**2 - quantile**2 * vx
        if a <= 0:
            return Interval(-1.0, 1.0)
        half = math.sqrt(max(b * b - a * c, 0.0))
        value = self.risk(member)
        low, high = 1 - (b + half) / a, 1 - max(b - half, 0.0) / a
        return Interval(max(min(low, value), -1.0), min(max(high, value), 1.0))

    def detectable(self, member: NDArray[np.bool_], significance: float = SIGNIFICANCE) -> float | None:
        """The smallest risk that the permutation test of ``evidence`` finds with 80% power; normal approximation.

        A leak tells the attribute of some of the members, and what is not a leak scatters as it does for the control.

        Args:
            member: ``(p,)`` both sides have patients.
            significance: one-sided.

        Returns:
            The risk; None where even all members told would not show.
        """
        from scipy.optimize import brentq
        from scipy.stats import norm

        n, n_control = int(member.sum()), int((~member).sum())
        unknown = 1 - float(self.prior.mean())
        noise = float(np.square(self.evidence[~member] - self.evidence[~member].mean()).sum() + WEIGHT) / (
            n_control + 1
        )
        z, z_power = norm.ppf(1 - significance), norm.ppf(POWER)

        def short(share: float) -> float:
            leak = share * unknown**2
            null = (noise + leak / 2) * (1 / n + 1 / n_control)
            alternative = (noise + leak * (1 - share)) / n + noise / n_control
            return float(z * math.sqrt(null) + z_power * math.sqrt(alternative) - share * unknown)

        if unknown <= 0 or short(1.0) > 0:
            return None
        share = float(brentq(short, 1e-9, 1.0))
        return min(share * unknown / max(1 - float(self.right[~member].mean()), 1e-9), 1.0)

    def _wrong(self, side: NDArray[np.bool_]) -> tuple[float, float]:
        """Mean of one minus the adjusted success on one side, and the variance of that mean."""
        corners = CORNERS[:, 0] - self.slope * (CORNERS[:, 1] - self.prior.mean())
        values = 1 - np.concatenate([self.adjusted[side], corners])
        weight = np.concatenate([np.ones(int(side.sum())), np.full(len(CORNERS), WEIGHT)])
        n = float(weight.sum())
        mean = float(np.average(values, weights=weight))
        return mean, float((weight * (values - mean) ** 2).sum()) / (n - 1) / n

    def _with_corners(self, values: FloatArray, column: int) -> FloatArray:
        return np.concatenate([values, CORNERS[:, column]])
