"""A diffusers pipeline as an attacker with query access sees it: epsilon, whatever the network predicts."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...audit.target import Queries
from ...audit.types import ImageSet
from .classes import Classes
from .parts import Pipeline

LEAST = 2.0**-24  # what diffusers' own solvers put for an abar of zero, so that attacks divide by none


@dataclass(frozen=True, eq=False)
class PipelineDenoiser:
    """The noise predictor of a pipeline: an ``OpenDenoiser``.

    Attributes:
        pipeline: the pipeline.
        classes: of the labels; None where it is not conditioned.
        batch: images in the network at once.
    """

    pipeline: Pipeline
    classes: Classes | None
    batch: int

    @property
    def alphas_cumprod(self) -> Tensor:
        """``(T,)`` float64 abar_t as the pipeline's scheduler has it; where it is zero, 2**-24."""
        return self.pipeline.schedule.clamp_min(LEAST)

    def prepare(self, images: ImageSet) -> Queries:
        """Pixels in [-1, 1], or their latents scaled as the network takes them, and each image's class."""
        encoded = [self.pipeline.encode(part).cpu() for part in images.batches(self.batch)]
        latents = torch.cat(encoded) if encoded else torch.empty((0, *self.pipeline.diffused))
        return Queries(latents, () if self.classes is None else (self.classes.of(images),))

    @property
    def module(self) -> nn.Module:
        """The network, frozen."""
        return self.pipeline.network

    @property
    def unconditional(self) -> Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]] | None:
        """The class that means "none"; None for a pipeline that has no such class."""
        null = None if self.classes is None else self.classes.null
        return None if null is None else lambda condition: (torch.full_like(condition[0], null),)

    def predict_noise(self, x_t: Tensor, t: Tensor, condition: tuple[Tensor, ...]) -> Tensor:
        """Epsilon for ``x_t`` at integer steps ``t``, on the device of ``x_t``; differentiable where asked for."""
        found = []
        for start in range(0, len(x_t), self.batch):
            rows = slice(start, start + self.batch)
            device = self.pipeline.device
            classes = condition[0][rows].to(device) if condition else None
            found.append(epsilon(self.pipeline, x_t[rows].to(device), t[rows].to(device), classes).to(x_t.device))
        return torch.cat(found) if found else torch.empty_like(x_t)


def epsilon(pipeline: Pipeline, x_t: Tensor, t: Tensor, classes: Tensor | None) -> Tensor:
    """The noise in ``x_t`` ``(n, c, h, w)`` at steps ``t`` ``(n,)``, by what the network was trained to predict.

    With ``a = sqrt(abar_t)`` and ``b = sqrt(1 - abar_t)``: epsilon itself; from a velocity ``a v + b x_t`` (Salimans &
    Ho 2022, arXiv 2202.00512); from a predicted image ``(x_t - a x_0) / b``. A learned variance is left aside.
    """
    predicted = pipeline.output(x_t, t, classes)[:, : x_t.shape[1]]
    abar = pipeline.schedule.to(t.device)[t].view(-1, 1, 1, 1)
    a, b = abar.sqrt().to(x_t.dtype), (1 - abar).sqrt().to(x_t.dtype)
    if pipeline.prediction == "v_prediction":
        return a * predicted + b * x_t
    if pipeline.prediction == "sample":
        return (x_t - a * predicted) / b
    return predicted
