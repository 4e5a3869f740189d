"""Segmentation utility: what synthetic images are worth for training a lesion segmenter."""

from typing import Annotated

import numpy as np
from pydantic import Field

from ..audit.context import Context
from ..audit.errors import SkippedError
from ..audit.plugin import metric
from ..audit.record import Measurement
from ..audit.types import ImageSet, Split, concatenate
from .fairness import dice_estimates
from .segmenter import segment, train_segmenter
from .training import Recipe

ARMS = ("real", "synthetic", "real+synthetic")


@metric(
    paper="MONAI U-Net, Cardoso et al. 2022, arXiv:2211.02701",
    needs=("mask",),
    patients={"members": 2, "holdout": 4},
    standard={"steps": 1500, "repeats": 3},
    full={"steps": 4000, "repeats": 5},
)
def dice(
    samples: ImageSet,
    split: Split,
    context: Context,
    *,
    steps: Annotated[int, Field(ge=2, description="optimiser steps of each of the three U-Nets")] = 400,
    batch: Annotated[int, Field(ge=2, description="images a step")] = 16,
    repeats: Annotated[int, Field(ge=1, description="trainings of each U-Net, over which Dice is averaged")] = 1,
    resamples: Annotated[int, Field(ge=100, description="bootstrap resamples of the patients")] = 2000,
) -> Measurement:
    """Dice on real holdout patients of a U-Net trained on real, synthetic, or both, with equal steps; by centre.

    The whole lesion is one class (``mask > 0``). An image without lesion counts 1 where none is predicted, else 0.
    Holdout images are only ever predicted, never trained or selected on.

    Raises:
        SkippedError: if members, holdout or samples have no masks, or nothing in them is marked.
    """
    for part, images in (("members", split.members), ("holdout", split.holdout), ("synthetic", samples)):
        if images.mask is None:
            raise SkippedError(f"needs masks, the {part} images have none")
        if not any(part.mask is not None and part.mask.any() for part in images.batches(256)):
            raise SkippedError(f"needs lesions, every mask of the {part} images is empty")
    training = dict(zip(ARMS, (split.members, samples, concatenate(split.members, samples)), strict=True))
    recipe = Recipe(steps=steps, batch=batch, rate=4e-3)
    scores = np.zeros((len(split.holdout), len(ARMS)))
    with context.progress.task("training segmenters", total=steps * repeats * len(ARMS)) as step:
        for arm, images in enumerate(training.values()):
            for repeat in range(repeats):
                # Not under the arm's name: all arms share initial weights, batches and augmentation.
                model = train_segmenter(images, recipe, context.under("repeat", str(repeat)), step)
                scores[:, arm] += segment(model, split.holdout, context.device) / repeats
    estimates = dice_estimates(scores, ARMS, split.holdout, context, resamples)
    note = f"{repeats} training(s) of each arm; intervals say what other patients would change, not another training"
    return Measurement(estimates=estimates, notes=(note,))
