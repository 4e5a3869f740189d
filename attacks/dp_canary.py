"""An audit of a claim of differential privacy."""

from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ..audit.context import Auxiliary
from ..audit.errors import SkippedError
from ..audit.plugin import attack
from ..audit.record import Privacy
from ..audit.target import Access, Target
from ..audit.types import CanaryScores, FloatArray, ImageSet
from .canaries import make_canaries
from .passes import Part, Passes

CLOSE = 0.1  # two claims that differ by a smaller share say the same


@attack(
    family="canary",
    access=Access.DENOISER,
    paper="arXiv:2305.08846",
    patients={"reference": 4},
    standard={"canaries": 400, "timesteps": 10},
    full={"canaries": 1000, "timesteps": 20, "noises": 8},
)
def dp_canary(
    target: Target,
    candidates: ImageSet,  # noqa: ARG001
    aux: Auxiliary,
    *,
    canaries: Annotated[
        int, Field(ge=8, le=100_000, description="images of no patient, each put into the training by a fair coin")
    ] = 200,
    timesteps: Annotated[int, Field(ge=1, le=1000, description="noise levels, evenly spread over the schedule")] = 5,
    noises: Annotated[int, Field(ge=1, description="noises at each level, the same for every canary")] = 4,
    batch: Annotated[int, Field(ge=1, description="rows denoised at once")] = 128,
) -> CanaryScores:
    """Canaries put in by fair coins: a lower bound on epsilon, beside the epsilon that is claimed.

    The generator is trained once more, with its options, on the members and on those of m canaries (``make_canaries``)
    that fair coins choose; one canary is one unit of the claim, a patient or an image. Who knows the coins better than
    (epsilon, delta) allows refutes the claim (Steinke, Nasr, Jagielski, Privacy auditing with one (1) training run,
    2023, arXiv:2305.08846). The score is how much smaller the denoiser's error on a canary is than the audited model,
    which has seen none, would lead one to expect: the residual of a straight line through all canaries.

    Canaries are many beside a hospital's patients and would spoil the images, but they exist in the audit's own model
    only: the released one was trained before, without them. That model's claim is its own: more patients mean a smaller
    sampling rate, so what it states is what is tested, and a note says where that is not the audited claim.

    No claim above the ceiling, about log(m/6) for half of m guessed right, can be refuted with m canaries: 2.8 for 100,
    3.5 for 200, 4.2 for 400, 5.1 for 1,000.

    Raises:
        AccessError: if the denoiser is not granted.
        SkippedError: if nothing is claimed that could be tested, or the generator cannot be trained again.
    """
    claimed = _tested(target)
    asked = Passes.of(target, aux, batch)
    if aux.trainer is None:
        raise SkippedError(f"{target.generator} is not trained again here, so no canary can be put into its training")
    made = make_canaries(aux.reference, canaries, aux.context.rng("canaries"))
    trained = aux.trainer.with_canaries(made)
    before, after = (_losses(passes, made, timesteps, noises) for passes in (asked, Passes.of(trained, aux, batch)))
    return CanaryScores(made.patient, _unexpected(before, after), _notes(claimed, trained.privacy), trained.privacy)


def _tested(target: Target) -> Privacy:
    claim = target.privacy
    if claim is None:
        raise SkippedError(f"{target.generator} claims no differential privacy, so there is no claim to test")
    if claim.delta >= 1:
        raise SkippedError(f"{target.generator} claims a delta of 1, which every training keeps to")
    return claim


def _losses(passes: Passes, canaries: ImageSet, timesteps: int, noises: int) -> FloatArray:
    """``(m,)`` mean error of the denoiser over levels and noises."""

    def score(part: Part) -> Tensor:
        return torch.stack([part.losses(t, noises).mean(0) for t in passes.spread(timesteps)]).mean(0)

    return passes.scores(canaries, score, timesteps * noises)


def _unexpected(before: FloatArray, after: FloatArray) -> FloatArray:
    """``(m,)`` by how much ``after`` lies below its regression on ``before``."""
    centred = before - before.mean()
    spread = float(centred @ centred)
    slope = float(centred @ after) / spread if spread > 0 else 0.0
    score: FloatArray = np.mean(after) + slope * centred - after
    return score


def _notes(audited: Privacy, tested: Privacy | None) -> tuple[str, ...]:
    if tested is None or abs(tested.epsilon - audited.epsilon) <= CLOSE * audited.epsilon:
        return ()
    note = (
        f"the training with canaries states epsilon {tested.epsilon:.3g} at delta {tested.delta:g} for itself, the "
        f"audited model {audited.epsilon:.3g}: more patients mean a smaller sampling rate; tested is the former"
    )
    return (note,)
