"""Membership from the likelihood ratio of models trained without a candidate."""

from typing import Annotated

from pydantic import Field

from ..audit.context import Auxiliary
from ..audit.plugin import attack
from ..audit.target import Access, Target
from ..audit.types import FloatArray, ImageSet, MembershipScores
from .learning import LEAST
from .ratios import confidence_logit, lira_offline
from .shadows import Combining, Count, Levels, Noises, Trial, judged, losses, shadow_models


@attack(
    family="membership",
    access=Access.DENOISER,
    paper="arXiv:2112.03570",
    patients={"reference": 2},
    standard={"shadows": 4},
    full={"shadows": 16, "noises": 8, "timesteps": 10},
)
def lira(
    target: Target,
    candidates: ImageSet,
    aux: Auxiliary,
    *,
    shadows: Count = 0,
    timesteps: Levels = 5,
    noises: Noises = 4,
    combine: Combining = "max",
    batch: Annotated[int, Field(ge=1, description="images denoised at once")] = 128,
) -> MembershipScores:
    """Loss against that of shadow models that never saw the candidate: how far below it lies (LiRA, offline).

    Carlini et al., Membership inference attacks from first principles (IEEE S&P 2022, arXiv:2112.03570). Shadow models
    are trained on halves of the reference patients, so none has seen a candidate: for each candidate their losses say
    what a model without it would give, however easy or difficult it is, and a member's loss lies below. Statistic and
    test: ``confidence_logit`` and ``lira_offline``.

    Raises:
        AccessError: if the denoiser is not granted.
        SkippedError: without shadow models, or where the generator cannot be trained again.
    """
    models = shadow_models(shadows, "lira", aux, least=LEAST[combine])
    found = losses(target, candidates, models, aux, timesteps=timesteps, noises=noises, batch=batch)
    return MembershipScores(judged(_ratio, found, combine, candidates.patient, aux.reference.patient), models.notes())


def _ratio(trial: Trial) -> FloatArray:
    return lira_offline(confidence_logit(trial.asked), confidence_logit(trial.judges), trial.out)
