"""Membership from how many strangers a candidate dominates."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..audit.context import Auxiliary
from ..audit.plugin import attack
from ..audit.target import Access, Target
from ..audit.types import FloatArray, ImageSet, MembershipScores
from .learning import LEAST
from .ratios import mean_out, offline_slope, rmia_offline, rmia_ratio
from .shadows import Combining, Count, Levels, Noises, Trial, judged, losses, shadow_models


@attack(
    family="membership",
    access=Access.DENOISER,
    paper="arXiv:2312.03262",
    patients={"reference": 2},
    standard={"shadows": 4},
    full={"shadows": 16, "noises": 8, "timesteps": 10},
)
def rmia(
    target: Target,
    candidates: ImageSet,
    aux: Auxiliary,
    *,
    shadows: Count = 0,
    gamma: Annotated[float, Field(ge=1, le=100, description="by how much a candidate must dominate a stranger")] = 1.0,
    slope: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="a: how a member's confidence goes with a stranger's; None: as shadow models have it",
        ),
    ] = None,
    timesteps: Levels = 5,
    noises: Noises = 4,
    combine: Combining = "max",
    batch: Annotated[int, Field(ge=1, description="images denoised at once")] = 128,
) -> MembershipScores:
    """Likelihood against that of shadow models, compared with reference images: how many it dominates (RMIA, offline).

    Zarifzadeh, Liu, Shokri, Low-cost high-power membership inference attacks (ICML 2024, arXiv:2312.03262). An image's
    ratio is its likelihood under the audited model over its likelihood in general; its score is the share of reference
    images, of which the audited model saw none, whose ratio it exceeds ``gamma`` times.

    The likelihood is exp(-loss). For a classifier, whose loss is -log p, that is the p that the paper takes. A
    denoiser's loss, the mean of the squared error over all values, is minus the logarithm of a normal density's
    geometric mean over the values (its constant left out); the mean and not the sum, for the offline form takes a
    member's p to lie between p_OUT and 1, which a density of a thousand dimensions is nowhere near. Levels weigh as in
    ``loss``.

    Scores are steps of one over the number of strangers, so a candidate's own ratio decides within a step.

    Raises:
        AccessError: if the denoiser is not granted.
        SkippedError: without shadow models, or where the generator cannot be trained again.
    """
    models = shadow_models(shadows, "rmia", aux, least=LEAST[combine])
    found = losses(target, candidates, models, aux, timesteps=timesteps, noises=noises, batch=batch)
    a = _slope(np.exp(-_mean(found.shadow_reference)), models.seen) if slope is None else slope

    def dominance(trial: Trial) -> FloatArray:
        ratio = _ratio(trial.asked, trial.judges, trial.out, a)
        strangers = _ratio(trial.reference, trial.judges_reference, trial.reference_out, a)[~trial.seen]
        strangers = strangers[np.isfinite(strangers)]
        within = np.log(ratio) / (1 + np.abs(np.log(ratio)))  # never reaches the next step
        share = rmia_offline(ratio, strangers, gamma) + within / (2 * len(strangers) + 2)
        return np.where(np.isfinite(ratio), share, np.nan)

    score = judged(dominance, found, combine, candidates.patient, aux.reference.patient)
    return MembershipScores(score, (*models.notes(), f"a = {a:.2f}"))


def _mean(loss: FloatArray) -> FloatArray:
    """Over the levels, which come last, weighed as in ``loss``."""
    weight = np.sin(np.pi * (np.arange(loss.shape[-1]) + 0.5) / loss.shape[-1])
    return np.asarray(loss @ (weight / weight.sum()))


def _ratio(own: FloatArray, judges: FloatArray, out: NDArray[np.bool_], a: float) -> FloatArray:
    return rmia_ratio(np.exp(-_mean(own)), mean_out(np.exp(-_mean(judges)), out), a)


def _slope(p: FloatArray, seen: NDArray[np.bool_]) -> float:
    """From images that some shadow models saw and some did not; half way where there are none."""
    inside, outside = mean_out(p, seen), mean_out(p, ~seen)
    both = np.isfinite(inside) & np.isfinite(outside)
    return offline_slope(inside[both], outside[both]) if both.any() else 0.5
