"""A lower bound on epsilon from one training: canaries put in by fair coins, and how many coins are guessed right."""

import math
from typing import Literal

Judgement = Literal["refuted", "consistent", "uninformative"]


def one_run_p_value(epsilon: float, delta: float, canaries: int, guesses: int, right: int) -> float:
    """How likely at least ``right`` right guesses are at most, if the training is (epsilon, delta)-private.

    Steinke, Nasr, Jagielski, Privacy auditing with one (1) training run (2023, arXiv:2305.08846), Corollary 5.4: each
    coin is guessed no better than randomised response would tell it, so the right guesses are dominated by a binomial
    with q = e^epsilon / (1 + e^epsilon), except for what delta allows::

        P[Bin(r, q) >= v] + 2 m delta max_i P[v > Bin(r, q) >= v - i] / i

    Args:
        epsilon: at least 0, for one canary more or less.
        delta: for the same.
        canaries: m, each trained on where a fair coin of its own says so.
        guesses: r, coins that were guessed; on the other canaries the guesser abstained.
        right: v of them.

    Raises:
        ValueError: unless 0 <= right <= guesses <= canaries.
    """
    import numpy as np
    from scipy.special import expit
    from scipy.stats import binom

    if not 0 <= right <= guesses <= canaries:
        raise ValueError(f"{right} right guesses of {guesses} about {canaries} canaries cannot be")
    q = float(expit(epsilon))
    certain = float(binom.sf(right - 1, guesses, q))
    if delta == 0 or right == 0:
        return min(1.0, certain)
    i = np.arange(1, right + 1)
    allowed = np.cumsum(binom.pmf(right - i, guesses, q)) / i
    return min(1.0, certain + 2 * canaries * delta * float(allowed.max()))


def one_run_bound(confidence: float, delta: float, canaries: int, guesses: int, right: int) -> float:
    """The largest epsilon that the guesses refute: with ``confidence``, epsilon at ``delta`` is above it; 0 if none.

    Inverts ``one_run_p_value``, which grows with epsilon. At the bound itself the p-value is ``1 - confidence``.
    """
    from scipy.optimize import brentq

    level = 1 - confidence

    def above(epsilon: float) -> float:
        return one_run_p_value(epsilon, delta, canaries, guesses, right) - level

    if guesses == 0 or above(0.0) >= 0:
        return 0.0
    # q^r alone reaches the level where log(1 + e^-epsilon) = -log(level) / r; fewer right guesses reach it earlier.
    highest = -math.log(math.expm1(-math.log(level) / guesses)) + 1e-6
    return float(brentq(above, 0.0, highest, xtol=1e-9))


def one_run_ceiling(confidence: float, delta: float, canaries: int, guesses: int) -> float:
    """The bound if every guess were right: no claim of a larger epsilon can be refuted with so many guesses."""
    return one_run_bound(confidence, delta, canaries, guesses, guesses)


def judgement_of(bound: float, ceiling: float, claimed: float) -> Judgement:
    """What a bound says of a claimed epsilon.

    Args:
        bound: epsilon is above it, with confidence.
        ceiling: what ``bound`` would have been, had every guess been right.
        claimed: the epsilon that the generator claims, at the delta that the two were computed for.

    Returns:
        ``refuted``: the bound exceeds the claim; ``uninformative``: not even a training that gave every canary away
        would have been refuted; ``consistent``: it would have been, and was not.
    """
    if bound > claimed:
        return "refuted"
    return "consistent" if ceiling > claimed else "uninformative"
