"""How a small network is trained to measure what images are worth: one loop for every metric."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..audit.context import Context, Step
from ..audit.types import ImageSet, Index

_STRIDE = 8


@dataclass(frozen=True, slots=True)
class Recipe:
    """What all arms of a comparison share.

    Attributes:
        steps: optimiser steps, the same for every arm however many images it has.
        batch: images a step.
        rate: peak learning rate of the one-cycle schedule (Smith and Topin 2018, arXiv:1708.07120).
        decay: weight decay of AdamW.
    """

    steps: int
    batch: int
    rate: float
    decay: float = 1e-2


def network_input(images: ImageSet, index: Index | slice, device: str) -> Tensor:
    """Pixels of some images for a network: ``(n, channels, *spatial)``.

    Each image is standardised by itself, since intensities differ from centre to centre, and padded with zeros to a
    multiple of 8 a side, which the strides of the networks need.
    """
    x = torch.from_numpy(np.array(images.pixels[index])).to(device)
    axes = tuple(range(1, x.ndim))
    x = (x - x.mean(axes, keepdim=True)) / (x.std(axes, keepdim=True) + 1e-6)
    return pad(x)


def pad(x: Tensor) -> Tensor:
    """``x`` ``(n, channels, *spatial)`` with zeros after each axis, up to a multiple of 8."""
    margins = [m for size in reversed(x.shape[2:]) for m in (0, -size % _STRIDE)]
    return functional.pad(x, margins) if any(margins) else x


def lesion_target(images: ImageSet, index: Index | slice, device: str) -> Tensor:
    """``(n, 1, *spatial)`` 1.0 inside a lesion of some images, padded as ``network_input`` pads."""
    assert images.mask is not None
    return pad(torch.from_numpy(np.ascontiguousarray(images.mask[index] > 0)).to(device).float()[:, None])


def augment(x: Tensor, draw: torch.Generator, strength: float = 0.1) -> Tensor:
    """Each image under a random mirror image along its last axis, small affine map, gain and offset.

    Args:
        x: ``(n, channels, *spatial)``; append a mask as a last channel to move it with its image.
        draw: CPU generator.
        strength: standard deviation of the affine map's entries.
    """
    n, axes = len(x), x.ndim - 2
    matrix = torch.eye(axes, axes + 1) + strength * torch.randn(n, axes, axes + 1, generator=draw)
    # Grid coordinates run from the last axis to the first: row 0 moves along the last axis.
    matrix[:, 0] *= (torch.randint(0, 2, (n, 1), generator=draw) * 2 - 1).to(matrix.dtype)
    grid = functional.affine_grid(matrix.to(x.device), list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="border", align_corners=False)


def jitter(x: Tensor, draw: torch.Generator, strength: float = 0.1) -> Tensor:
    """Each image with a random gain and offset: scanners disagree on both."""
    shape = (len(x), 1, *([1] * (x.ndim - 2)))
    gain = 1 + strength * torch.randn(shape, generator=draw)
    offset = strength * torch.randn(shape, generator=draw)
    return x * gain.to(x.device) + offset.to(x.device)


def index_batches(n: int, recipe: Recipe, context: Context) -> Iterator[Index]:
    """``recipe.steps`` batches of exactly ``recipe.batch`` positions below ``n``: one shuffled pass after another."""
    rng = context.rng("batches")
    queue = np.empty(0, dtype=np.intp)
    for _ in range(recipe.steps):
        while len(queue) < recipe.batch:
            queue = np.concatenate([queue, rng.permutation(n)])
        # Sorted, for a memory map is read fastest in order; a batch's order changes nothing.
        yield np.sort(queue[: recipe.batch])
        queue = queue[recipe.batch :]


def train(
    model: nn.Module,
    loss: Callable[[Index, torch.Generator], Tensor],
    n: int,
    recipe: Recipe,
    context: Context,
    step: Step,
) -> None:
    """Train ``model`` in place for ``recipe.steps`` steps of AdamW with gradient clipping.

    Two calls with equal contexts see the same batches and augmentation, so that arms differ by their images alone.

    Args:
        model: on ``context.device``.
        loss: of the images at some positions, given a generator for augmentation.
        n: number of training images.
        recipe: what all arms share.
        context: source of randomness.
        step: the progress bar to move.
    """
    draw = context.torch_rng("augment")
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=recipe.rate, total_steps=recipe.steps)
    model.train()
    with context.torch_scope("dropout"):
        for index in index_batches(n, recipe, context):
            optimiser.zero_grad()
            value = loss(index, draw)
            value.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            step(1, f"loss {value.item():.3f}")
    model.eval()
