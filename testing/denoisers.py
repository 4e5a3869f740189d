"""A denoiser that needs no training: the ideal diffusion model of a finite set of images."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..audit.target import Queries
from ..audit.types import ImageSet

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

STEPS = 1000
UNTOLD = -1  # the label of what the model is told nothing of


@dataclass(frozen=True, eq=False)
class Memorizer:
    """The noise predictor that minimises the training loss over ``memory``: it knows these images by heart.

    Given x_t = sqrt(abar) x_0 + sqrt(1 - abar) eps with x_0 uniform on the memory, the best prediction of eps is
    (x_t - sqrt(abar) E[x_0 | x_t]) / sqrt(1 - abar), and E[x_0 | x_t] is a softmax over the memory (Karras et al. 2022,
    arXiv:2206.00364, appendix B.3). It diffuses pixels, brought to [-1, 1].

    Told no label it knows nobody: it predicts for the normal distribution of the memory's mean and variance, as a model
    does that overfits what it is told and not the rest. Which label it is told makes no difference.

    Attributes:
        memory: the images that it memorized: members for a leak, other patients for none.
        steps: noise levels.
    """

    memory: ImageSet
    steps: int = STEPS

    @cached_property
    def alphas_cumprod(self) -> "Tensor":
        """``(steps,)`` float64, Ho et al.'s linear schedule; for fewer steps, with as much noise in the end."""
        import torch

        betas = torch.linspace(1e-4, 0.02, self.steps, dtype=torch.float64) * (STEPS / self.steps)
        return torch.cumprod(1 - betas.clamp_max(0.999), 0)

    @cached_property
    def module(self) -> "Module":
        """What ``predict_noise`` rests on: the memory, frozen."""
        import torch

        known = torch.nn.Parameter(_scaled(self.memory).double().flatten(1), requires_grad=False)
        return torch.nn.ParameterDict({"known": known}).eval()

    def prepare(self, images: ImageSet) -> Queries:
        """Pixels in [-1, 1]; the condition is the label, 0 where there is none."""
        import torch

        label = np.zeros(len(images), np.int64) if images.label is None else np.array(images.label)
        return Queries(_scaled(images), (torch.from_numpy(label),))

    def unconditional(self, condition: "tuple[Tensor, ...]") -> "tuple[Tensor, ...]":
        """No label."""
        import torch

        return (torch.full_like(condition[0], UNTOLD),)

    def predict_noise(self, x_t: "Tensor", t: "Tensor", condition: "tuple[Tensor, ...]") -> "Tensor":
        """Epsilon for ``x_t``; differentiable, as a network's would be."""
        import torch

        known = dict(self.module.named_parameters())["known"]
        abar = self.alphas_cumprod[t.long()][:, None]
        flat = x_t.double().flatten(1)
        # |x - sqrt(abar) k|^2 up to what is the same for every k
        squared = abar * known.square().sum(1)[None] - 2 * abar.sqrt() * (flat @ known.T)
        by_heart = torch.softmax(-squared / (2 * (1 - abar)), dim=1) @ known
        centre, variance = known.mean(0), known.var(correction=0)
        gain = abar.sqrt() * variance / (abar * variance + 1 - abar)
        mean = torch.where(condition[0][:, None] == UNTOLD, centre + gain * (flat - abar.sqrt() * centre), by_heart)
        return ((flat - abar.sqrt() * mean) / (1 - abar).sqrt()).reshape(x_t.shape).to(x_t.dtype)


def _scaled(images: ImageSet) -> "Tensor":
    import torch

    return 2 * torch.from_numpy(np.array(images.pixels)) - 1
