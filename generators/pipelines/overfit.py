"""Training a pipeline's network on, until it knows a few images by heart: the leak that a power certificate plants."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from ...audit.context import Context
from ...audit.target import Queries
from ..latent.training import Plan, draw_batch, forget, train
from .parts import Pipeline

NAME = "overfit"
STEPS, BATCH = 300, 16
RATE, RATE_AT = 2e-3, 1e6  # the learning rate of a network of a million weights


def overfit(pipeline: Pipeline, queries: Queries, context: Context) -> None:
    """Train the network of ``pipeline`` in place, on ``queries`` alone, by the loss that it was trained with.

    The learning rate falls with the root of the number of weights: what a small network needs ruins a large one.

    Args:
        pipeline: whose network is trained.
        queries: what is diffused, and its classes where the pipeline has any, on the CPU.
        context: randomness, progress, folder of checkpoints.
    """
    network = pipeline.network.requires_grad_(requires_grad=True)
    weights = sum(p.numel() for p in network.parameters())
    plan = Plan(STEPS, RATE * min(1.0, math.sqrt(RATE_AT / weights)))
    train(NAME, network, noise_loss(pipeline, queries), plan, context)
    network.requires_grad_(requires_grad=False)
    forget(NAME, context)


def noise_loss(pipeline: Pipeline, queries: Queries) -> Callable[[torch.Generator], Tensor]:
    """The mean squared error of what the network predicts, on a random batch at uniform steps."""
    abar = pipeline.schedule

    def loss(rng: torch.Generator) -> Tensor:
        part = queries.take(draw_batch(len(queries), BATCH, rng))
        clean, count = part.latents, len(part)
        t = torch.randint(len(abar), (count,), generator=rng)
        noise = torch.randn(clean.shape, generator=rng)
        a, b = (share.sqrt().float()[t].view(-1, 1, 1, 1) for share in (abar, 1 - abar))
        targets = {"epsilon": noise, "v_prediction": a * noise - b * clean, "sample": clean}
        own = part.condition[0].to(pipeline.device) if part.condition else None
        predicted = pipeline.output((a * clean + b * noise).to(pipeline.device), t.to(pipeline.device), own)
        target = targets[pipeline.prediction].to(pipeline.device)
        return functional.mse_loss(predicted[:, : clean.shape[1]], target)

    return loss
