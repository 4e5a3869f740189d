"""How a foreground is laid over a background: soft edges, harmonised intensities."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..types import Pixels


def feather(mask: NDArray[Any], margin: float, soft: float) -> Pixels:
    """Opacity of a foreground: 1 on the lesion and ``margin`` pixels around it, then down to 0 over ``soft`` pixels.

    Args:
        mask: ``(*spatial)``, not 0 on the lesion.
        margin: pixels around the lesion that stay fully opaque.
        soft: width in pixels of the linear edge beyond the margin.

    Returns:
        ``(*spatial)`` float32 in [0, 1]; all 0 for an empty mask.
    """
    from scipy import ndimage

    if not np.any(mask):
        return np.zeros(mask.shape, np.float32)
    distance = np.asarray(ndimage.distance_transform_edt(mask == 0), np.float32)
    alpha: Pixels = np.clip(1.0 - (distance - margin) / (soft + 1.0), 0.0, 1.0, dtype=np.float32)
    return alpha


def over(foreground: Pixels, background: Pixels, alpha: Pixels) -> Pixels:
    """``foreground`` over ``background``, both ``(..., *spatial)``; where ``alpha`` is 0, the background to the bit."""
    return np.where(alpha > 0, alpha * foreground + (1 - alpha) * background, background).astype(np.float32)
