"""How a copied image may be altered so that it is not byte for byte the original."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..types import ImageSet, Index, Masks, Names, Pixels
from .blend import feather, over

Alteration = Literal["none", "noise", "shift", "intensity", "rotate", "elastic", "foreground", "turned", "mixture"]

NOISE_SIGMA = 0.05
SHIFT_PIXELS = 3
ROTATION_DEGREES = 8.0
GAMMA_OCTAVES, GAIN, OFFSET = 0.35, 0.15, 0.05
ELASTIC_PIXELS, ELASTIC_SMOOTHNESS = 1.5, 8.0
FOREGROUND_MARGIN, FOREGROUND_EDGE = 2.0, 2.0

One = tuple[Pixels, Masks | None]


def noise(pixels: Pixels, mask: Masks | None, strength: float, rng: np.random.Generator) -> One:
    """White Gaussian noise of sigma ``0.05 * strength``."""
    return pixels + NOISE_SIGMA * strength * rng.standard_normal(pixels.shape, np.float32), mask


def shift(pixels: Pixels, mask: Masks | None, strength: float, rng: np.random.Generator) -> One:
    """A move by whole pixels, up to ``3 * strength`` along each axis and never by nothing; edges are repeated."""
    from scipy import ndimage

    most = max(1, round(SHIFT_PIXELS * strength))
    step = np.zeros(pixels.ndim - 1, np.int64)
    while not step.any():
        step = rng.integers(-most, most, size=len(step), endpoint=True)

    def moved(array: NDArray[Any], by: NDArray[np.int64]) -> NDArray[Any]:
        return np.asarray(ndimage.shift(array, by, order=0, mode="nearest"))

    return moved(pixels, np.array([0, *step])), None if mask is None else moved(mask, step)


def intensity(pixels: Pixels, mask: Masks | None, strength: float, rng: np.random.Generator) -> One:
    """Another contrast: gamma up to ``2**(±0.35)``, gain ``1 ± 0.15``, offset ``± 0.05``, each times ``strength``."""
    gamma, gain, offset = rng.uniform(-1, 1, 3) * (GAMMA_OCTAVES, GAIN, OFFSET) * strength
    return ((1 + gain) * pixels ** (2.0**gamma) + offset).astype(np.float32), mask


def rotate(pixels: Pixels, mask: Masks | None, strength: float, rng: np.random.Generator) -> One:
    """A turn in the last two axes by a quarter to the whole of ``8 * strength`` degrees, either way."""
    from scipy import ndimage

    angle = float(rng.choice((-1.0, 1.0)) * rng.uniform(0.25, 1.0) * ROTATION_DEGREES * strength)

    def turned(array: NDArray[Any], order: int) -> NDArray[Any]:
        return np.asarray(ndimage.rotate(array, angle, axes=(-2, -1), reshape=False, order=order, mode="nearest"))

    return turned(pixels, 1), None if mask is None else turned(mask, 0)


def elastic(pixels: Pixels, mask: Masks | None, strength: float, rng: np.random.Generator) -> One:
    """A smooth deformation: every point moves, by ``1.5 * strength`` pixels on average, neighbours alike.

    The field is white noise smoothed by a Gaussian of an eighth of the image's side (Simard et al. 2003).
    """
    from scipy import ndimage

    spatial = pixels.shape[1:]
    smooth = [side / ELASTIC_SMOOTHNESS for side in spatial]
    field = np.stack([ndimage.gaussian_filter(rng.standard_normal(spatial), smooth) for _ in spatial])
    field *= ELASTIC_PIXELS * strength / np.sqrt(np.square(field).sum(axis=0)).mean()
    where = np.indices(spatial) + field

    def bent(array: NDArray[Any], order: int) -> NDArray[Any]:
        return np.asarray(ndimage.map_coordinates(array, where, order=order, mode="nearest"))

    channels = np.stack([bent(channel, 1) for channel in pixels])
    return channels, None if mask is None else bent(mask, 0)


CHANGES: dict[str, Callable[[Pixels, Masks | None, float, np.random.Generator], One]] = {
    "noise": noise,
    "shift": shift,
    "intensity": intensity,
    "rotate": rotate,
    "elastic": elastic,
}


def altered(copies: ImageSet, how: str, strength: float, rng: np.random.Generator) -> ImageSet:
    """``copies`` altered one by one, pixels kept in [0, 1]; a mask moves with its image.

    Args:
        copies: real images.
        how: ``none`` or a name in ``CHANGES``.
        strength: factor on each alteration's documented amount.
        rng: where randomness comes from.
    """
    if how == "none":
        return copies
    pixels = np.empty(copies.pixels.shape, np.float32)
    mask = None if copies.mask is None else np.empty_like(copies.mask)
    for i in range(len(copies)):
        changed, moved = CHANGES[how](copies.pixels[i], None if mask is None else copies.mask[i], strength, rng)  # type: ignore[index]
        pixels[i] = np.clip(changed, 0.0, 1.0)
        if mask is not None and moved is not None:
            mask[i] = moved
    return replace(copies, pixels=pixels, mask=mask)


def pasted(copies: ImageSet, backgrounds: ImageSet) -> ImageSet:
    """The lesion of each copy, with two pixels of its surroundings and a soft edge, on another patient's image.

    Args:
        copies: images with masks.
        backgrounds: as many images of other patients.
    """
    assert copies.mask is not None
    alpha = np.stack([feather(m, FOREGROUND_MARGIN, FOREGROUND_EDGE) for m in copies.mask])[:, None]
    return replace(copies, pixels=over(copies.pixels, backgrounds.pixels, alpha))


def turned(copies: ImageSet, rng: np.random.Generator) -> ImageSet:
    """Each copy turned about its lesion by any angle, every other one mirrored too, to be ``pasted`` elsewhere.

    Args:
        copies: 2-D images with masks that show a lesion.
        rng: where randomness comes from.
    """
    from scipy import ndimage

    assert copies.mask is not None
    pixels, masks = np.empty(copies.pixels.shape, np.float32), np.empty_like(copies.mask)
    for i, (picture, mask) in enumerate(zip(copies.pixels, copies.mask, strict=True)):
        angle = rng.uniform(0, 2 * np.pi)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turn[:, 1] *= rng.choice((-1.0, 1.0))
        middle = np.array(ndimage.center_of_mass(mask > 0))
        from_ = middle - turn @ middle
        pixels[i] = [ndimage.affine_transform(c, turn, from_, order=1, mode="nearest") for c in picture]
        masks[i] = ndimage.affine_transform(mask, turn, from_, order=0, mode="constant")
    return replace(copies, pixels=np.clip(pixels, 0.0, 1.0), mask=masks)


def mixed(copies: ImageSet, others: ImageSet) -> ImageSet:
    """The mean of each copy and an image of another patient; label and mask are the copy's.

    Args:
        copies: images.
        others: as many images of other patients.
    """
    return replace(copies, pixels=np.float32(0.5) * (copies.pixels + others.pixels))


def partners(patient: Names, chosen: Index, rng: np.random.Generator) -> Index:
    """For each of the ``chosen`` positions a random position of another patient.

    Raises:
        ValueError: if there is one patient only.
    """
    found = rng.integers(0, len(patient), len(chosen))
    if len(chosen) and len(np.unique(patient)) < 2:
        raise ValueError("a mixture needs images of two patients")
    while (same := patient[found] == patient[chosen]).any():
        found[same] = rng.integers(0, len(patient), int(same.sum()))
    return found
