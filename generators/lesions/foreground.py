"""Cutting a lesion out of one image and blending it into the brain of another."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...audit.power.blend import feather, over
from ...audit.types import Masks, Pixels

MARGIN, EDGE, RING = 1.0, 2.0, 4.0
TISSUE = 0.15
TURNED_SCALE = (0.85, 1.15)
BENT, BENT_SMOOTH = 0.1, 5.0  # how far a lesion is bent, as a share of its radius, and over how many pixels
NEIGHBOURS = np.outer([1.0, -2.0, 1.0], [1.0, -2.0, 1.0]).astype(np.float32) / 6
FLUID = 0.55  # of the tissue's mean brightness: what is darker is fluid
DRIEST = 0.15  # share of the places where a lesion fits: those where it covers least fluid
TRUST = 0.5  # in the ring's brightness: half of what rings differ by is anatomy, not the receive field


@dataclass(frozen=True, eq=False)
class Foreground:
    """A lesion in the middle of a square window.

    Attributes:
        pixels: ``(channels, side, side)``.
        mask: ``(side, side)`` lesion classes.
        tissue: ``(side, side)`` bool, where the window shows brain.
    """

    pixels: Pixels
    mask: Masks
    tissue: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Place:
    """A window of a background with a lesion's mask laid into it.

    Attributes:
        corner: of the window in the image; may lie outside it, where the window then is black.
        background: ``(channels, side, side)`` what the window shows.
        tissue: ``(side, side)`` bool, where it shows brain.
        mask: ``(side, side)`` lesion classes, all on tissue.
        alpha: ``(side, side)`` opacity of what is laid over the background; 0 off the tissue.
    """

    corner: tuple[int, int]
    background: Pixels
    tissue: NDArray[np.bool_]
    mask: Masks
    alpha: Pixels

    def mask_in(self, spatial: tuple[int, ...]) -> Masks:
        """The mask on the whole image, ``spatial`` pixels high and wide."""
        y, x = self.corner
        return window(self.mask, (-y, -x), max(spatial))[: spatial[0], : spatial[1]]


def tissue_of(pixels: Pixels) -> NDArray[np.bool_]:
    """Where ``(channels, h, w)`` shows tissue: the largest bright region, its dark holes filled."""
    bright = pixels.max(0)
    filled = np.asarray(ndimage.binary_fill_holes(bright > TISSUE * np.quantile(bright, 0.99)))
    regions, count = ndimage.label(filled)
    if count < 2:
        return filled
    largest: NDArray[np.bool_] = regions == 1 + np.bincount(regions.ravel())[1:].argmax()
    return largest


def fluid_of(pixels: Pixels, tissue: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where ``(channels, h, w)`` is dark in every channel although inside the ``tissue``, as ventricles are in T1."""
    bright = pixels.max(0)
    dark: NDArray[np.bool_] = tissue & (bright < FLUID * bright.mean(where=tissue)) if tissue.any() else tissue
    return dark


def window(array: NDArray[Any], corner: tuple[int, int], side: int) -> NDArray[Any]:
    """The ``side`` x ``side`` part of the last two axes at ``corner``; zeros where it leaves the array."""
    out = np.zeros((*array.shape[:-2], side, side), array.dtype)
    (y, x), (h, w) = corner, array.shape[-2:]
    top, left, bottom, right = max(y, 0), max(x, 0), min(y + side, h), min(x + side, w)
    if top < bottom and left < right:
        out[..., top - y : bottom - y, left - x : right - x] = array[..., top:bottom, left:right]
    return out


def paste(window_: Pixels, alpha: Pixels, corner: tuple[int, int], image: Pixels) -> Pixels:
    """``image`` with ``window_`` laid over it at ``corner``; equal to ``image`` to the bit where ``alpha`` is 0."""
    h, w = image.shape[-2:]
    y, x = corner
    lifted, opacity = (window(array, (-y, -x), max(h, w))[..., :h, :w] for array in (window_, alpha))
    return over(lifted, image, opacity)


def radius(mask: Masks) -> float:
    """How far a lesion reaches from the middle of its bounding box, in pixels; 0 without a lesion."""
    at = np.argwhere(mask)
    return float(np.sqrt(((at - (at.min(0) + at.max(0)) / 2) ** 2).sum(1).max())) if len(at) else 0.0


def cut(pixels: Pixels, mask: Masks, side: int) -> Foreground:
    """The lesion of an image ``(channels, h, w)`` in the middle of a window."""
    at = np.argwhere(mask)
    middle = (at.min(0) + at.max(0) + 1) // 2 if len(at) else np.array(mask.shape) // 2
    corner = (int(middle[0]) - side // 2, int(middle[1]) - side // 2)
    return Foreground(window(pixels, corner, side), window(mask, corner, side), window(tissue_of(pixels), corner, side))


def grain(pixels: Pixels, mask: NDArray[Any]) -> Pixels:
    """How much single pixels differ from their neighbours inside a lesion, per channel ``(channels,)``.

    The standard deviation of the noise, if noise is all that differs (Immerkaer 1996, doi 10.1006/cviu.1996.0060); 0
    where fewer than 8 pixels lie inside.
    """
    inside = ndimage.binary_erosion(mask > 0)
    if inside.sum() < 8:
        return np.zeros(len(pixels), np.float32)
    differences = np.stack([ndimage.convolve(channel, NEIGHBOURS) for channel in pixels])
    found: Pixels = differences[:, inside].std(1).astype(np.float32)
    return found


def regrained(pixels: Pixels, mask: NDArray[Any], wanted: Pixels, rng: np.random.Generator) -> Pixels:
    """``pixels`` with white noise, as much as raises the ``grain`` of the lesion to what is wanted ``(channels,)``.

    Interpolation and autoencoders smooth the scanner's noise away; a patch without it is known as a patch.
    """
    missing = np.sqrt(np.maximum(wanted**2 - grain(pixels, mask) ** 2, 0.0))
    noisy: Pixels = pixels + missing[:, None, None] * rng.standard_normal(pixels.shape, dtype=np.float32)
    return noisy.astype(np.float32)


def turned(
    foreground: Foreground, reach: float, rng: np.random.Generator, area: tuple[float, float] | None = None
) -> Foreground:
    """The lesion at a random angle, perhaps mirrored, a little larger or smaller and bent, but within ``reach`` pixels.

    Values are interpolated by cubic splines: linear ones would mix a small dark core with the bright rim around it.

    Args:
        foreground: what to turn.
        reach: how far the lesion may extend from the middle of the window, in pixels.
        rng: where randomness comes from.
        area: fewest and most pixels that the lesion should cover, or None; ``reach`` comes first.
    """
    side = foreground.mask.shape[0]
    angle = rng.uniform(0, 2 * np.pi)
    scale = rng.uniform(*TURNED_SCALE)
    covered = max(int((foreground.mask > 0).sum()), 1)
    if area is not None and not area[0] <= covered * scale**2 <= area[1]:
        scale = float(np.sqrt(rng.uniform(*area) / covered))
    scale = min(scale, reach / max(radius(foreground.mask), 1.0))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
    turn[:, 1] *= rng.choice((-1.0, 1.0))
    bend = ndimage.gaussian_filter(rng.standard_normal((2, side, side)), (0, BENT_SMOOTH, BENT_SMOOTH), mode="wrap")
    bend *= BENT * radius(foreground.mask) / bend.std()
    grid = np.mgrid[:side, :side] - (side - 1) / 2
    at = np.tensordot(turn, grid, 1) + bend + (side - 1) / 2

    def moved(array: NDArray[Any], order: int) -> NDArray[Any]:
        return np.asarray(ndimage.map_coordinates(array.astype(np.float32), at, order=order, mode="nearest"))

    classes = np.unique(foreground.mask)
    shares = np.stack([moved(foreground.mask == k, 1) for k in classes])  # smoother borders than the nearest pixel's
    pixels, mask = np.stack([moved(channel, 3) for channel in foreground.pixels]), classes[shares.argmax(0)]
    wanted = grain(foreground.pixels, foreground.mask)
    return Foreground(regrained(pixels, mask, wanted, rng), mask, moved(foreground.tissue, 1) > 0.5)


def place(mask: Masks, image: Pixels, rng: np.random.Generator, allowed: NDArray[np.bool_] | None = None) -> Place:
    """A random place in the brain of ``image`` where the lesion of ``mask`` lies on tissue and covers little fluid.

    A tumour grows in tissue and pushes ventricles aside, and its oedema spares them; a segmenter of real tumours finds
    less of those that are laid over fluid. Where a lesion fits nowhere, the place where least of it leaves the tissue,
    and the mask without that part.

    Args:
        mask: ``(side, side)`` lesion classes.
        image: ``(channels, h, w)`` the background.
        rng: where randomness comes from.
        allowed: ``(h, w)`` where the lesion's centre of mass may lie, or None for anywhere.
    """
    side = mask.shape[0]
    tissue = tissue_of(image)
    h, w = tissue.shape
    size = (h + 2 * side, w + 2 * side)
    lesion = mask > 0
    if not lesion.any():  # a tumour-free window still looks at the brain
        lesion = np.zeros_like(lesion)
        lesion[side // 2, side // 2] = True

    def covered(where: NDArray[np.bool_], beyond: float) -> NDArray[np.float64]:
        """How many lesion pixels lie there, for every corner at once: a correlation."""
        padded = np.full(size, beyond)
        padded[side : side + h, side : side + w] = where
        spectrum = np.fft.rfft2(padded) * np.conj(np.fft.rfft2(lesion, size))
        return np.rint(np.fft.irfft2(spectrum, size))[: h + side, : w + side]

    off = covered(~tissue, 1.0)
    if allowed is not None:
        middle = centre_of(lesion)
        there = np.zeros(size, bool)
        there[side : side + h, side : side + w] = allowed
        off[~there[middle[0] :, middle[1] :][: h + side, : w + side]] = np.inf
    fits = off == off.min()
    wet = covered(fluid_of(image, tissue), 0.0)
    fits &= wet <= np.quantile(wet[fits], DRIEST)
    y, x = rng.choice(np.argwhere(fits))
    corner = (int(y) - side, int(x) - side)
    inside = window(tissue, corner, side)
    kept = np.where(inside, mask, 0).astype(np.uint8)
    return Place(corner, window(image, corner, side), inside, kept, feather(kept, MARGIN, EDGE) * inside)


def centre_of(mask: NDArray[Any]) -> tuple[int, int]:
    """The pixel nearest to a lesion's centre of mass."""
    y, x = np.rint(np.argwhere(mask).mean(0)).astype(int).tolist()
    return y, x


def blend(foreground: Foreground, at: Place) -> Pixels:
    """The window of ``at`` with the lesion blended in, its brightness harmonised to the tissue around it.

    Channel by channel the lesion is multiplied by the ratio of the rings' means around it, there and here, to the
    power ``TRUST``: what a receive field does to tissue it does to a lesion, but two rings also differ by anatomy.
    Matching means and deviations in full brightened dark cores by a tenth of the range of greys and spread the greys
    of lesions half as wide again as they are.
    """
    near = feather(foreground.mask, MARGIN + RING, 0.0) > 0
    ring = near & ~(feather(foreground.mask, MARGIN, 0.0) > 0)
    source, target = ring & foreground.tissue, ring & at.tissue
    harmonised = foreground.pixels
    if source.sum() >= 8 and target.sum() >= 8:
        there, here = foreground.pixels[:, source].mean(1), at.background[:, target].mean(1)
        gain = np.clip(here / np.maximum(there, 1e-3), 0.5, 2.0) ** TRUST
        harmonised = gain[:, None, None] * foreground.pixels
    return over(np.clip(harmonised, 0.0, 1.0).astype(np.float32), at.background, at.alpha)
