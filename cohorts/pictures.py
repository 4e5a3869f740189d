"""Reading one image or mask: png, tif or npy."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..audit.errors import BadInputError
from ..audit.types import Masks, Pixels
from .checks import require_content, unreadable

PILLOW = (".png", ".tif", ".tiff")
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
COLOURS = {"RGB", "RGBA", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "RGBX", "RGBa"}
DEEP = {"I", "I;16", "I;16B", "I;16L", "F"}


def read_picture(path: Path, size: int | None, cohort: str) -> Pixels:
    """One image.

    Args:
        path: png or tif, grey or colour (transparency is dropped); or npy, ``(h, w)``, ``(h, w, 3)`` or ``(c, h, w)``.
        size: resize to ``size`` x ``size``, or None.
        cohort: its name, for messages.

    Returns:
        ``(channels, h, w)`` float32 in [0, 1]: integers are divided by their type's largest value, floats must be
        in [0, 1] as they are.

    Raises:
        BadInputError: naming the file, if it is unreadable, not finite, constant, or out of range.
    """
    array = _load(path, cohort)
    if array.ndim == 3 and array.shape[-1] == 3 and array.shape[0] != 3:
        array = np.moveaxis(array, -1, 0)
    elif array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or array.dtype.kind not in "buif":
        raise BadInputError(
            f"cohort '{cohort}': {path.name} is an array {array.shape} of {array.dtype}\n"
            "store numbers of shape (height, width), (height, width, 3) or (channels, height, width)"
        )
    require_content(array, cohort, path.name)
    pixels = _unit(array, path, cohort)
    if size is None or pixels.shape[1:] == (size, size):
        return pixels
    resized = [Image.fromarray(c).resize((size, size), Image.Resampling.BILINEAR) for c in pixels]
    return np.clip(np.stack([np.asarray(c, np.float32) for c in resized]), 0, 1)


def read_mask(path: Path, size: int | None, cohort: str) -> Masks:
    """One mask, ``(h, w)`` class numbers as stored; a resized pixel takes the nearest one's class.

    Raises:
        BadInputError: naming the file, if it is unreadable or holds anything but numbers from 0 to 255.
    """
    array = _load(path, cohort, codes=True)
    if array.ndim != 2 or array.dtype.kind not in "bui" or not array.size or array.min() < 0 or array.max() > 255:
        raise BadInputError(
            f"cohort '{cohort}': the mask {path.name} is an array {array.shape} of {array.dtype}\n"
            "store one channel of class numbers from 0 (background) to 255"
        )
    mask = array.astype(np.uint8)
    if size is None or mask.shape == (size, size):
        return mask
    return np.asarray(Image.fromarray(mask).resize((size, size), Image.Resampling.NEAREST))


def _load(path: Path, cohort: str, *, codes: bool = False) -> NDArray[Any]:
    """The file's array, colour last; with ``codes`` a palette's numbers instead of its colours."""
    try:
        if path.suffix.lower() == ".npy":
            return np.asarray(np.load(path, allow_pickle=False))
        if path.suffix.lower() in PILLOW:
            with Image.open(path) as image:
                image.load()  # a truncated file fails here
                if image.mode in DEEP or (codes and image.mode == "P"):
                    deep = np.asarray(image)
                    sixteen_bit = image.mode == "I" and deep.min() >= 0 and deep.max() < 65536
                    return deep.astype(np.uint16) if sixteen_bit else deep  # older files open as 32-bit
                return np.asarray(image.convert("RGB" if image.mode in COLOURS else "L"))
    except BROKEN as error:
        raise unreadable(error, cohort, path.name) from error
    raise BadInputError(f"cohort '{cohort}': {path.name} is of no known format\nuse {', '.join(PILLOW)} or .npy")


def _unit(array: NDArray[Any], path: Path, cohort: str) -> Pixels:
    """To [0, 1]."""
    if array.dtype.kind == "b":
        return array.astype(np.float32)
    if array.dtype in {np.dtype(np.uint8), np.dtype(np.uint16)}:
        return array.astype(np.float32) / np.float32(np.iinfo(array.dtype).max)
    low, high = float(array.min()), float(array.max())
    if low < 0 or high > 1:
        raise BadInputError(
            f"cohort '{cohort}': {path.name} has {array.dtype} pixels from {low:.4g} to {high:.4g}\n"
            "scale floats to [0, 1], or store 8- or 16-bit unsigned integers"
        )
    return array.astype(np.float32)
