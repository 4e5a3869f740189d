"""What a scanner writes, DICOM or NIfTI: one file is one image or many, its numbers have no range of their own."""

from pathlib import Path

import numpy as np

from ..errors import BadInputError
from ..types import Masks, Pixels
from . import dicom, volumes
from .scale import Range

ENDINGS = (*dicom.ENDINGS, *volumes.ENDINGS)
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601-2, as Pillow turns colour to grey


def is_scan(path: Path) -> bool:
    """Whether the file is DICOM or NIfTI, by its ending or, as DICOM often has none, by its content."""
    return path.name.lower().endswith(ENDINGS) or dicom.is_dicom(path)


def is_nifti(path: Path) -> bool:
    """Whether the file is NIfTI by its ending."""
    return path.name.lower().endswith(volumes.ENDINGS)


def read_scan(path: Path, label: str, *, axis: str = "axial", values: Range | None = None) -> Pixels:
    """All images of a file, those that show nothing included.

    Args:
        path: DICOM of one or several frames, or NIfTI of two axes, three, or four with channels last.
        label: of the reader, for messages.
        axis: NIfTI: which way the slices lie; turned as cohort ``nifti`` turns them.
        values: what becomes 0 and 1; None: the 0.5 and 99.5 percentile of the file (and channel).

    Returns:
        ``(n, channels, h, w)`` float32 in [0, 1].

    Raises:
        BadInputError: naming the file, if it cannot be read, is constant or holds NaN.
    """
    if not is_nifti(path):
        return dicom.read_frames(path, label, values)
    volume = volumes.normalised(volumes.read_volume(path, label)[0], label, path.name, values)
    return np.moveaxis(volumes.slices(volume, axis), -1, 1)


def read_scan_mask(path: Path, label: str, *, axis: str = "axial") -> Masks:
    """The class numbers of every slice of a NIfTI file, ``(n, h, w)``.

    Raises:
        BadInputError: naming the file, if it cannot be read or holds anything but integers from 0 to 255.
    """
    volume = volumes.read_volume(path, label)[0]
    if volume.ndim == 4 and volume.shape[-1] == 1:
        volume = volume[..., 0]
    mask = volume.astype(np.uint8) if volume.size and volume.min() >= 0 and volume.max() <= 255 else None  # NaN fails
    if volume.ndim != 3 or mask is None or not np.array_equal(mask, volume):
        raise BadInputError(
            f"{label}: the mask {path.name} is a volume {volume.shape} of other numbers than classes\n"
            "store one channel of class numbers from 0 (background) to 255"
        )
    return volumes.slices(mask, axis)


def recoloured(images: Pixels, channels: int | None) -> Pixels:
    """``(n, c, h, w)`` turned from colour to grey or back where ``channels`` asks for that, else as it is."""
    if images.shape[1] == 3 and channels == 1:
        return np.tensordot(LUMA, images, (0, 1))[:, None]
    return np.repeat(images, 3, axis=1) if images.shape[1] == 1 and channels == 3 else images
