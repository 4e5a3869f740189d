"""Reading one picture file: png, tif or npy, to channels-first float32 in [0, 1]."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..audit.errors import BadInputError
from ..audit.types import Masks, Pixels

SUFFIXES = (".png", ".tif", ".tiff", ".npy")
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error)


def _load(path: Path, channels: int) -> NDArray[Any]:
    """The stored array, ``(height, width)`` or with channels first or last.

    Raises:
        BadInputError: if the file is missing, unreadable, truncated or of another format.
    """
    if not path.is_file():
        raise BadInputError(f"generator 'folder': {path} does not exist\ncorrect the list, or add the file")
    if path.suffix.lower() not in SUFFIXES:
        raise BadInputError(f"generator 'folder': {path} is not an image it can read\nuse {', '.join(SUFFIXES)}")
    try:
        if path.suffix.lower() == ".npy":
            return np.asarray(np.load(path, allow_pickle=False))
        with Image.open(path) as picture:
            if getattr(picture, "n_frames", 1) > 1:
                raise BadInputError(f"generator 'folder': {path} has several frames\nstore one image per file")
            deep = picture.mode == "F" or picture.mode.startswith("I")
            return np.asarray(picture if deep else picture.convert(MODES[channels]))
    except BROKEN as error:
        raise BadInputError(
            f"generator 'folder': {path} cannot be read ({type(error).__name__})\n"
            "replace the file: truncated or no image"
        ) from error


def _unit(array: NDArray[Any], path: Path) -> Pixels:
    """Integers scaled by their range (8 or 16 bit), floats as they are.

    Raises:
        BadInputError: if the result is not finite and within [0, 1].
    """
    if array.dtype == np.int32:  # what Pillow makes of a 16-bit png
        array = array / 65535
    elif np.issubdtype(array.dtype, np.unsignedinteger):
        array = array / np.iinfo(array.dtype).max
    array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise BadInputError(f"generator 'folder': {path} has NaN or infinite pixels\nremove or repair the image")
    low, high = float(array.min()), float(array.max())
    if low < 0 or high > 1:
        raise BadInputError(
            f"generator 'folder': {path} has pixels from {low:.4g} to {high:.4g}\n"
            "scale them to [0, 1], or store 8- or 16-bit integers"
        )
    if low == high:
        raise BadInputError(f"generator 'folder': {path} is constant, every pixel is {low:.4g}\nremove the image")
    return array


def read_picture(path: Path, channels: int, size: int | None) -> Pixels:
    """One image.

    Args:
        path: png or tif, one frame, 8 or 16 bit or float; or npy, ``(h, w)``, ``(c, h, w)`` or ``(h, w, c)``.
        channels: how many it shall have; colour is turned to grey and back as needed, except in npy.
        size: resample to ``size`` x ``size`` pixels, or None.

    Returns:
        ``(channels, height, width)`` float32 in [0, 1].

    Raises:
        BadInputError: naming the file, if it cannot be such an image.
    """
    array = _load(path, channels)
    if array.ndim == 2:
        array = np.repeat(array[None], channels, axis=0) if path.suffix.lower() != ".npy" else array[None]
    elif array.ndim == 3 and array.shape[0] != channels and array.shape[-1] == channels:
        array = np.moveaxis(array, -1, 0)
    if array.ndim != 3 or array.shape[0] != channels or array.size == 0 or array.dtype.kind not in "buif":
        raise BadInputError(
            f"generator 'folder': {path} is an array {array.shape} of {array.dtype}\n"
            f"store numbers of shape (height, width) or ({channels}, height, width)"
        )
    pixels = _unit(array, path)
    if size is None:
        return pixels
    resized = [Image.fromarray(channel).resize((size, size), Image.Resampling.BILINEAR) for channel in pixels]
    return np.clip(np.stack([np.asarray(channel, np.float32) for channel in resized]), 0.0, 1.0)


def read_mask(path: Path, size: int | None) -> Masks:
    """One mask, ``(height, width)`` uint8 class numbers as stored, resampled to the nearest class if asked.

    Raises:
        BadInputError: naming the file, if it is not one channel of integers from 0 to 255.
    """
    array = _load(path, 1)
    whole = array.ndim == 2 and array.dtype.kind in "bui" and array.size and array.min() >= 0 and array.max() <= 255
    if not whole:
        raise BadInputError(
            f"generator 'folder': the mask {path} is an array {array.shape} of {array.dtype}\n"
            "store one channel of class numbers from 0 (background) to 255"
        )
    mask = array.astype(np.uint8)
    if size is None:
        return mask
    return np.asarray(Image.fromarray(mask).resize((size, size), Image.Resampling.NEAREST))
