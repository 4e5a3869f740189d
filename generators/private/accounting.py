"""What a private training claims: noise for an epsilon, epsilon for the noise, and what it means per patient."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from opacus.accountants import PRVAccountant, RDPAccountant
from opacus.accountants.utils import get_noise_multiplier

from ...audit.errors import BadInputError

Unit = Literal["patient", "image"]
DEFAULT_EPSILON = 10.0
LARGEST_DELTA = 1e-5
LARGEST_NOISE = 64.0
LARGEST_EPSILON = 200.0


@dataclass(frozen=True)
class Mechanism:
    """A number of steps of the Poisson-subsampled Gaussian mechanism.

    Attributes:
        noise_multiplier: standard deviation of the noise over the clipping norm.
        sample_rate: probability of each unit to be in a step.
        steps: how many.
    """

    noise_multiplier: float
    sample_rate: float
    steps: int

    def epsilon(self, delta: float) -> float:
        """By Opacus' PRV accountant (Gopi et al. 2021, arXiv 2106.02848): an upper bound, within 0.01.

        Units are neighbours by addition or removal of one.
        """
        return _prv(self.noise_multiplier, self.sample_rate, self.steps, delta)


def default_delta(units: int) -> float:
    """1e-5, or a tenth of one over the units where that is smaller.

    A mechanism that publishes one unit in full at random has delta of one over the units, so delta must be far below
    that. The tenth of it alone would be 1e-3 for 100 patients; 1e-5 is what published epsilons are compared at.
    """
    return min(LARGEST_DELTA, 0.1 / units)


def noise_for(epsilon: float, delta: float, sample_rate: float, steps: int) -> Mechanism:
    """The mechanism with the least noise whose epsilon is at most ``epsilon``.

    Raises:
        BadInputError: if that takes more noise than could teach anything; says the smallest epsilon attainable.
    """
    smallest = Mechanism(LARGEST_NOISE, sample_rate, steps).epsilon(delta)
    if smallest > epsilon:
        raise BadInputError(
            f"generator 'dp-ldm': epsilon {epsilon:g} is unattainable with these data: {steps} steps at sample rate "
            f"{sample_rate:.3g} and delta {delta:.2g} give {math.ceil(smallest * 1000) / 1000:g} at the least\n"
            "set a larger epsilon, fewer steps or a smaller batch, or train on more patients"
        )
    return Mechanism(_least_noise(epsilon, delta, sample_rate, steps), sample_rate, steps)


def refuse_empty_claim(mechanism: Mechanism, delta: float) -> None:
    """Refuse noise so small that its epsilon protects nobody (and takes the accountant minutes to compute).

    Raises:
        BadInputError: naming the noise multiplier.
    """
    bound = RDPAccountant()
    bound.history = [(mechanism.noise_multiplier, mechanism.sample_rate, mechanism.steps)]
    with _silent():
        epsilon = float(bound.get_epsilon(delta))
    if not epsilon <= LARGEST_EPSILON:
        raise BadInputError(
            f"generator 'dp-ldm': noise_multiplier {mechanism.noise_multiplier:g} gives an epsilon above "
            f"{LARGEST_EPSILON:g}, which protects nobody\nset a larger noise_multiplier, fewer steps or a smaller batch"
        )


def group_privacy(epsilon: float, delta: float, size: int) -> tuple[float, float]:
    """Epsilon and delta for ``size`` units at once, by induction unit after unit; a delta of 1 claims nothing."""
    if size == 1 or epsilon == 0:
        return size * epsilon, min(1.0, size * delta)
    # delta * (e^(k eps) - 1) / (e^eps - 1), in logarithms: e^(k eps) may be more than a float holds.
    grown = (size - 1) * epsilon + math.log1p(-math.exp(-size * epsilon)) - math.log1p(-math.exp(-epsilon))
    return size * epsilon, min(1.0, math.exp(min(0.0, math.log(delta) + grown)))


@cache
def _prv(noise_multiplier: float, sample_rate: float, steps: int, delta: float) -> float:
    accountant = PRVAccountant()
    accountant.history = [(noise_multiplier, sample_rate, steps)]
    with _silent():
        return float(accountant.get_epsilon(delta))


@cache
def _least_noise(epsilon: float, delta: float, sample_rate: float, steps: int) -> float:
    with _silent():
        return float(
            get_noise_multiplier(
                target_epsilon=epsilon,
                target_delta=delta,
                sample_rate=sample_rate,
                steps=steps,
                accountant="prv",
                epsilon_tolerance=min(0.01, epsilon / 20),
            )
        )


@contextmanager
def _silent() -> Iterator[None]:
    """Opacus warns where a bound could be tighter, and takes logarithms of 0 where it means minus infinity."""
    with warnings.catch_warnings(), np.errstate(divide="ignore"):
        warnings.simplefilter("ignore")
        yield
