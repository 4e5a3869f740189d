"""What a picture looks like, in numbers: what a classifier that knows nothing of any generator may go by."""

import math
from dataclasses import dataclass

import numpy as np

from ..types import FloatArray, ImageSet, Pixels

THUMBNAIL = {1: 64, 2: 8, 3: 4}  # side, by number of spatial axes
PERCENTILES = (10, 50, 90)
SMALLEST = 1e-8  # added to a variance before its logarithm: far below that of 8-bit rounding
AT_ONCE = 2**22  # pixels read from a memory map at a time


@dataclass(frozen=True, eq=False, slots=True)
class Features:
    """One row an image.

    Attributes:
        brightness: ``(n, 5)`` mean, standard deviation and the 10th, 50th and 90th percentile of its pixels.
        texture: ``(n, t)`` logarithm of the squared differences of neighbouring pixels, along each axis, at every scale
            of a pyramid from full resolution to 4 pixels: noise, blur and detail.
        layout: ``(n, l)`` a thumbnail.
    """

    brightness: FloatArray
    texture: FloatArray
    layout: FloatArray

    @property
    def all(self) -> FloatArray:
        """``(n, 5 + t + l)``."""
        return np.concatenate([self.brightness, self.texture, self.layout], axis=1)


def image_features(images: ImageSet) -> Features:
    """The features of every image, of any number of channels and spatial axes."""
    rows = [
        (_brightness(part.pixels), _texture(part.pixels), _layout(part.pixels))
        for part in images.batches(batch(images))
    ]
    return Features(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def batch(images: ImageSet) -> int:
    """How many images may be held in memory at a time."""
    return max(1, AT_ONCE // math.prod(images.pixels.shape[1:]))


def shrink(pixels: Pixels, most: int) -> Pixels:
    """``pixels`` ``(n, c, *spatial)`` averaged over blocks down to at most ``most`` along each spatial axis."""
    small = pixels
    for axis in range(2, pixels.ndim):
        length = small.shape[axis]
        if length > most:
            starts = np.linspace(0, length, most + 1)[:-1].round().astype(int)
            count = np.diff(starts, append=length).astype(np.float32)
            shape = [-1 if i == axis else 1 for i in range(pixels.ndim)]
            small = np.asarray(np.add.reduceat(small, starts, axis=axis) / count.reshape(shape), np.float32)
    return small


def _brightness(pixels: Pixels) -> FloatArray:
    flat = pixels.reshape(len(pixels), -1).astype(np.float64)
    return np.stack([flat.mean(axis=1), flat.std(axis=1), *np.percentile(flat, PERCENTILES, axis=1)], axis=1)


def _texture(pixels: Pixels) -> FloatArray:
    spatial = tuple(range(2, pixels.ndim))
    found = []
    while True:
        for axis in spatial:
            for order in (1, 2):  # slopes see edges, curvatures see noise
                if pixels.shape[axis] > order:
                    energy = np.square(np.diff(pixels, order, axis=axis), dtype=np.float64).mean(axis=spatial)
                    found.append(np.log(energy + SMALLEST))
        longest = max(pixels.shape[2:])
        if longest <= 4:
            return np.concatenate(found, axis=1) if found else np.zeros((len(pixels), 0))
        pixels = shrink(pixels, (longest + 1) // 2)


def _layout(pixels: Pixels) -> FloatArray:
    side = THUMBNAIL.get(pixels.ndim - 2, 2)
    return shrink(pixels, side).reshape(len(pixels), -1).astype(np.float64)
