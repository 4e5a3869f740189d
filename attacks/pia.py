"""Membership from the model's own noise."""

from typing import Annotated

from pydantic import Field
from torch import Tensor

from ..audit.context import Auxiliary
from ..audit.plugin import attack
from ..audit.target import Access, Target
from ..audit.types import ImageSet, MembershipScores
from .passes import Part, Passes, p_norm


@attack(family="membership", access=Access.DENOISER, paper="arXiv:2305.18355")
def pia(
    target: Target,
    candidates: ImageSet,
    aux: Auxiliary,
    *,
    at: Annotated[float, Field(gt=0, lt=1, description="noise level compared at, as a share of the schedule")] = 0.2,
    p: Annotated[float, Field(ge=1, description="of the norm")] = 4,
    batch: Annotated[int, Field(ge=1, description="rows denoised at once")] = 128,
) -> MembershipScores:
    """Whether the model finds again the noise that it saw in a candidate itself: closer for a member (PIA).

    Kong et al., An efficient membership inference attack for the diffusion model by proximal initialization (ICLR 2024,
    arXiv:2305.18355): eps_0 = eps_theta(x_0, 0) is laid on x_0 at step t, and
    score = -||eps_0 - eps_theta(sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps_0, t)||_p, p = 4 and t = 200 of 1000 as theirs.

    How large eps_0 is differs between members and others too: a model trained for long sees next to no noise in
    a member (root mean square 0.27 against 1.02), which turned the score around (AUC 0.05), while less overtrained
    ones kept its direction (0.96). ``pian`` takes the size out. No t from 0.1 to 0.7 told more than 0.2 throughout.

    Raises:
        AccessError: if the denoiser is not granted.
        ValueError: if the denoiser gives what is not finite.
    """
    passes = Passes.of(target, aux, batch)
    t = max(1, passes.step_at(at))

    def score(part: Part) -> Tensor:
        noise = part.at_zero()
        return -p_norm(noise - part.predict(passes.noised(part.x_0, noise, t), t), p)

    return MembershipScores(passes.scores(candidates, score, 2))
