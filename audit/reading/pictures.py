"""Reading one image or mask, and what every image must be before an audit may rest on it.

Messages begin with the ``label`` of whoever reads, ``cohort 'folder'`` say. They name files by their last part only,
for folders are often called after patients.
"""

import struct
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import BadInputError, unreadable
from ..types import Masks, Pixels
from .scale import by_type, require_content
from .scans import is_nifti, is_scan, read_scan, read_scan_mask, recoloured

SUFFIXES = (".png", ".tif", ".tiff", ".npy")
FORMATS = (*SUFFIXES, ".dcm", ".nii", ".nii.gz")
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
COLOURS = {"RGB", "RGBA", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "RGBX", "RGBa"}
DEEP = {"I", "I;16", "I;16B", "I;16L", "I;16N", "F"}
T = TypeVar("T", bound=np.generic)
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def read_picture(path: Path, label: str, *, channels: int | None = None, size: int | None = None) -> Pixels:
    """One image.

    Args:
        path: png or tif of one frame, 8 or 16 bit or float; npy, ``(h, w)``, ``(h, w, c)`` or ``(c, h, w)``; or a DICOM
            frame or NIfTI slice.
        label: of the reader, for messages.
        channels: how many it shall have: all but npy is turned from colour to grey and back for 1 or 3, anything else
            must have so many. None: grey or colour as stored, without transparency.
        size: resize to ``size`` x ``size`` pixels, or None.

    Returns:
        ``(channels, h, w)`` float32 in [0, 1]: 8- and 16-bit integers are divided by their type's largest value, floats
        must be in [0, 1] as they are; DICOM and NIfTI lie between their 0.5 and 99.5 percentile.

    Raises:
        BadInputError: naming the file, if it is missing, unreadable, of another shape, not finite, constant, or out of
            range.
    """
    if path.suffix.lower() not in SUFFIXES and is_scan(path):
        image = recoloured(_only(read_scan(path, label), path, label), channels)[0]
        if channels not in {None, len(image)}:
            raise BadInputError(f"{label}: {path.name} has {len(image)} channels, not {channels}\nstore {channels}")
        return resized(image, size)
    array = _channels_first(_load(path, label, channels), channels)
    if array.ndim != 3 or array.dtype.kind not in "buif" or channels not in {None, len(array)}:
        wanted = f"({channels or 'channels'}, height, width)"
        raise BadInputError(
            f"{label}: {path.name} is an array {array.shape} of {array.dtype}\n"
            f"store numbers of shape (height, width){' or' if channels else ', (height, width, channels) or'} {wanted}"
        )
    require_content(array, label, path.name)
    return resized(by_type(array, label, path.name), size)


def read_mask(path: Path, label: str, *, size: int | None = None) -> Masks:
    """One mask, ``(h, w)`` uint8 class numbers as stored; a resized pixel takes the nearest one's class.

    Raises:
        BadInputError: naming the file, if it is unreadable or holds anything but one channel of integers from 0 to 255.
    """
    if is_nifti(path):
        return resized_mask(_only(read_scan_mask(path, label), path, label)[0], size)
    array = _load(path, label, codes=True)
    if array.ndim != 2 or array.dtype.kind not in "bui" or not array.size or array.min() < 0 or array.max() > 255:
        raise BadInputError(
            f"{label}: the mask {path.name} is an array {array.shape} of {array.dtype}\n"
            "store one channel of class numbers from 0 (background) to 255"
        )
    return resized_mask(array.astype(np.uint8), size)


def resized(pixels: Pixels, size: int | None) -> Pixels:
    """``(channels, h, w)`` as ``(channels, size, size)``, bilinear and without aliasing; None: as it is."""
    if size is None or pixels.shape[1:] == (size, size):
        return pixels
    planes = [Image.fromarray(c).resize((size, size), Image.Resampling.BILINEAR) for c in np.ascontiguousarray(pixels)]
    return np.clip(np.stack([np.asarray(plane, np.float32) for plane in planes]), 0, 1)


def resized_mask(mask: Masks, size: int | None) -> Masks:
    """``(h, w)`` as ``(size, size)``: each pixel takes the nearest one's class; None: as it is."""
    if size is None or mask.shape == (size, size):
        return mask
    plane = Image.fromarray(np.ascontiguousarray(mask))
    return np.asarray(plane.resize((size, size), Image.Resampling.NEAREST))


def _only(images: NDArray[T], path: Path, label: str) -> NDArray[T]:
    """``images`` if it is one."""
    if len(images) != 1:
        raise BadInputError(f"{label}: {path.name} has several frames\nstore one image per file")
    return images


def _load(path: Path, label: str, channels: int | None = None, *, codes: bool = False) -> NDArray[Any]:
    """The file's array, a picture's channels last; with ``codes`` a palette's numbers instead of its colours."""
    if path.suffix.lower() not in SUFFIXES:
        raise BadInputError(f"{label}: {path.name} is of no known format\nuse {', '.join(FORMATS)}")
    try:
        if path.suffix.lower() == ".npy":
            return np.asarray(np.load(path, allow_pickle=False))
        with Image.open(path) as image:
            if getattr(image, "n_frames", 1) > 1:
                raise BadInputError(f"{label}: {path.name} has several frames\nstore one image per file")
            image.load()  # a truncated file fails here
            if image.mode in DEEP:
                return _deep(np.asarray(image), channels)
            if codes and image.mode == "P":
                return np.asarray(image)
            wanted = MODES.get(channels or 0, "")
            if wanted not in {"L", "RGB", image.mode}:  # transparency can neither be made up nor taken for an image
                wanted = "RGB" if image.mode in COLOURS else "L"
            return np.asarray(image.convert(wanted))
    except BROKEN as error:
        raise unreadable(error, label, path.name) from error


def _deep(array: NDArray[Any], channels: int | None) -> NDArray[Any]:
    """What Pillow cannot convert: 16-bit grey, which it opens as 32-bit from some files, and float."""
    if array.dtype.kind == "i" and array.min() >= 0 and array.max() < 65536:
        array = array.astype(np.uint16)
    return np.repeat(array[..., None], 3, axis=-1) if channels == 3 else array


def _channels_first(array: NDArray[Any], channels: int | None) -> NDArray[Any]:
    if array.ndim == 2:
        return array[None]
    if array.ndim != 3:
        return array
    first, last = array.shape[0], array.shape[-1]
    return np.moveaxis(array, -1, 0) if (last == channels != first if channels else last <= 4 < first) else array
