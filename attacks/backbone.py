"""The small convolutional network of the attacks that learn: sized for a CPU and 64 pixels."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ..audit.context import Arrays, Context
from ..audit.errors import BadInputError
from ..audit.types import ImageSet, Pixels

SIDE = 64


class Backbone(nn.Module):
    """Images ``(n, c, h, w)`` in [0, 1] to vectors ``(n, features)``.

    Each image is resized to 64 pixels and brought to mean 0 and variance 1. Positions are kept to the end (no global
    pooling): where a gyrus lies is what tells people apart. Group instead of batch normalisation, so that an image's
    vector does not depend on its neighbours in a batch.

    Args:
        channels: of the images.
        features: length of the result.
        width: channels of the first layer.
    """

    def __init__(self, channels: int, features: int, width: int) -> None:
        super().__init__()
        widths = [width, 2 * width, 3 * width, 4 * width]
        layers: list[nn.Module] = []
        before = channels
        for i, after in enumerate(widths):
            layers += [nn.Conv2d(before, after, 5 if i == 0 else 3, stride=2, padding=2 if i == 0 else 1)]
            layers += [nn.GroupNorm(4, after), nn.ReLU()]
            before = after
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(before * (SIDE // 16) ** 2, features))

    def forward(self, images: Tensor) -> Tensor:
        """The vectors, not normalised."""
        if images.shape[-2:] != (SIDE, SIDE):
            images = functional.interpolate(
                images, (SIDE, SIDE), mode="area" if images.shape[-1] > SIDE else "bilinear"
            )
        centred = images - images.mean((1, 2, 3), keepdim=True)
        spread = centred.square().mean((1, 2, 3), keepdim=True).sqrt()
        vectors: Tensor = self.layers(centred / torch.clamp(spread, min=1e-3))
        return vectors


def vectors_of(network: nn.Module, pixels: Pixels, device: str, block: int = 512) -> Tensor:
    """``network`` on all of ``pixels``, a block at a time, on ``device``, without gradients.

    Raises:
        BadInputError: if there are no images.
    """
    if not len(pixels):
        raise BadInputError("there are no images to compare\nrelease at least one image")
    network.eval()
    with torch.no_grad():
        parts = [
            network(torch.from_numpy(np.array(pixels[i : i + block])).to(device)) for i in range(0, len(pixels), block)
        ]
    return torch.cat(parts)


def keep_weights(
    network: nn.Module,
    train: Callable[[], None],
    context: Context,
    name: str,
    *inputs: ImageSet | str | float,
) -> None:
    """Train ``network`` in place, or give it the weights that it was trained to before.

    Args:
        network: as it was initialised.
        train: trains it.
        context: where weights are kept.
        name: what the network is.
        inputs: all that the weights depend on, see ``Context.kept``.
    """

    def make() -> Arrays:
        train()
        return {key: value.cpu().numpy() for key, value in network.state_dict().items()}

    weights = context.kept(name, make, *inputs)
    network.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()})
    network.eval()


def by_patient(images: ImageSet) -> list[NDArray[np.intp]]:
    """The positions of each patient's images, patients in sorted order."""
    _, position = np.unique(images.patient, return_inverse=True)
    return [np.flatnonzero(position == p) for p in range(int(position.max()) + 1)]
