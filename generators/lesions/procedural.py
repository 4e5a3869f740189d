"""Lesions drawn by a procedure: they belong to nobody, so learning from them costs no privacy."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...audit.power.blend import over
from ...audit.types import ImageSet, Masks, Pixels
from .foreground import Foreground, place


def smooth_noise(side: int, sigma: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """``(side, side)`` Gaussian noise of that correlation length, mean 0 and standard deviation 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal((side, side)), sigma, mode="wrap")
    return np.asarray((noise - noise.mean()) / max(float(noise.std()), 1e-9))


def blob(side: int, reach: float, channels: int, rng: np.random.Generator) -> Foreground:
    """An irregular lesion of one to three nested parts, each of its own grey and texture.

    Args:
        side: pixels along the window.
        reach: how far the lesion may extend from the middle, in pixels.
        channels: of the image.
        rng: where randomness comes from.
    """
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    angle, squeeze = rng.uniform(0, np.pi), rng.uniform(1.0, 1.6)
    u, v = np.cos(angle) * x + np.sin(angle) * y, (np.cos(angle) * y - np.sin(angle) * x) * squeeze
    distance = np.hypot(u, v) * (1 + 0.2 * smooth_noise(side, rng.uniform(2, 5), rng))
    distance[np.hypot(x, y) > reach] = np.inf
    outer = rng.uniform(0.2, 0.95) * reach
    mask = np.zeros((side, side), np.uint8)
    pixels = np.zeros((channels, side, side), np.float32)
    shares = [1.0, *np.sort(rng.uniform(0.2, 0.9, rng.integers(0, 3)))[::-1].tolist()]
    for part, share in enumerate(shares, start=1):
        inside = distance < share * outer
        mask[inside] = part
        for channel in pixels:
            texture = rng.uniform(0, 0.08) * smooth_noise(side, rng.uniform(0.4, 2), rng)
            channel[inside] = np.clip(rng.uniform(0, 1) + texture, 0, 1)[inside]
    return Foreground(pixels, mask, mask > 0)


def drawn_windows(
    public: ImageSet, side: int, reach: float, lesions: tuple[int, ...], n: int, rng: np.random.Generator
) -> tuple[Pixels, Pixels, Masks]:
    """Windows of public images, most of them with a drawn lesion in the brain.

    The parts of a drawn lesion are given the classes ``lesions`` in random order.

    Returns:
        ``(n, channels, side, side)`` images, the same without lesions, and ``(n, side, side)`` masks.
    """
    windows = np.empty((n, public.channels, side, side), np.float32)
    backgrounds = np.empty_like(windows)
    masks = np.empty((n, side, side), np.uint8)
    for i, which in enumerate(rng.integers(len(public), size=n)):
        lesion = blob(side, reach, public.channels, rng)
        at = place(lesion.mask, np.asarray(public.pixels[which]), rng)
        soft = np.asarray(ndimage.gaussian_filter((at.mask > 0).astype(np.float32), rng.uniform(0.3, 0.8)))
        opacity = np.where(at.tissue, soft, 0.0).astype(np.float32) * (rng.random() < 0.9)
        windows[i], backgrounds[i] = over(lesion.pixels, at.background, opacity), at.background
        classes = np.array([0, *np.resize(rng.permutation(lesions or (1,)), 3)], np.uint8)
        masks[i] = classes[at.mask] if opacity.any() else 0
    return windows, backgrounds, masks
