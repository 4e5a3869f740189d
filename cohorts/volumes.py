"""Reading NIfTI volumes and cutting slices of one physical scale out of them."""

import zlib
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray
from scipy import ndimage

from ..audit.errors import BadInputError
from ..audit.pictures import require_content, unreadable
from ..audit.types import Masks, Pixels

AXES = {"sagittal": 0, "coronal": 1, "axial": 2}
ENDINGS = (".nii.gz", ".nii")
PERCENTILES = (0.5, 99.5)  # a few hot voxels must not darken the rest
BROKEN = (OSError, EOFError, ValueError, zlib.error, ImageFileError, HeaderDataError)
Plane = tuple[float, float]


def stem(path: Path) -> str:
    """The file's name without its ending."""
    return path.name.removesuffix(".gz").removesuffix(".nii")


def read_shape(path: Path, cohort: str) -> tuple[int, ...]:
    """``(x, y, z)`` or ``(x, y, z, channels)`` of a volume as ``read_volume`` would return it; reads the header only.

    Raises:
        BadInputError: if it cannot be read or is not 3-D or 4-D.
    """
    return tuple(int(n) for n in _open(path, cohort).shape)


def read_volume(path: Path, cohort: str) -> tuple[NDArray[np.float32], tuple[float, float, float]]:
    """A volume with its axes turned to right, front, up.

    Returns:
        ``(x, y, z)`` or ``(x, y, z, channels)`` float32, and the voxel's size in mm along x, y, z.

    Raises:
        BadInputError: if it cannot be read or is not 3-D or 4-D.
    """
    image = _open(path, cohort)
    try:
        array = np.asarray(image.dataobj, dtype=np.float32)
    except BROKEN as error:
        raise unreadable(error, f"cohort '{cohort}'", path.name) from error
    return array, _zooms(image)


def _open(path: Path, cohort: str) -> nibabel.Nifti1Image:
    try:
        image: nibabel.Nifti1Image = nibabel.Nifti1Image.from_filename(path)
        image = nibabel.as_closest_canonical(image)  # type: ignore[no-untyped-call]
    except BROKEN as error:
        raise unreadable(error, f"cohort '{cohort}'", path.name) from error
    if image.ndim not in {3, 4} or min(_zooms(image)) <= 0:
        raise BadInputError(
            f"cohort '{cohort}': {path.name} has shape {image.shape}, voxels of {_zooms(image)} mm\n"
            "it must be 3-D, or 4-D with channels last, with voxels of positive size"
        )
    return image


def _zooms(image: nibabel.Nifti1Image) -> tuple[float, float, float]:
    """The voxel's size in mm."""
    x, y, z = (*map(float, image.header["pixdim"][1:4]),)
    return x, y, z


def normalised(array: NDArray[np.float32], cohort: str, file: str) -> Pixels:
    """``(x, y, z, channels)`` in [0, 1]: between robust percentiles of each channel of this volume.

    Raises:
        BadInputError: if a channel is constant or not finite.
    """
    channels = array if array.ndim == 4 else array[..., None]
    scaled = np.empty_like(channels)
    for c in range(channels.shape[-1]):
        channel = channels[..., c]
        require_content(channel, f"cohort '{cohort}'", file)
        low, high = np.percentile(channel, PERCENTILES)
        if low == high:  # nearly all background: the few other voxels are the image
            low, high = float(channel.min()), float(channel.max())
        scaled[..., c] = np.clip((channel - low) / (high - low), 0, 1)
    return scaled


def in_plane(values: tuple[float, float, float], axis: str) -> Plane:
    """Those two of three values that belong to the rows and columns of a slice, as ``cut`` turns it."""
    first, second = (v for i, v in enumerate(values) if i != AXES[axis])
    return second, first


def cut(volume: NDArray[Any], axis: str, index: int) -> NDArray[Any]:
    """Slice ``index``, with the front (or the top) of the body in the first row and its left in the first column."""
    return np.rot90(np.take(volume, index, axis=AXES[axis]))


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
