"""A copy detector: an embedding in which an altered copy stays close to its original and other patients do not."""

import numpy as np
import torch
from torch.nn import functional

from ..audit.context import Context
from ..audit.types import ImageSet, Pixels
from .augmentation import Changes
from .backbone import Backbone, by_patient, keep_weights, vectors_of

STRONG = Changes(shift=4, rotation=10, zoom=0.05, gamma=0.5, gain=0.25, noise=0.08, blur=1, cutout=0.4)
FEATURES, WIDTH = 64, 16
TEMPERATURE = 0.2


def copy_detector(reference: ImageSet, context: Context, *, steps: int, batch: int) -> Backbone:
    """Train by contrast (NT-Xent): two altered views of an image attract, views of different patients repel.

    Dar et al., Unconditional latent diffusion models memorize patient imaging data (arXiv:2402.01054). A batch holds
    one image of each of its patients, so that slices of one patient are never pushed apart.

    Args:
        reference: real images that the attacker owns.
        context: randomness, device and progress.
        steps: optimiser steps.
        batch: patients in a batch.
    """
    with context.torch_scope("embedding weights"):
        network = Backbone(reference.channels, FEATURES, WIDTH).to(context.device)

    def train() -> None:
        _train(network, reference, context, steps, batch)

    keep_weights(network, train, context, "copy detector", reference, steps, batch)
    return network


def _train(network: Backbone, reference: ImageSet, context: Context, steps: int, batch: int) -> None:
    from pytorch_metric_learning.losses import NTXentLoss

    device = context.device
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=2e-3, total_steps=steps)
    loss_of = NTXentLoss(temperature=TEMPERATURE)
    rng, generator = context.rng("embedding batches"), context.torch_rng("embedding views")
    patients = by_patient(reference)
    batch = min(batch, len(patients))
    labels = torch.arange(batch, device=device).repeat(2)
    with context.progress.task("training copy detector", total=steps) as step:
        for _ in range(steps):
            chosen = rng.choice(len(patients), batch, replace=False)
            index = np.array([rng.choice(patients[p]) for p in chosen])
            images = torch.from_numpy(np.array(reference.pixels[index])).to(device)
            views = torch.cat([STRONG(images, generator), STRONG(images, generator)])
            loss = loss_of(network(views), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            step(1, f"loss {loss.item():.3f}")


def embedded(network: Backbone, pixels: Pixels, device: str) -> Pixels:
    """Unit vectors ``(n, 64)`` of the images; half their squared Euclidean distance is the cosine distance."""
    unit: Pixels = functional.normalize(vectors_of(network, pixels, device)).cpu().numpy()
    return unit
