"""The spaces in which two images may lie close, each a function of two sets of images: ``(n, m)`` distances."""

from dataclasses import replace

import numpy as np
import torch
from scipy import ndimage

from ..audit.types import ImageSet, Pixels
from .alignment import aligned
from .search import euclidean
from .streaming import CANCELLED, PAIRS

MARGIN = 5  # pixels around a lesion that are no background: a soft edge reaches so far
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
    """Distance after the best shift, small rotation or flip, blind to brightness and contrast."""
    return aligned(a.pixels, b.pixels, shift=shift, angles=ANGLES, device=device)


def background(a: ImageSet, b: ImageSet, device: str) -> Pixels:
    """Root mean square difference of the pixels off both lesions: finds a private background under another lesion.

    What lies within 5 pixels of a lesion is left out, as far as a soft edge may reach; 1 where nothing is left.
    """
    centre = b.pixels.mean(axis=0, dtype=np.float64).astype(np.float32)
    off = [_off_lesion(x) for x in (a, b)]
    seen = [((x.pixels - centre) * w[:, None]).reshape(len(x), -1) for x, w in zip((a, b), off, strict=True)]
    weight = [w.reshape(len(w), -1) for w in off]
    power = [np.square(x).reshape(len(x), -1, w.shape[1]).sum(1) for x, w in zip(seen, weight, strict=True)]
    (wa, wb), (pa, pb), (xa, xb) = ([torch.from_numpy(x).to(device) for x in y] for y in (weight, power, seen))
    area = wa @ wb.T * a.channels
    scale = pa @ wb.T + wa @ pb.T
    squared = torch.addmm(scale, xa, xb.T, alpha=-2)
    spoiled = torch.nonzero(squared <= CANCELLED * scale).cpu().numpy()
    found: Pixels = squared.cpu().numpy()
    for start in range(0, len(spoiled), PAIRS):
        i, j = spoiled[start : start + PAIRS].T
        difference = (a.pixels[i].astype(np.float64) - b.pixels[j]) * (off[0][i] * off[1][j])[:, None]
        found[i, j] = np.square(difference).sum(axis=(1, 2, 3))
    shared = area.cpu().numpy()
    return np.where(shared > 0, np.sqrt(np.maximum(found, 0) / np.maximum(shared, 1)), np.float32(1))


def _off_lesion(images: ImageSet) -> Pixels:
    """1 beyond 5 pixels of a lesion, else 0: ``(n, h, w)``."""
    assert images.mask is not None
    result = np.ones(images.mask.shape, np.float32)
    for mask, kept in zip(images.mask, result, strict=True):
        if mask.any():
            kept[:] = ndimage.distance_transform_edt(mask == 0) > MARGIN
    return result


def vectors(images: ImageSet, described: Pixels) -> ImageSet:
    """``images`` with a vector ``(n, dim)`` each in place of their pixels."""
    return replace(images, pixels=described[:, :, None, None], mask=None)


def between_vectors(a: ImageSet, b: ImageSet, device: str) -> Pixels:
    """Euclidean distance of vectors; of unit vectors, sqrt(2 * cosine distance)."""
    return euclidean(a.pixels.reshape(len(a), 1, -1), b.pixels.reshape(len(b), 1, -1), device)
