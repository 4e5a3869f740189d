"""Membership from the error of one deterministic step."""

from itertools import pairwise
from math import sqrt
from typing import Annotated

from pydantic import Field
from torch import Tensor

from ..audit.context import Auxiliary
from ..audit.errors import SkippedError
from ..audit.plugin import attack
from ..audit.target import Access, Target
from ..audit.types import ImageSet, MembershipScores
from .passes import Part, Passes


@attack(family="membership", access=Access.DENOISER, paper="arXiv:2302.01316")
def secmi(
    target: Target,
    candidates: ImageSet,
    aux: Auxiliary,
    *,
    at: Annotated[float, Field(gt=0, lt=1, description="noise level compared at, as a share of the schedule")] = 0.1,
    stride: Annotated[
        float, Field(gt=0, lt=1, description="length of a deterministic step, as a share of the schedule")
    ] = 0.01,
    batch: Annotated[int, Field(ge=1, description="rows denoised at once")] = 128,
) -> MembershipScores:
    """Error of a deterministic step there and back: it is smaller for a member (SecMI, the statistic).

    Duan et al., Are diffusion models vulnerable to membership inference attacks? (ICML 2023, arXiv:2302.01316): x_0 is
    inverted to x_t by DDIM, stride by stride; one stride further and back gives x~_t; score = -||x~_t - x_t||^2. With
    the paper's t = 100 of 1000 and stride 10, as shares, so that other schedules are asked at the same noise.

    On overtrained pixel models this told most of all t, but turned around (AUC 0.00 to 0.23; later t 0.14 to 0.94): the
    model sees next to no noise in a member itself, so that inverting it leads off the path that noise takes. Hence an
    AUC far below 0.5 is a finding too, and the statistics take it as one.

    Raises:
        AccessError: if the denoiser is not granted.
        SkippedError: if the schedule is too short for a step there and back.
        ValueError: if the denoiser gives what is not finite.
    """
    passes = Passes.of(target, aux, batch)
    t, width = max(1, passes.step_at(at)), max(1, passes.step_at(stride))
    if t + width >= passes.levels:
        raise SkippedError(f"{target.generator} has {passes.levels} noise levels, none {width} beyond step {t}")
    inversion = [*range(0, t, width), t]
    abar, beyond = passes.abar(t), passes.abar(t + width)
    # x~_t - x_t is this times the difference of the two epsilons: what both have in common is left out on paper, where
    # float32 would lose the rest in it.
    gain = sqrt(1 - abar) - sqrt(abar / beyond * (1 - beyond))

    def score(part: Part) -> Tensor:
        x_t, epsilon = part.x_0, part.at_zero()
        for now, then in pairwise(inversion):
            x_t = passes.moved(x_t, epsilon, now, then)
            epsilon = part.predict(x_t, then)
        back = part.predict(passes.moved(x_t, epsilon, t, t + width), t + width)
        return -gain * gain * (back - epsilon).flatten(1).square().sum(1)

    return MembershipScores(passes.scores(candidates, score, len(inversion) + 1))
