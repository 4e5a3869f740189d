"""Canary scores -> how many coins were guessed right, and the epsilon that this refutes."""

from math import comb

import numpy as np
from numpy.typing import NDArray

from ..context import Context
from ..record import Estimate, Privacy
from ..statistics.one_run import Judgement, judgement_of, one_run_bound, one_run_ceiling, one_run_p_value
from ..statistics.stats import proportion_interval
from ..types import CanaryScores
from .measured import Measured, histogram

METHOD = "bound of Steinke et al. 2023 (arXiv:2305.08846) for one training"
GUESSED = 4
"""Of so many canaries, the highest score is guessed "in", the lowest "out", and the rest are not guessed."""


def measure_canaries(scores: CanaryScores, trained_on: NDArray[np.bool_], context: Context) -> Measured:
    """Guess the coins of the canaries with the highest and the lowest scores, and count.

    The highest quarter is guessed to have been trained on, the lowest quarter not; the rest is left open. How many is
    fixed beforehand: a number chosen by how well it does would need a correction, and a bound from half the canaries is
    nearly the best one for scores that tell much or little (docs/statistics.md). There are as many guesses of either
    kind, so knowing only how many canaries were put in, which a claim takes to be public, is of no help.

    Args:
        scores: of the attack, and the claim it tested.
        trained_on: ``(m,)`` the coins, in the order of the scores.
        context: for the confidence.

    Returns:
        ``epsilon_lower`` beside ``epsilon_claimed`` and ``epsilon_ceiling``, at the claim's delta, and
        ``guesses_right``; ``claim.judgement_in`` reads the three.
    """
    claim, canaries = scores.claim, len(scores.score)
    each = canaries // GUESSED
    if claim is None:
        return Measured((), notes=scores.notes, invalid="the training with canaries states no claim to be tested")
    if not each:
        return Measured((), notes=scores.notes, invalid=f"{canaries} canaries are too few to guess any")
    if np.ptp(scores.score) == 0:
        return Measured((), notes=scores.notes, invalid="all canaries score alike, so none can be guessed")
    order = np.argsort(scores.score, kind="stable")  # names, by which ties are broken, know nothing of the coins
    guesses = 2 * each
    right = int(trained_on[order[-each:]].sum() + (~trained_on[order[:each]]).sum())
    bound = one_run_bound(context.confidence, claim.delta, canaries, guesses, right)
    ceiling = one_run_ceiling(context.confidence, claim.delta, canaries, guesses)
    judgement = judgement_of(bound, ceiling, claim.epsilon)
    counts = f"{canaries} canaries, {int(trained_on.sum())} of them trained on; {guesses} guessed, {right} right"
    estimates = (
        Estimate(
            name="epsilon_lower",
            value=bound,
            low=bound,
            null=0.0,
            n=guesses,
            unit=claim.unit,
            worse="higher",
            p_value=one_run_p_value(0.0, claim.delta, canaries, guesses, right),
            method=f"{METHOD}; one-sided at {context.confidence:.0%}",
            note=f"{counts}; {_said(judgement, bound, ceiling, claim)}",
        ),
        Estimate(
            name="epsilon_claimed",
            value=claim.epsilon,
            n=guesses,
            unit=claim.unit,
            worse="none",
            note=f"for the training with canaries, at delta {claim.delta:g}",
        ),
        Estimate(
            name="epsilon_ceiling",
            value=ceiling,
            n=guesses,
            unit=claim.unit,
            worse="none",
            method=METHOD,
            note=f"the bound, had all {guesses} guesses been right",
        ),
        _accuracy(right, guesses, claim, context.confidence),
    )
    groups = {"trained on": scores.score[trained_on], "not trained on": scores.score[~trained_on]}
    plot = histogram("canaries", "score", groups)
    return Measured(estimates, (plot,), scores.notes)


def _accuracy(right: int, guesses: int, claim: Privacy, confidence: float) -> Estimate:
    interval = proportion_interval(right, guesses, confidence)
    chance = sum(comb(guesses, k) for k in range(right, guesses + 1)) / 2**guesses
    return Estimate(
        name="guesses_right",
        value=right / guesses,
        low=interval.low,
        high=interval.high,
        null=0.5,
        n=guesses,
        unit=claim.unit,
        worse="higher",
        p_value=chance,
        method="Clopper-Pearson; exact binomial test",
    )


def _said(judgement: Judgement, bound: float, ceiling: float, claim: Privacy) -> str:
    claimed = f"the claim of epsilon {claim.epsilon:.3g} at delta {claim.delta:g}"
    if judgement == "refuted":
        return f"{claimed} is refuted: epsilon is above {bound:.3g}"
    if judgement == "consistent":
        return f"{claimed} is consistent with it, where any below {ceiling:.3g} could have been refuted"
    return (
        f"uninformative of {claimed}: had every guess been right, no claim above {ceiling:.3g} would have been refuted"
    )
