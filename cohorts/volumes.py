"""Bringing the slices of volumes to one physical scale."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..audit.reading.volumes import AXES
from ..audit.types import Masks, Pixels

Plane = tuple[float, float]


def in_plane(values: tuple[float, float, float], axis: str) -> Plane:
    """Those two of three values that belong to the rows and columns of a slice, as ``cut`` turns it."""
    first, second = (v for i, v in enumerate(values) if i != AXES[axis])
    return second, first


def resampled(plane: NDArray[Any], voxel: Plane, size: int, spacing: float) -> Pixels:
    """``(h, w)`` in [0, 1] with voxels of ``voxel`` mm, to ``(size, size)`` pixels of ``spacing`` mm around its middle.

    Smaller slices are padded with 0, larger ones cropped.
    """
    steps = [spacing / v for v in voxel]
    blur = [0.4 * s if s > 1 else 0.0 for s in steps]  # so that shrinking does not alias
    smooth = ndimage.gaussian_filter(plane.astype(np.float32), blur) if any(blur) else plane.astype(np.float32)
    pixels: Pixels = np.clip(_affine(smooth, steps, size, order=1), 0, 1).astype(np.float32)
    return pixels


def resampled_mask(plane: NDArray[Any], voxel: Plane, size: int, spacing: float) -> Masks:
    """The same for classes: each pixel takes the nearest voxel's."""
    return _affine(plane.astype(np.uint8), [spacing / v for v in voxel], size, order=0).astype(np.uint8)


def _affine(plane: NDArray[Any], steps: list[float], size: int, order: int) -> NDArray[Any]:
    offset = [(n - 1) / 2 - step * (size - 1) / 2 for n, step in zip(plane.shape, steps, strict=True)]
    moved: NDArray[Any] = ndimage.affine_transform(
        plane, steps, offset, output_shape=(size, size), order=order, mode="grid-constant", cval=0
    )
    return moved
