"""Membership from the denoiser's loss."""

from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ..audit.context import Auxiliary
from ..audit.plugin import attack
from ..audit.target import Access, Target
from ..audit.types import ImageSet, MembershipScores
from .passes import Part, Passes


@attack(
    family="membership",
    access=Access.DENOISER,
    paper="arXiv:2302.03262",
    standard={"noises": 8, "timesteps": 10},
    full={"noises": 16, "timesteps": 20},
)
def loss(
    target: Target,
    candidates: ImageSet,
    aux: Auxiliary,
    *,
    timesteps: Annotated[int, Field(ge=1, le=1000, description="noise levels, evenly spread over the schedule")] = 5,
    noises: Annotated[int, Field(ge=1, description="noises at each level, the same for every candidate")] = 4,
    batch: Annotated[int, Field(ge=1, description="rows denoised at once")] = 128,
) -> MembershipScores:
    """Error of the denoiser on a candidate: a member's noise is predicted better.

    The mean of ||eps - eps_theta(x_t, t)||^2 over noises that all candidates share, so that candidates differ by
    their images alone; score = -loss. Matsumoto, Miura, Yanai, Membership inference attacks against diffusion models
    (2023, arXiv:2302.03262); Carlini et al., Extracting training data from diffusion models (2023, arXiv:2301.13188).
    The middle noise levels tell most (at the ends the noise hides the image, or there is none to predict), so level t
    of T weighs sin(pi t/T).

    Raises:
        AccessError: if the denoiser is not granted.
        ValueError: if the denoiser gives what is not finite.
    """
    passes = Passes.of(target, aux, batch)
    position = (np.arange(timesteps) + 0.5) / timesteps
    weight = np.sin(np.pi * position) / np.sin(np.pi * position).sum()

    def score(part: Part) -> Tensor:
        errors = [part.losses(t, noises).mean(0) for t in passes.spread(timesteps)]
        return -(torch.stack(errors, 1) @ torch.from_numpy(weight))

    return MembershipScores(passes.scores(candidates, score, timesteps * noises))
