"""Membership from how much worse the model knows what lies next to a candidate."""

from dataclasses import replace
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from ..audit.context import Auxiliary
from ..audit.plugin import attack
from ..audit.target import Access, Target
from ..audit.types import ImageSet, MembershipScores
from .passes import Part, Passes

WIDEST = 0.95  # share of the side that the widest crop leaves


@attack(
    family="membership",
    access=Access.DENOISER,
    paper="arXiv:2308.12143",
    standard={"noises": 8, "copies": 6},
    full={"noises": 16, "copies": 10},
)
def pfami(
    target: Target,
    candidates: ImageSet,
    aux: Auxiliary,
    *,
    at: Annotated[float, Field(gt=0, lt=1, description="noise level compared at, as a share of the schedule")] = 0.1,
    copies: Annotated[int, Field(ge=1, le=100, description="altered copies of a candidate")] = 3,
    smallest: Annotated[
        float, Field(gt=0.2, lt=1, description="share of the side that the closest crop leaves; the widest leaves 0.95")
    ] = 0.8,
    noises: Annotated[int, Field(ge=1, description="noises, the same for every candidate and copy")] = 4,
    batch: Annotated[int, Field(ge=1, description="rows denoised at once")] = 128,
) -> MembershipScores:
    """How much worse the denoiser is on cropped copies of a candidate: a member is a peak of what it knows (PFAMI).

    Fu et al., A probabilistic fluctuation based membership inference attack for diffusion models (arXiv:2308.12143):
    score = mean over copies and noises of (loss of the copy - loss of the candidate) / loss of the candidate; a copy is
    the middle of the image, cropped ever closer and brought back to size, its mask along with it. Little noise tells
    most: on overtrained pixel models the AUC fell from 0.94 at a tenth of the schedule to 0.59 at half of it. The
    candidate's own loss is shared with ``loss``.

    Raises:
        AccessError: if the denoiser is not granted.
        ValueError: if the denoiser gives what is not finite.
    """
    passes = Passes.of(target, aux, batch)
    t = max(1, passes.step_at(at))

    def score(part: Part) -> Tensor:
        own = part.losses(t, noises).mean(0)
        found = torch.zeros_like(own)
        for left in np.linspace(WIDEST, smallest, copies):
            beside = passes.part(cropped(part.images, float(left)), part.step).losses(t, noises).mean(0)
            found += (beside - own) / own.clamp_min(1e-30) / copies
        return found

    return MembershipScores(passes.scores(candidates, score, noises * (1 + copies)))


def cropped(images: ImageSet, left: float) -> ImageSet:
    """The middle of each image, ``left`` of each side of it, at the images' own size."""
    pixels = torch.from_numpy(np.array(images.pixels))
    mask = None if images.mask is None else torch.from_numpy(np.array(images.mask))[:, None].float()
    smooth = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(images.spatial)]

    def middle(values: Tensor, mode: str) -> Tensor:
        for axis, side in enumerate(images.spatial, start=2):
            kept = max(1, min(side - 1, round(left * side)))
            values = values.narrow(axis, (side - kept) // 2, kept)
        return functional.interpolate(values, size=images.spatial, mode=mode)

    return replace(
        images,
        pixels=middle(pixels, smooth).clamp(0, 1).numpy(),
        mask=None if mask is None else middle(mask, "nearest")[:, 0].to(torch.uint8).numpy(),
    )
