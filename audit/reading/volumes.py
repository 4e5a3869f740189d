"""Reading NIfTI: volumes with their axes turned to right, front, up, in [0, 1], and the slices of one."""

import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInputError, unreadable
from ..types import Pixels
from .scale import Range, between, require_content

if TYPE_CHECKING:
    import nibabel

AXES = {"sagittal": 0, "coronal": 1, "axial": 2}
ENDINGS = (".nii.gz", ".nii")


def stem(path: Path) -> str:
    """The file's name without its ending."""
    return path.name.removesuffix(".gz").removesuffix(".nii")


def read_shape(path: Path, label: str) -> tuple[int, ...]:
    """``(x, y, z)`` or ``(x, y, z, channels)`` of a volume as ``read_volume`` would return it; reads the header only.

    Raises:
        BadInputError: if it cannot be read or has not two to four axes.
    """
    return tuple(int(n) for n in _open(path, label).shape)


def read_volume(path: Path, label: str) -> tuple[NDArray[np.float32], tuple[float, float, float]]:
    """A volume with its axes turned to right, front, up; one of two axes is a single axial slice.

    Args:
        path: a .nii or .nii.gz file.
        label: of the reader, for messages.

    Returns:
        ``(x, y, z)`` or ``(x, y, z, channels)`` float32, and the voxel's size in mm along x, y, z.

    Raises:
        BadInputError: if it cannot be read or has not two to four axes.
    """
    image = _open(path, label)
    try:
        array = np.asarray(image.dataobj, dtype=np.float32)
    except _broken() as error:
        raise unreadable(error, label, path.name) from error
    return array, _zooms(image)


def normalised(array: NDArray[np.float32], label: str, file: str, values: Range | None = None) -> Pixels:
    """``(x, y, z, channels)`` in [0, 1]: each channel of this volume by ``scale.between``.

    Raises:
        BadInputError: if a channel is constant or not finite.
    """
    channels = array if array.ndim == 4 else array[..., None]
    scaled = np.empty_like(channels)
    for c in range(channels.shape[-1]):
        require_content(channels[..., c], label, file)
        scaled[..., c] = between(channels[..., c], values)
    return scaled


def cut(volume: NDArray[Any], axis: str, index: int) -> NDArray[Any]:
    """Slice ``index``, with the front (or the top) of the body in the first row and its left in the first column."""
    return np.rot90(np.take(volume, index, axis=AXES[axis]))


def slices(volume: NDArray[Any], axis: str) -> NDArray[Any]:
    """Every slice in order, each as ``cut`` turns it: ``(x, y, z, ...)`` -> ``(n, h, w, ...)``."""
    return np.rot90(np.moveaxis(volume, AXES[axis], 0), axes=(1, 2))


def _open(path: Path, label: str) -> "nibabel.Nifti1Image":
    import nibabel

    try:
        image: nibabel.Nifti1Image = nibabel.Nifti1Image.from_filename(path)
        if image.ndim == 2:
            image = nibabel.Nifti1Image(np.asanyarray(image.dataobj)[..., None], image.affine, image.header)  # type: ignore[no-untyped-call]
        image = nibabel.as_closest_canonical(image)  # type: ignore[no-untyped-call]
    except _broken() as error:
        raise unreadable(error, label, path.name) from error
    if image.ndim not in {3, 4} or min(_zooms(image)) <= 0:
        raise BadInputError(
            f"{label}: {path.name} has shape {image.shape}, voxels of {_zooms(image)} mm\n"
            "it must be 3-D, or 4-D with channels last, with voxels of positive size"
        )
    return image


def _zooms(image: "nibabel.Nifti1Image") -> tuple[float, float, float]:
    """The voxel's size in mm."""
    x, y, z = (*map(float, image.header["pixdim"][1:4]),)
    return x, y, z


def _broken() -> tuple[type[Exception], ...]:
    """What nibabel raises for files that are none of its own."""
    from nibabel.filebasedimages import ImageFileError
    from nibabel.orientations import OrientationError
    from nibabel.spatialimages import HeaderDataError

    return (OSError, EOFError, ValueError, zlib.error, ImageFileError, HeaderDataError, OrientationError)
