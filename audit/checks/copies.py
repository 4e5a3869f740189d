"""For each image its closest look-alike among many others: once by pixels, once by a perceptual hash."""

import hashlib
import math
from dataclasses import dataclass
from itertools import product
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..types import FloatArray, ImageSet, Index, Names, Pixels
from .features import batch, shrink

SIDE = {2: 64, 3: 16}  # images are compared at this many pixels a side, by number of spatial axes
COARSE = {2: 16, 3: 6}  # and looked for at this
HASHED = {2: 32, 3: 12}  # the hash is taken of so many pixels a side
FREQUENCIES = {2: 16, 3: 6}  # and of so many frequencies along each axis
FEWEST_PIXELS = 64  # an image of fewer is like others by chance
FEWEST_BITS = 128  # 64 bits, as is usual, are too few: slices of different people collide (hippocampus MRI)
SHIFT = 1  # pixels in each direction that copies may be moved by
TAKEN_UP = 5  # look-alikes of each image that are compared in full
QUERIES = 128  # images looked for at a time
SAME = 1e-6  # pixels that vary less do not vary


@dataclass(frozen=True, eq=False, slots=True)
class Sketch:
    """Images as they are compared: 10 KB each, however large they are.

    Attributes:
        at: ``(n,)`` their positions in the set they come from, from which images that show nothing are left out.
        patient: ``(n,)`` whom they show.
        fine: ``(n, c, *spatial)`` in 65535ths, averaged down to 64 pixels a side (16 for volumes).
        coarse: ``(n, k)`` averaged down to 16 (6), each channel of mean 0, the whole of length 1.
        bits: ``(n, b)`` +1 or -1: whether a low frequency of the discrete cosine transform lies above the median.
        empty: how many images were left out because all their pixels are equal.
    """

    at: Index
    patient: Names
    fine: NDArray[np.uint16]
    coarse: Pixels
    bits: Pixels
    empty: int

    @classmethod
    def of(cls, images: ImageSet) -> Self:
        """Sketch ``images``, a few at a time."""
        axes = images.pixels.ndim - 2
        shown, fine, coarse, bits = [], [], [], []
        for part in images.batches(batch(images)):
            keep = ~_constant(part.pixels)
            small = shrink(part.pixels[keep], SIDE.get(axes, 8))
            shown.append(keep)
            fine.append(np.rint(np.clip(small, 0, 1) * 65535).astype(np.uint16))
            coarse.append(_unit(shrink(small, COARSE.get(axes, 4))))
            bits.append(_bits(small))
        at = np.flatnonzero(np.concatenate(shown))
        return cls(
            at=at,
            patient=images.patient[at],
            fine=np.concatenate(fine),
            coarse=np.concatenate(coarse),
            bits=np.concatenate(bits),
            empty=len(images) - len(at),
        )

    @property
    def comparable(self) -> bool:
        """Whether the images are large enough to be told apart."""
        return math.prod(self.fine.shape[2:]) >= FEWEST_PIXELS


@dataclass(frozen=True, eq=False, slots=True)
class Closest:
    """The closest look-alike of each image.

    Attributes:
        pixels: ``(n,)`` 1 - r^2, r the correlation of the two images after the best shift by at most one pixel: the
            share of one that a gain and an offset of the other leave unexplained. 0 for a copy, inf where nothing was
            compared.
        pixels_match: ``(n,)`` the row it was found at.
        hash: ``(n,)`` the share of hash bits that differ; inf where images are too small for a hash.
        hash_match: ``(n,)`` the row it was found at.
    """

    pixels: FloatArray
    pixels_match: Index
    hash: FloatArray
    hash_match: Index


def closest(queries: Sketch, gallery: Sketch) -> Closest:
    """The closest image of another patient in ``gallery``, for each of ``queries``: candidates coarsely, then in full.

    Memory is bounded by the gallery's number of images times 128.
    """
    names, code = np.unique(np.concatenate([queries.patient, gallery.patient]), return_inverse=True)
    asked, owner = code[: len(queries.at)], code[len(queries.at) :]
    n = len(queries.at)
    found = Closest(np.full(n, np.inf), np.zeros(n, np.intp), np.full(n, np.inf), np.zeros(n, np.intp))
    if not n or not len(gallery.at) or len(names) < 2:
        return found
    width = queries.bits.shape[1]
    for start in range(0, n, QUERIES):
        rows = np.arange(start, min(start + QUERIES, n))
        same = asked[rows, None] == owner
        alike = np.abs(queries.coarse[rows] @ gallery.coarse.T)
        alike[same] = -1
        near = np.argpartition(-alike, min(TAKEN_UP, alike.shape[1]) - 1, axis=1)[:, :TAKEN_UP]
        left = _unexplained(queries.fine[rows], gallery.fine[near])
        left[np.take_along_axis(same, near, axis=1)] = np.inf
        best = left.argmin(axis=1)
        found.pixels[rows] = left[np.arange(len(rows)), best]
        found.pixels_match[rows] = near[np.arange(len(rows)), best]
        if width >= FEWEST_BITS:
            differ = (1 - queries.bits[rows] @ gallery.bits.T / width) / 2
            differ[same] = np.inf
            found.hash_match[rows] = differ.argmin(axis=1)
            found.hash[rows] = differ.min(axis=1)
    return found


def digests(images: ImageSet) -> list[bytes]:
    """A hash of each image's pixels, rounded to 8 bits; b"" for one whose pixels are all equal."""
    found = []
    for part in images.batches(batch(images)):
        rounded = np.rint(part.pixels * 255).astype(np.uint8)
        empty = _constant(part.pixels)
        found += [
            b"" if nothing else hashlib.blake2b(image.tobytes(), digest_size=16).digest()
            for image, nothing in zip(rounded, empty, strict=True)
        ]
    return found


def _constant(pixels: Pixels) -> NDArray[np.bool_]:
    rounded = np.rint(pixels * 255).reshape(len(pixels), math.prod(pixels.shape[1:]))
    constant: NDArray[np.bool_] = rounded.min(axis=1) == rounded.max(axis=1)
    return constant


def _unit(values: Pixels) -> Pixels:
    """Flattened, each channel of mean 0 and as long as every other that is not constant, the whole of length 1."""
    flat = values.reshape(*values.shape[:2], math.prod(values.shape[2:]))
    flat = flat - flat.mean(axis=2, keepdims=True)
    length = np.sqrt(np.einsum("nci,nci->nc", flat, flat))[..., None]
    varied = np.sqrt(np.maximum((length > SAME).sum(axis=1, keepdims=True), 1))
    flat *= np.where(length > SAME, 1 / np.maximum(length * varied, SAME), 0).astype(np.float32)
    unit: Pixels = flat.reshape(len(values), math.prod(values.shape[1:]))
    return unit


def _bits(pixels: Pixels) -> Pixels:
    from scipy.fft import dctn

    axes = tuple(range(1, pixels.ndim - 1))
    small = shrink(pixels, HASHED.get(len(axes), 6)).mean(axis=1)
    low = dctn(small, axes=axes)[(slice(None), *(slice(0, FREQUENCIES.get(len(axes), 3)) for _ in axes))]
    flat = low.reshape(len(pixels), math.prod(low.shape[1:]))[:, 1:]  # without the constant: brightness is no content
    median = np.median(flat, axis=1, keepdims=True) if flat.size else flat
    return np.where(flat > median, 1, -1).astype(np.float32)


def _unexplained(asked: NDArray[np.uint16], others: NDArray[np.uint16]) -> FloatArray:
    """1 - r^2 of each ``asked`` ``(q, c, *spatial)``, best shifted, with its ``others`` ``(q, k, c, *spatial)``."""
    spatial = asked.shape[2:]
    shift = SHIFT if min(spatial) >= 8 else 0
    rest = tuple(size - 2 * shift for size in spatial)

    def crop(images: NDArray[np.uint16], step: tuple[int, ...]) -> Pixels:
        where: tuple[slice, ...] = (slice(None), slice(None))
        where += tuple(slice(start, start + size) for start, size in zip(step, rest, strict=True))
        return _unit(images[where].astype(np.float32))

    steps = product(range(2 * shift + 1), repeat=len(spatial))
    moved = np.stack([crop(asked, step) for step in steps], axis=1)
    still = crop(others.reshape(-1, *asked.shape[1:]), (shift,) * len(spatial)).reshape(*others.shape[:2], -1)
    r = np.abs(moved @ still.transpose(0, 2, 1)).max(axis=1)
    left: FloatArray = np.clip(1 - r.astype(np.float64) ** 2, 0, 1)
    return left
