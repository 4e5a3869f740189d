"""Lesions alone, laid upon one another whatever way they are turned: one pasted on another background is found."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from ..audit.context import Arrays, Context
from ..audit.types import FloatArray, ImageSet, Pixels
from .search import euclidean

Region = Literal["foreground", "boundary"]

RADII, ANGLES = 12, 36  # a lesion is sampled on so many circles, every 10 degrees of each
REACH = 1.75  # of the outermost circle, in radii of the disc that is as large as the lesion
MARGIN = 1.0  # pixels around a lesion that are taken along: where it ends is part of what it looks like
RING = 2.0  # pixels on either side of a lesion's border
COMMON = 10.0  # what all lesions share is damped where it is stronger than so many times the average


def unrolled(images: ImageSet, region: Region) -> ImageSet:
    """Each lesion on circles around its centre: turning it moves the angles on, mirroring it turns them back.

    Circles are scaled to the lesion's area. In the region brightness has mean 0 and variance 1; outside it is 0.

    Args:
        images: with masks.
        region: ``foreground``, the lesion and a margin of a pixel, or ``boundary``, two pixels on either side of its
            border.

    Returns:
        ``images`` with pixels ``(n, channels, radii, angles)``, all 0 where there is no lesion.
    """
    assert images.mask is not None
    angle = np.arange(ANGLES) * 2 * np.pi / ANGLES
    circle = np.stack([np.sin(angle), np.cos(angle)])[:, None]
    radius = (np.arange(RADII) + 0.5) * REACH / RADII
    result = np.zeros((len(images), images.channels, RADII, ANGLES), np.float32)
    for picture, mask, out in zip(images.pixels, images.mask, result, strict=True):
        lesion = mask > 0
        if not lesion.any():
            continue
        scaled = radius[:, None] * np.sqrt(lesion.sum() / np.pi)
        at = np.array(ndimage.center_of_mass(lesion))[:, None, None] + scaled * circle
        inside = _sampled(_weight(lesion, region), at)
        area = inside * scaled
        for channel, kept in zip(picture, out, strict=True):
            seen = _sampled(channel, at)
            seen -= np.average(seen, weights=area) if area.any() else 0
            spread = np.sqrt((area * np.square(seen)).sum() / max(float(area.sum()), 1e-9))
            kept[:] = seen / max(float(spread), 1e-3) * inside * np.sqrt(scaled)
    return ImageSet(result, images.patient)


def _weight(lesion: NDArray[np.bool_], region: Region) -> FloatArray:
    """1 in the region, down to 0 over a pixel."""
    distance: FloatArray = ndimage.distance_transform_edt(~lesion)
    reach = MARGIN
    if region == "boundary":
        distance, reach = np.maximum(distance, ndimage.distance_transform_edt(lesion)), RING
    return np.clip(1 + reach - distance, 0, 1)


def _sampled(picture: NDArray[np.generic], at: FloatArray) -> FloatArray:
    return np.asarray(ndimage.map_coordinates(picture, at, np.float64, order=1, mode="nearest"))


def common_look(reference: ImageSet, context: Context, region: Region) -> Pixels:
    """What damps the look that all lesions share, a dark core in a bright rim: ``(frequencies, radii, radii)``.

    Learned from the attacker's own lesions: the inverse root of how strongly the circles' waves of each frequency vary
    together, plus ten times the average, so that nothing weak is blown up.

    Args:
        reference: real images that the attacker owns; without masks nothing is damped.
        context: where it is kept.
        region: of the lesions.
    """
    frequencies = ANGLES // 2 + 1
    alike = np.broadcast_to(np.eye(RADII, dtype=np.float32), (frequencies, RADII, RADII))
    if reference.mask is None or not reference.mask.any():
        return np.array(alike)

    def learn() -> Arrays:
        waves = np.fft.rfft(unrolled(reference, region).pixels.astype(np.float64), axis=-1)
        power = np.einsum("ncif,ncjf->fij", waves, waves.conj()).real / len(waves)
        value, vector = np.linalg.eigh(power)
        root = 1 / np.sqrt(np.maximum(value, 0) + COMMON * np.einsum("fii->", power) / value.size)
        return {"damp": np.einsum("fik,fk,fjk->fij", vector, root, vector).astype(np.float32)}

    return context.kept(f"{region} in common", learn, reference)["damp"]


def described(images: ImageSet, region: Region, damp: Pixels) -> ImageSet:
    """The lesions of ``images`` unrolled, their common look damped, of length 1 (0 where there is no lesion)."""
    parts = []
    for part in images.batches(1024):
        waves = np.fft.rfft(unrolled(part, region).pixels, axis=-1)
        seen = np.fft.irfft(np.einsum("fij,ncjf->ncif", damp, waves), n=ANGLES, axis=-1).astype(np.float32)
        length = np.sqrt(np.square(seen).sum(axis=(1, 2, 3), keepdims=True))
        parts.append(np.divide(seen, length, out=np.zeros_like(seen), where=length > 0))
    empty = np.zeros((0, images.channels, RADII, ANGLES), np.float32)
    return ImageSet(np.concatenate([empty, *parts]), images.patient)


def turned_over(a: ImageSet, b: ImageSet, device: str) -> Pixels:
    """Smallest distance of two lesions over turns of one by any multiple of 10 degrees, mirrored or not: sqrt(2 - 2r).

    r is the correlation of what ``described`` gives; sqrt(2) where an image has no lesion: as far as two that have
    nothing in common. 0 for a copy, otherwise right to 2e-3.
    """
    asked, searched = (torch.from_numpy(np.array(x.pixels)).to(device) for x in (a, b))
    references = searched.flatten(1).T.contiguous()
    best = torch.zeros(len(a), len(b), device=device)
    for seen in (asked, asked.flip(-1)):
        for turn in range(ANGLES):
            torch.maximum(best, seen.roll(turn, -1).flatten(1) @ references, out=best)
    distance: Pixels = torch.sqrt(torch.clamp(2 - 2 * best, min=0)).cpu().numpy()
    still = [x.pixels.reshape(len(x), 1, -1) for x in (a, b)]
    unmoved = euclidean(still[0], still[1], device)
    for blank, side in ((~still[0].any(axis=(1, 2)), unmoved), (~still[1].any(axis=(1, 2)), unmoved.T)):
        side[blank] = np.sqrt(2)
    return np.minimum(distance, unmoved)
