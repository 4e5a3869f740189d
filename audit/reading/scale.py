"""From stored numbers to [0, 1]: one rule for each kind of file, whoever reads it.

Were real and synthetic images scaled by different rules, no copy would look like its original. So cohorts and
generators scale here: pictures and arrays by their number type (``by_type``), DICOM and NIfTI, whose numbers have no
range of their own, between robust percentiles of each file or between two given values (``between``).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInputError
from ..types import Pixels

PERCENTILES = (0.5, 99.5)  # a few hot voxels must not darken the rest
Range = tuple[float, float]


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


def by_type(array: NDArray[Any], label: str, file: str) -> Pixels:
    """Unsigned 8- and 16-bit integers over their type's largest value; everything else as it is.

    Raises:
        BadInputError: if anything else is not in [0, 1].
    """
    if array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        return array.astype(np.float32) / np.float32(np.iinfo(array.dtype).max)
    low, high = float(array.min()), float(array.max())
    if low < 0 or high > 1:
        raise BadInputError(
            f"{label}: {file} has pixels from {low:.4g} to {high:.4g} ({array.dtype})\n"
            "scale floats to [0, 1], or store 8- or 16-bit unsigned integers"
        )
    return array.astype(np.float32)


def between(array: NDArray[np.float32], values: Range | None = None) -> Pixels:
    """``array`` with ``values`` moved to 0 and 1, clipped there; None: its own 0.5 and 99.5 percentile.

    Args:
        array: one channel of all that a file holds, finite and not constant.
        values: what becomes 0 and 1.
    """
    low, high = values or (float(p) for p in np.percentile(array, PERCENTILES))
    if low == high:  # nearly all background: the few other voxels are the image
        low, high = float(array.min()), float(array.max())
    scaled: Pixels = np.clip((array - np.float32(low)) / np.float32(high - low), 0, 1).astype(np.float32, copy=False)
    return scaled
