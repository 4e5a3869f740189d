"""Attributes of a patient that an image may betray: the class, the centre, and how large the lesion is."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .types import FloatArray, ImageSet, Masks

ATTRIBUTES = ("label", "center", "mask")
"""The fields of ``ImageSet`` that can be asked for; of a mask, the size of its lesion by classes."""

WORDS = {"label": "class", "center": "centre", "mask": "lesion size"}

Values = NDArray[Any]


def attribute_of(images: ImageSet, attribute: str, edges: tuple[float, ...] = ()) -> Values | None:
    """One attribute of each image, ``(n,)``; None where the images do not carry it.

    Args:
        images: n images.
        attribute: a name in ``ATTRIBUTES``.
        edges: of a mask: the lesion areas that divide its classes, rising, as shares of the image.

    Raises:
        ValueError: for another name.
    """
    if attribute not in ATTRIBUTES:
        raise ValueError(f"unknown attribute '{attribute}'; attributes: {', '.join(ATTRIBUTES)}")
    if attribute == "mask":
        return None if images.mask is None else np.searchsorted(edges, lesion_area(images.mask), side="right")
    field: Values | None = getattr(images, attribute)
    return field


def lesion_area(mask: Masks) -> FloatArray:
    """The share ``(n,)`` of each image (or volume) that is lesion."""
    return np.asarray((mask.reshape(len(mask), -1) > 0).mean(axis=1), np.float64)
