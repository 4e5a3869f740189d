"""The spaces in which two images may lie close, each a function of two sets of images: ``(n, m)`` distances."""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from ..audit.types import ImageSet, Pixels
from .alignment import aligned
from .search import euclidean

MARGIN = 2  # pixels around a lesion that are taken along: where it ends is part of what it looks like
ANGLES = (-6.0, -3.0, 3.0, 6.0)  # degrees; together they come within 2 of any rotation up to 8


def pixels(a: ImageSet, b: ImageSet, device: str) -> Pixels:
    """Root mean square difference of the pixels."""
    flat = [x.pixels.reshape(len(x), 1, -1) / np.float32(np.sqrt(x.pixels[0].size)) for x in (a, b)]
    return euclidean(flat[0], flat[1], device)


def patch_max(a: ImageSet, b: ImageSet, device: str, side: int) -> Pixels:
    """Root mean square difference of the tile where two images differ most: a shared background hides nothing."""
    return euclidean(tiles(a.pixels, side), tiles(b.pixels, side), device)


def tiles(images: Pixels, side: int) -> Pixels:
    """Images ``(n, c, h, w)`` as non-overlapping squares ``(n, tiles, dim)`` over sqrt(dim); 0 fills the last ones."""
    n, channels, h, w = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (0, -h % side), (0, -w % side)))
    cut = padded.reshape(n, channels, padded.shape[2] // side, side, padded.shape[3] // side, side)
    flat = cut.transpose(0, 2, 4, 1, 3, 5).reshape(n, -1, channels * side * side)
    return np.ascontiguousarray(flat) / np.float32(np.sqrt(flat.shape[2]))


def moved(a: ImageSet, b: ImageSet, device: str, shift: int) -> Pixels:
    """Distance after the best shift, small rotation or mirroring, blind to brightness and contrast."""
    return aligned(a.pixels, b.pixels, shift=shift, angles=ANGLES, device=device)


def foreground(a: ImageSet, b: ImageSet, device: str) -> Pixels:
    """Distance of the lesions alone, laid upon one another: finds one that was pasted on another background.

    sqrt(2) where an image has no lesion: as far as two that have nothing in common.
    """
    lesions = lesion_of(a), lesion_of(b)
    distance = aligned(*lesions, shift=1, angles=(), sharpen=0.0, device=device)
    distance[~lesions[0].any(axis=(1, 2, 3))] = np.sqrt(2)
    distance[:, ~lesions[1].any(axis=(1, 2, 3))] = np.sqrt(2)
    return distance


def lesion_of(images: ImageSet) -> Pixels:
    """Each lesion with its margin, moved to the middle of a black image, with mean 0 and variance 1 within."""
    assert images.mask is not None
    result = np.zeros(images.pixels.shape, np.float32)
    middle = np.array(images.spatial) // 2
    for picture, mask, out in zip(images.pixels, images.mask, result, strict=True):
        lesion = mask > 0
        if not lesion.any():
            continue
        where = ndimage.distance_transform_edt(~lesion) <= MARGIN
        for channel, kept in zip(picture, out, strict=True):
            inside = channel[where]
            kept[where] = (inside - inside.mean()) / max(float(inside.std()), 1e-3)
        centre = np.rint(ndimage.center_of_mass(lesion)).astype(int)
        out[:] = np.roll(out, tuple(middle - centre), axis=(1, 2))
    return result


def vectors(images: ImageSet, described: Pixels) -> ImageSet:
    """``images`` with a vector ``(n, dim)`` each in place of their pixels."""
    return replace(images, pixels=described[:, :, None, None], mask=None)


def between_vectors(a: ImageSet, b: ImageSet, device: str) -> Pixels:
    """Euclidean distance of vectors; of unit vectors, sqrt(2 * cosine distance)."""
    return euclidean(a.pixels.reshape(len(a), 1, -1), b.pixels.reshape(len(b), 1, -1), device)
