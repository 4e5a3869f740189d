"""Membership from the denoiser's loss."""

from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from ..audit.context import Auxiliary
from ..audit.plugin import attack
from ..audit.target import Access, Target
from ..audit.types import ImageSet, MembershipScores


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
    batch: Annotated[int, Field(ge=1, description="candidates denoised at once")] = 128,
) -> MembershipScores:
    """Error of the denoiser on a candidate: a member's noise is predicted better.

    The mean of ||eps - eps_theta(x_t, t)||^2 over noises that all candidates share, so that candidates differ by
    their images alone; score = -loss. Matsumoto, Miura, Yanai, Membership inference attacks against diffusion models
    (2023, arXiv:2302.03262); Carlini et al., Extracting training data from diffusion models (2023, arXiv:2301.13188).
    The middle noise levels tell most (at the ends the noise hides the image, or there is none to predict), so level t
    of T weighs sin(pi t/T).

    Raises:
        AccessError: if the denoiser is not granted.
    """
    denoiser = target.denoiser()
    context = aux.context
    levels = len(denoiser.alphas_cumprod)
    position = (np.arange(timesteps) + 0.5) / timesteps
    chosen = np.minimum((position * levels).astype(int), levels - 1)
    weight = np.sin(np.pi * position) / np.sin(np.pi * position).sum()
    generator = context.torch_rng("noise")
    score = np.zeros(len(candidates))
    eps: torch.Tensor | None = None
    with torch.no_grad(), context.progress.task("denoising candidates", total=len(candidates)) as step:
        for start in range(0, len(candidates), batch):
            queries = denoiser.prepare(candidates.take(slice(start, start + batch)))
            x0 = queries.latents.to(context.device)
            condition = tuple(c.to(context.device) for c in queries.condition)
            if eps is None:
                shape = (timesteps, noises, *x0.shape[1:])
                eps = torch.randn(shape, generator=generator).to(context.device)
            for level, (t, share) in enumerate(zip(chosen.tolist(), weight, strict=True)):
                abar = float(denoiser.alphas_cumprod[t])
                at = torch.full((len(x0),), t, dtype=torch.long, device=context.device)
                for noise in eps[level]:
                    predicted = denoiser.predict_noise(abar**0.5 * x0 + (1 - abar) ** 0.5 * noise, at, condition)
                    error = (predicted - noise).flatten(1).square().mean(1).double().cpu().numpy()
                    score[start : start + len(x0)] -= share * error / noises
            step(len(x0))
    return MembershipScores(score)
