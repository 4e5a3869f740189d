"""Synthetic images as inline PNGs with the outline of their lesion mask."""

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..audit.types import ImageSet, Masks, Pixels
from .measures import group_of
from .wording import number

if TYPE_CHECKING:
    from ..audit.pairs import RealPairs

MOST = 24
SIDE = 160
BUDGET = 800_000


@dataclass(frozen=True, slots=True)
class Picture:
    """One tile of the gallery.

    Attributes:
        url: ``data:image/png;base64,...``.
        width: pixels.
        height: pixels.
        outline: SVG path along pixel borders around the mask, "" where there is none.
        caption: label and centre, as far as known.
    """

    url: str
    width: int
    height: int
    outline: str
    caption: str


def pictures_of(gallery: ImageSet) -> tuple[Picture, ...]:
    """At most 24 images spread evenly over the release, within 0.8 MB.

    Volumes are shown by their middle slice, images of more than 160 pixels a side by every k-th pixel.
    """
    found: list[Picture] = []
    size = 0
    for i in np.unique(np.linspace(0, max(len(gallery) - 1, 0), min(MOST, len(gallery))).astype(int)):
        picture = _picture(gallery, int(i))
        size += len(picture.url) + len(picture.outline)
        if size > BUDGET:
            break
        found.append(picture)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Pair:
    """A released image beside the training image that it comes closest to.

    Attributes:
        released: what is published.
        real: a patient's image.
        says: how close they are, in words.
    """

    released: Picture
    real: Picture
    says: str


def pairs_of(pairs: "RealPairs") -> tuple[Pair, ...]:
    """Every pair, in the order given."""
    return tuple(
        Pair(
            _picture(pairs.released, i),
            _picture(pairs.real, i),
            f"distance {number(distance)} to this patient, {number(control)} to the closest one that the generator "
            f"never met ({group_of(space)})",
        )
        for i, (distance, control, space) in enumerate(zip(pairs.distance, pairs.control, pairs.spaces, strict=True))
    )


def _picture(gallery: ImageSet, i: int) -> Picture:
    from PIL import Image

    pixels: Pixels = np.asarray(gallery.pixels[i])
    mask: Masks | None = None if gallery.mask is None else np.asarray(gallery.mask[i])
    while pixels.ndim > 3:
        middle = pixels.shape[1] // 2
        pixels, mask = pixels[:, middle], None if mask is None else mask[middle]
    step = -(-max(pixels.shape[1:]) // SIDE)
    pixels, mask = pixels[:, ::step, ::step], None if mask is None else mask[::step, ::step]
    grey = (np.clip(np.nan_to_num(pixels), 0, 1) * 255).round().astype(np.uint8)
    shown = Image.fromarray(np.ascontiguousarray(np.moveaxis(grey, 0, -1)) if len(grey) == 3 else grey[0])
    buffer = io.BytesIO()
    shown.save(buffer, "PNG", optimize=True)
    return Picture(
        url="data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii"),
        width=int(pixels.shape[2]),
        height=int(pixels.shape[1]),
        outline="" if mask is None else outline_of(mask > 0),
        caption=_caption(gallery, i),
    )


def _caption(gallery: ImageSet, i: int) -> str:
    parts = []
    if gallery.label is not None:
        parts.append(f"label {int(gallery.label[i])}")
    if gallery.center is not None:
        name = str(gallery.center[i])
        parts.append(name if name.lower().startswith(("centre", "center")) else f"centre {name}")
    return ", ".join(parts) or f"image {i + 1}"


def outline_of(inside: NDArray[np.bool_]) -> str:
    """An SVG path of the borders between ``inside`` ``(h, w)`` and the rest, in pixel units."""
    framed = np.pad(inside, 1)
    across = np.argwhere(framed[1:, 1:-1] != framed[:-1, 1:-1])
    down = np.argwhere(framed[1:-1, 1:] != framed[1:-1, :-1])
    return "".join([f"M{x} {y}h1" for y, x in across.tolist()] + [f"M{x} {y}v1" for y, x in down.tolist()])
