"""An image encoder that is always there: a fixed random convolutional network.

Why random and not learned: no weights to obtain, the same numbers on every machine, and it treats real and synthetic
images alike - an encoder trained on reference patients ignores the noise and blur that it was taught to ignore. Random
filters answer to whatever statistics the images have (random-weight networks rank generators much as trained ones
do: Naeem et al. 2020, arXiv:2002.09797), here at four scales, so that texture, edges, contrast and anatomy all count.
Each filter sums to zero: brightness alone moves nothing but a feature of its own. Features are measured in
standard deviations of the reference patients', for otherwise the coarse scales would outvote the fine ones. So the
numbers compare generators on one cohort, not cohorts with each other.
"""

import numpy as np
import torch
from torch.nn import functional

from ..audit.context import seed_sequence
from ..audit.types import FloatArray, ImageSet, Pixels

NAME = "randconv"
_SCALES = 4
_FILTERS = 12
_BATCH = 64


def _filters(purpose: str, inputs: int, axes: int) -> torch.Tensor:
    """``(_FILTERS, inputs, 3, ...)`` zero-sum unit-norm filters; a part of the method, so the same in every audit."""
    drawn = np.random.default_rng(seed_sequence(0, NAME, purpose)).normal(size=(_FILTERS, inputs, 3**axes))
    drawn -= drawn.mean(axis=2, keepdims=True)
    drawn /= np.sqrt((drawn**2).sum(axis=(1, 2), keepdims=True))
    return torch.from_numpy(drawn.astype(np.float32).reshape(_FILTERS, inputs, *([3] * axes)))


class RandomConvolutions:
    """Features of images by a fixed random network, in standard deviations of the reference.

    Args:
        reference: real images that set the scale of each feature.
    """

    def __init__(self, reference: ImageSet) -> None:
        axes = len(reference.spatial)
        self._convolve = (functional.conv2d, functional.conv3d)[axes - 2]
        self._shrink = (functional.avg_pool2d, functional.avg_pool3d)[axes - 2]
        self._first = _filters("first", reference.channels, axes)
        self._second = _filters("second", _FILTERS, axes)
        raw = self._raw(reference)
        self._mean = raw.mean(axis=0)
        spread = raw.std(axis=0)
        self._kept = spread > 1e-6
        self._spread = spread[self._kept]

    def __call__(self, images: ImageSet) -> FloatArray:
        """``(n, d)`` float64 features."""
        features: FloatArray = (self._raw(images) - self._mean)[:, self._kept] / self._spread
        return features

    def _raw(self, images: ImageSet) -> FloatArray:
        parts = [self._embed(torch.from_numpy(np.array(part.pixels))) for part in images.batches(_BATCH)]
        return np.concatenate(parts).astype(np.float64)

    def _embed(self, x: torch.Tensor) -> Pixels:
        """Log mean absolute response of both layers at every scale, and the brightness and its spread."""
        axes = tuple(range(2, x.ndim))
        found = [x.mean(axes), x.std(axes)]
        for _ in range(_SCALES):
            first = self._convolve(x, self._first, padding="same").abs()
            second = self._convolve(first, self._second, padding="same").abs()
            found += [torch.log(first.mean(axes) + 1e-4), torch.log(second.mean(axes) + 1e-4)]
            if min(x.shape[2:]) < 8:
                break
            x = self._shrink(x, 2)
        embedded: Pixels = torch.cat(found, dim=1).numpy()
        return embedded
