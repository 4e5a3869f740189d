"""Membership from the model's own noise, brought to the size that noise has."""

from math import pi, sqrt
from typing import Annotated

from pydantic import Field
from torch import Tensor

from ..audit.context import Auxiliary
from ..audit.plugin import attack
from ..audit.target import Access, Target
from ..audit.types import ImageSet, MembershipScores
from .passes import Part, Passes, p_norm


@attack(family="membership", access=Access.DENOISER, paper="arXiv:2305.18355")
def pian(
    target: Target,
    candidates: ImageSet,
    aux: Auxiliary,
    *,
    at: Annotated[float, Field(gt=0, lt=1, description="noise level compared at, as a share of the schedule")] = 0.2,
    p: Annotated[float, Field(ge=1, description="of the norm")] = 4,
    batch: Annotated[int, Field(ge=1, description="rows denoised at once")] = 128,
) -> MembershipScores:
    """The same as pia with the noise scaled to the size that noise has: closer for a member (PIAN).

    Kong et al. (ICLR 2024, arXiv:2305.18355): eps_0 = eps_theta(x_0, 0) is scaled until its mean absolute value is that
    of standard normal noise, sqrt(2/pi); then as in ``pia``. Implementations that scale it by sqrt(pi/2) instead make
    noise that the model never saw.

    Raises:
        AccessError: if the denoiser is not granted.
        ValueError: if the denoiser gives what is not finite, or no noise at all.
    """
    passes = Passes.of(target, aux, batch)
    t = max(1, passes.step_at(at))

    def score(part: Part) -> Tensor:
        noise = part.at_zero()
        size = noise.flatten(1).abs().mean(1).view(-1, *[1] * (noise.ndim - 1))
        noise = noise * (sqrt(2 / pi) / size.clamp_min(1e-12))
        return -p_norm(noise - part.predict(passes.noised(part.x_0, noise, t), t), p)

    return MembershipScores(passes.scores(candidates, score, 2))
