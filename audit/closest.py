"""The distance of images to the closest of others over mirroring and small shifts: searched fast, decided exactly."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from .types import FloatArray, ImageSet, Pixels

PAIRS = 1024  # computed exactly at a time
SHIFTS = 9  # shifts that a metric may name: 0 to 8 pixels


def metric_of(shift: int, *, mirror: bool) -> str:
    """The distance in words, as a certificate states it."""
    named = [f"shifts of up to {shift} pixel{'s' * (shift > 1)}"] if shift else []
    named += ["left-right mirroring"] if mirror else []
    over = f", smallest over {' and '.join(named)}" if named else ""
    return f"root mean square difference of pixels{over}"


def poses_of(metric: str) -> tuple[int, bool] | None:
    """Shift and mirroring of a metric in the words of ``metric_of``; None where it is another one."""
    known = {metric_of(shift, mirror=mirror): (shift, mirror) for shift in range(SHIFTS) for mirror in (False, True)}
    return known.get(metric)


def poses(pixels: Pixels, shift: int, *, mirror: bool) -> Iterator[Pixels]:
    """The parts ``(n, c, h - 2 shift, w - 2 shift)`` of images that a shift of up to ``shift`` pixels moves over.

    Args:
        pixels: ``(n, c, h, w)``.
        shift: pixels in each direction along both axes.
        mirror: also of the images flipped left to right.
    """
    h, w = (side - 2 * shift for side in pixels.shape[-2:])
    for flipped in (False, True) if mirror else (False,):
        images = pixels[..., ::-1] if flipped else pixels
        for dy, dx in itertools.product(range(2 * shift + 1), repeat=2):
            yield images[..., dy : dy + h, dx : dx + w]


def inner(pixels: Pixels, shift: int) -> Pixels:
    """The part of images that stays in view under shifts of up to ``shift`` pixels."""
    return pixels[..., shift : pixels.shape[-2] - shift, shift : pixels.shape[-1] - shift]


def closest(
    images: ImageSet,
    others: ImageSet,
    *,
    shift: int,
    mirror: bool,
    own: bool = True,
    device: str = "cpu",
    block: int = 256,
    advance: Callable[[int], None] = lambda _: None,
) -> FloatArray:
    """Root mean square pixel difference of each image to the closest of ``others``, in any pose.

    Products in float32 find which pairs can be the closest: all whose squared distance lies within the largest error
    that rounding can make, ``dim * 2**-23`` of the two squared lengths, of the smallest. Those are computed again from
    the differences, in float64, so that the result is exact however close a copy is.

    Args:
        images: n images, read ``block`` at a time.
        others: at least one image of the same shape, read likewise.
        shift: see ``poses``.
        mirror: see ``poses``.
        own: whether images of the same patient count; False leaves them out (``inf`` where none remains).
        device: where products are computed.
        block: images compared at a time.
        advance: told how many images of ``others`` were compared, block by block.

    Returns:
        ``(n,)`` float64.
    """
    found = np.full(len(images), np.inf)
    dim = inner(np.asarray(images.pixels[:1]), shift).size
    # Distances stay when both sides are moved; the less is left of a common mean, the less cancels.
    middle = inner(np.mean(np.asarray(others.pixels[:block]), axis=0), shift).reshape(-1)
    for searched in others.batches(block):
        pixels = np.asarray(searched.pixels)
        for start in range(0, len(images), block):
            part = images.take(slice(start, start + block))
            asked = np.ascontiguousarray(inner(np.asarray(part.pixels), shift)).reshape(len(part), dim)
            skipped = None if own else part.patient[:, None] == searched.patient[None]
            rows = found[start : start + block]
            for pose in poses(pixels, shift, mirror=mirror):
                _lower(rows, asked, np.ascontiguousarray(pose).reshape(len(pixels), dim), middle, skipped, device)
        advance(len(searched))
    return np.sqrt(found / dim)


def clearance(
    others: ImageSet,
    images: ImageSet,
    *,
    shift: int,
    mirror: bool,
    device: str = "cpu",
    block: int = 256,
    advance: Callable[[int], None] = lambda _: None,
) -> FloatArray:
    """``closest`` seen from the other side: how far from each of ``others``, in any pose, the closest of ``images`` is.

    Args:
        others: m images, read ``block`` at a time.
        images: at least one image of the same shape, read likewise.
        shift: see ``poses``.
        mirror: see ``poses``.
        device: where products are computed.
        block: images compared at a time.
        advance: told how many of ``others`` were compared, block by block.

    Returns:
        ``(m,)`` float64.
    """
    found = np.full(len(others), np.inf)
    dim = inner(np.asarray(others.pixels[:1]), shift).size
    middle = inner(np.mean(np.asarray(images.pixels[:block]), axis=0), shift).reshape(-1)
    for start in range(0, len(others), block):
        part = np.asarray(others.pixels[start : start + block])
        rows = found[start : start + block]
        for searched in images.batches(block):
            there = np.ascontiguousarray(inner(np.asarray(searched.pixels), shift)).reshape(len(searched), dim)
            for pose in poses(part, shift, mirror=mirror):
                _lower(rows, np.ascontiguousarray(pose).reshape(len(part), dim), there, middle, None, device)
        advance(len(part))
    return np.sqrt(found / dim)


def _lower(
    found: FloatArray, a: Pixels, b: Pixels, middle: Pixels, skipped: NDArray[np.bool_] | None, device: str
) -> None:
    """Lower ``found`` to the smallest squared distance of each row of ``a`` to a row of ``b``."""
    import torch

    ta, tb = (torch.from_numpy(x - middle).to(device) for x in (a, b))
    scale = ta.square().sum(1)[:, None] + tb.square().sum(1)[None]
    squared = torch.addmm(scale, ta, tb.T, alpha=-2)
    error = scale * (a.shape[1] * 2.0**-23)
    if skipped is not None:
        squared[torch.from_numpy(skipped).to(device)] = torch.inf
    most = torch.minimum((squared + error).amin(1).double().cpu(), torch.from_numpy(found)).to(device)
    pairs = torch.nonzero((squared - error <= most[:, None]) & squared.isfinite()).cpu().numpy()
    for start in range(0, len(pairs), PAIRS):
        i, j = pairs[start : start + PAIRS].T
        np.minimum.at(found, i, np.square(a[i].astype(np.float64) - b[j]).sum(axis=1))


def closest_by_brute_force(
    images: ImageSet, others: ImageSet, *, shift: int, mirror: bool, advance: Callable[[int], None] = lambda _: None
) -> FloatArray:
    """The same as ``closest``, from every difference of every pair in float64, by SciPy: nothing is left out."""
    from scipy.spatial.distance import cdist

    asked = inner(np.asarray(images.pixels, np.float64), shift).reshape(len(images), -1)
    found = np.full(len(images), np.inf)
    for searched in others.batches(64):
        for pose in poses(np.asarray(searched.pixels, np.float64), shift, mirror=mirror):
            np.minimum(found, cdist(asked, pose.reshape(len(pose), -1)).min(axis=1), out=found)
        advance(len(searched))
    distances: FloatArray = found / np.sqrt(asked.shape[1])
    return distances
