"""Reading one image or mask, and what every image must be before an audit may rest on it.

Messages begin with the ``label`` of whoever reads, ``cohort 'folder'`` say. They name files by their last part only,
for folders are often called after patients.
"""

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .errors import BadInputError
from .types import Masks, Pixels

SUFFIXES = (".png", ".tif", ".tiff", ".npy")
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
COLOURS = {"RGB", "RGBA", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "RGBX", "RGBa"}
DEEP = {"I", "I;16", "I;16B", "I;16L", "I;16N", "F"}
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def read_picture(path: Path, label: str, *, channels: int | None = None, size: int | None = None) -> Pixels:
    """One image.

    Args:
        path: png or tif of one frame, 8 or 16 bit or float; or npy, ``(h, w)``, ``(h, w, c)`` or ``(c, h, w)``.
        label: of the reader, for messages.
        channels: how many it shall have: a png or tif is turned from colour to grey and back for 1 or 3, anything else
            must have so many. None: grey or colour as stored, without transparency.
        size: resize to ``size`` x ``size`` pixels, or None.

    Returns:
        ``(channels, h, w)`` float32 in [0, 1]: 8- and 16-bit integers are divided by their type's largest value, floats
        must be in [0, 1] as they are.

    Raises:
        BadInputError: naming the file, if it is missing, unreadable, of another shape, not finite, constant, or out of
            range.
    """
    array = _channels_first(_load(path, label, channels), channels)
    if array.ndim != 3 or array.dtype.kind not in "buif" or channels not in {None, len(array)}:
        wanted = f"({channels or 'channels'}, height, width)"
        raise BadInputError(
            f"{label}: {path.name} is an array {array.shape} of {array.dtype}\n"
            f"store numbers of shape (height, width){' or' if channels else ', (height, width, channels) or'} {wanted}"
        )
    require_content(array, label, path.name)
    pixels = _unit(array, label, path.name)
    if size is None or pixels.shape[1:] == (size, size):
        return pixels
    resized = [Image.fromarray(c).resize((size, size), Image.Resampling.BILINEAR) for c in pixels]
    return np.clip(np.stack([np.asarray(c, np.float32) for c in resized]), 0, 1)


def read_mask(path: Path, label: str, *, size: int | None = None) -> Masks:
    """One mask, ``(h, w)`` uint8 class numbers as stored; a resized pixel takes the nearest one's class.

    Raises:
        BadInputError: naming the file, if it is unreadable or holds anything but one channel of integers from 0 to 255.
    """
    array = _load(path, label, codes=True)
    if array.ndim != 2 or array.dtype.kind not in "bui" or not array.size or array.min() < 0 or array.max() > 255:
        raise BadInputError(
            f"{label}: the mask {path.name} is an array {array.shape} of {array.dtype}\n"
            "store one channel of class numbers from 0 (background) to 255"
        )
    mask = array.astype(np.uint8)
    if size is None or mask.shape == (size, size):
        return mask
    return np.asarray(Image.fromarray(mask).resize((size, size), Image.Resampling.NEAREST))


def require_content(pixels: NDArray[Any], label: str, file: str) -> None:
    """Refuse pixels that show nothing.

    Raises:
        BadInputError: if there are none, one is NaN or infinite, or all are the same.
    """
    if not pixels.size:
        raise BadInputError(f"{label}: {file} has no pixels (shape {pixels.shape})\nremove or replace it")
    bad = int(pixels.size - np.count_nonzero(np.isfinite(pixels)))
    if bad:
        raise BadInputError(f"{label}: {file} has NaN or infinite pixels ({bad} of {pixels.size})\nremove or repair it")
    if pixels.min() == pixels.max():
        raise BadInputError(f"{label}: {file} is constant, all its pixels are equal\nremove or replace it")


def unreadable(error: Exception, label: str, file: str) -> BadInputError:
    """What to raise for a file that its library could not read."""
    if isinstance(error, FileNotFoundError):
        return BadInputError(f"{label}: {file} does not exist\nadd the missing file, or drop it from the list")
    return BadInputError(
        f"{label}: {file} cannot be read ({type(error).__name__})\n"
        "it is truncated or of another format; replace or remove it"
    )


def _load(path: Path, label: str, channels: int | None = None, *, codes: bool = False) -> NDArray[Any]:
    """The file's array, a picture's channels last; with ``codes`` a palette's numbers instead of its colours."""
    if path.suffix.lower() not in SUFFIXES:
        raise BadInputError(f"{label}: {path.name} is of no known format\nuse {', '.join(SUFFIXES)}")
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


def _unit(array: NDArray[Any], label: str, file: str) -> Pixels:
    """To [0, 1]."""
    if array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        return array.astype(np.float32) / np.float32(np.iinfo(array.dtype).max)
    low, high = float(array.min()), float(array.max())
    if low < 0 or high > 1:
        raise BadInputError(
            f"{label}: {file} has pixels from {low:.4g} to {high:.4g} ({array.dtype})\n"
            "scale floats to [0, 1], or store 8- or 16-bit unsigned integers"
        )
    return array.astype(np.float32)
