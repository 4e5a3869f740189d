"""Membership from how far a candidate pulls at the weights."""

from typing import Annotated

import numpy as np
from pydantic import Field

from ..audit.context import Auxiliary
from ..audit.plugin import attack
from ..audit.target import Access, Target
from ..audit.types import ImageSet, MembershipScores
from .gradients import gradient_norms as norms_of
from .learning import Known, Lesson, combined, log_odds
from .shadows import Combining, Count, Levels, Noises, shadow_models


@attack(
    family="membership",
    access=Access.WEIGHTS,
    paper="doi:10.56553/popets-2025-0068",
    patients={"reference": 4},
    standard={"shadows": 4},
    full={"shadows": 16, "timesteps": 20},
)
def gradient_norms(
    target: Target,
    candidates: ImageSet,
    aux: Auxiliary,
    *,
    shadows: Count = 0,
    timesteps: Levels = 10,
    noises: Noises = 1,
    penalty: Annotated[
        float, Field(gt=0, le=1e6, description="L2 penalty of the classifier, which has a weight for every tensor")
    ] = 100.0,
    combine: Combining = "mean",
) -> MembershipScores:
    """Norms of the loss gradient, tensor by tensor, judged by a classifier that shadow models taught (GSA).

    Pang, Wang, Kang, Huai, Zhang, White-box membership inference attacks against diffusion models (PoPETs 2025,
    arXiv:2308.06405): a model fits its members, so their loss pulls less at its weights, and it differs from layer to
    layer how much less. Of the shadow models it is known which reference patients they saw; on those a logistic
    regression learns what tells members. Theirs is XGBoost on tens of thousands of images; there are some hundred here.
    Each model's norms are first brought to mean 0 and deviation 1 over reference patients whom it never saw. A score is
    the log-odds of membership.

    A patient's score is by default the mean log-odds of the images. With ``combine=learned`` it is learned: a second
    regression, on the largest, mean and smallest log-odds of a reference patient's images (each from a classifier
    fitted without that patient) and their number. With few reference patients its weights are of any sign.

    Raises:
        AccessError: if the weights are not granted.
        SkippedError: without shadow models, or where the generator cannot be trained again.
    """
    models = shadow_models(shadows, "gradient-norms", aux)
    reference, patients = aux.reference, aux.reference.patient
    taught = [
        Lesson(norms_of(model, reference, aux, timesteps, noises), seen, patients)
        for model, seen in zip(models.models, models.seen, strict=True)
    ]
    asked = norms_of(target, candidates, aux, timesteps, noises)
    strangers = norms_of(target, reference, aux, timesteps, noises)
    both, held = log_odds(taught, np.concatenate([asked, strangers]), strangers, 1 / penalty)
    score = combined(
        combine,
        both[: len(asked)],
        candidates.patient,
        lambda: [Known(own, one.seen, patients) for own, one in zip(held, taught, strict=True)],
        lambda: Known(both[len(asked) :], np.zeros(len(reference), dtype=bool), patients),
    )
    return MembershipScores(score, (*models.notes(), f"{asked.shape[1]} tensors of weights"))
