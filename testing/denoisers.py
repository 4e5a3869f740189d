"""A denoiser that needs no training: the ideal diffusion model of a finite set of images."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..audit.target import Queries
from ..audit.types import ImageSet

if TYPE_CHECKING:
    from torch import Tensor

STEPS = 1000


@dataclass(frozen=True, eq=False)
class Memorizer:
    """The noise predictor that minimises the training loss over ``memory``: it knows these images by heart.

    Given x_t = sqrt(abar) x_0 + sqrt(1 - abar) eps with x_0 uniform on the memory, the best prediction of eps is
    (x_t - sqrt(abar) E[x_0 | x_t]) / sqrt(1 - abar), and E[x_0 | x_t] is a softmax over the memory (Karras et al. 2022,
    arXiv:2206.00364, appendix B.3). It diffuses pixels, brought to [-1, 1].

    Attributes:
        memory: the images that it memorized: members for a leak, other patients for none.
    """

    memory: ImageSet

    @property
    def alphas_cumprod(self) -> "Tensor":
        """``(1000,)`` float64, Ho et al.'s linear schedule."""
        import torch

        return torch.cumprod(1 - torch.linspace(1e-4, 0.02, STEPS, dtype=torch.float64), 0)

    def prepare(self, images: ImageSet) -> Queries:
        """Pixels in [-1, 1]; the condition is the label, which the model ignores."""
        import torch

        label = np.zeros(len(images), np.int64) if images.label is None else np.array(images.label)
        return Queries(_scaled(images), (torch.from_numpy(label),))

    def predict_noise(self, x_t: "Tensor", t: "Tensor", condition: "tuple[Tensor, ...]") -> "Tensor":  # noqa: ARG002
        """Epsilon for ``x_t``; differentiable, as a network's would be."""
        import torch

        abar = self.alphas_cumprod[t.long()][:, None]
        flat, known = x_t.double().flatten(1), _scaled(self.memory).double().flatten(1)
        # |x - sqrt(abar) k|^2 up to what is the same for every k
        squared = abar * known.square().sum(1)[None] - 2 * abar.sqrt() * (flat @ known.T)
        mean = torch.softmax(-squared / (2 * (1 - abar)), dim=1) @ known
        return ((flat - abar.sqrt() * mean) / (1 - abar).sqrt()).reshape(x_t.shape).to(x_t.dtype)


def _scaled(images: ImageSet) -> "Tensor":
    import torch

    return 2 * torch.from_numpy(np.array(images.pixels)) - 1
