"""Exact nearest neighbours by Euclidean distance among more images than fit in memory: a stream of blocks."""

import mmap

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..audit.types import RANKS, ImageSet, Index, Pixels, Ranking
from .running import Running, joined

# |a|^2 + |b|^2 - 2ab in float32 loses about 1e-6 of |a|^2 + |b|^2. What is smaller than this share of it is computed
# again from the differences, in float64, so that every distance is right to 1e-5 and not only the large ones.
CANCELLED = 0.06
PAIRS = 128  # recomputed at a time: few enough for the processor's cache
BLOCK = 2048, 2048  # queries and images compared at a time: 80 MB of 64 x 64 pixels and products


def vector_ranking(
    queries: ImageSet, images: ImageSet, *, ranks: int = RANKS, siblings: bool = True, scale: float = 1.0, device: str
) -> Ranking:
    """The nearest patients of each query, by the Euclidean distance of pixels or vectors.

    Args:
        queries: n images.
        images: the images searched.
        ranks: patients kept.
        siblings: whether a query may be near images of its own patient.
        scale: what distances are multiplied by.
        device: where the products are computed.

    Returns:
        ``(n, ranks)``, of fewer patients all. 0 for a copy, otherwise right to 1e-5.
    """
    patients, column = np.unique(images.patient, return_inverse=True)
    own = None
    if not siblings:
        place = np.minimum(np.searchsorted(patients, queries.patient), len(patients) - 1)
        own = np.where(patients[place] == queries.patient, place, -1)
    found = streamed(queries.pixels, images.pixels, column, own=own, ranks=ranks, device=device, block=BLOCK)
    return Ranking(found.distance * np.float32(scale), found.patient, found.image)


def streamed(
    queries: Pixels,
    images: Pixels,
    column: Index,
    *,
    own: Index | None = None,
    ranks: int,
    device: str,
    block: tuple[int, int] = BLOCK,
    exact: bool = False,
) -> Ranking:
    """The nearest patients of each query: time linear in queries and in images, memory in neither.

    Searched in float32 on ``device``; what cancellation spoils among the nearest is computed again from the
    differences, in float64. Memory maps are read in blocks and their pages given back.

    Args:
        queries: ``(n, ...)`` float32.
        images: ``(m, ...)`` float32.
        column: ``(m,)`` the patient of each image; ``arange(m)`` finds the nearest images.
        own: ``(n,)`` the patient whom each query must not find; None: it may find all.
        ranks: patients kept, of fewer all.
        device: where the products are computed.
        block: queries and images compared at a time.
        exact: compute every distance again, also those that are right to 1e-5.
    """
    ranks = min(ranks, len(np.unique(column)))
    shown = torch.from_numpy(column).to(device)
    centre = _mean(images, block[1])
    lengths = torch.zeros(len(images), device=device)
    size = [min(most, len(x)) for most, x in zip(block, (queries, images), strict=True)]
    rooms = [np.empty((n, len(centre)), np.float32) for n in size]
    products = torch.empty(size[0] * size[1], device=device)
    rows = []
    for begin in range(0, len(queries), block[0]):
        part = queries[begin : begin + block[0]]
        asked = _flat(part, centre, rooms[0], device)
        length = torch.linalg.vector_norm(asked, dim=1).square()
        asked *= -2
        running = Running(len(part), ranks, device)
        for start in range(0, len(images), block[1]):
            there = slice(start, start + block[1])
            searched = _flat(images[there], centre, rooms[1], device)
            if begin == 0:
                lengths[there] = torch.linalg.vector_norm(searched, dim=1).square()
            beyond = products[: len(part) * len(searched)].view(len(part), len(searched))
            _multiply(asked, searched, beyond)
            beyond += lengths[there]
            if own is not None:
                mine = torch.from_numpy(own[begin : begin + block[0]]).to(device)
                beyond.masked_fill_(mine[:, None] == shown[there], torch.inf)
            running.add(beyond, shown[there], start)
            forget(images)
        squared = running.distance + length[:, None]
        spoiled = squared <= CANCELLED * (length[:, None] + lengths[running.image.clamp(min=0)])
        running.distance = torch.sqrt(torch.clamp(squared, min=0))
        _recompute(running, (part, images), torch.isfinite(squared) & (spoiled | exact))
        forget(queries)
        rows.append(running.ranking())
    return joined(rows, ranks)


def _recompute(running: Running, both: tuple[Pixels, Pixels], wrong: Tensor) -> None:
    """Distances from the differences, in float64, where ``wrong`` ``(n, ranks)``."""
    where = wrong.nonzero().cpu().numpy()
    image: NDArray[np.int64] = running.image.cpu().numpy()
    for start in range(0, len(where), PAIRS):
        query, rank = where[start : start + PAIRS].T
        difference = (both[0][query].astype(np.float64) - both[1][image[query, rank]]).reshape(len(query), -1)
        distance = np.sqrt(np.einsum("ij,ij->i", difference, difference)).astype(np.float32)
        running.distance[query, rank] = torch.from_numpy(distance).to(wrong.device)
        forget(both[1])


def _flat(pixels: Pixels, centre: Pixels, room: Pixels, device: str) -> Tensor:
    # Distances do not change when both sides are moved, but the less is left of a common mean the less cancels.
    return torch.from_numpy(np.subtract(pixels.reshape(len(pixels), -1), centre, out=room[: len(pixels)])).to(device)


def _multiply(a: Tensor, b: Tensor, out: Tensor) -> None:
    if a.device.type == "cpu":  # OpenBLAS is 5% to 10% faster than torch's library on processors that are not Intel's
        np.matmul(a.numpy(), b.numpy().T, out=out.numpy())
    else:
        torch.mm(a, b.T, out=out)


def _mean(pixels: Pixels, block: int) -> Pixels:
    total = np.zeros(pixels[0].size)
    for start in range(0, len(pixels), block):
        total += pixels[start : start + block].reshape(-1, len(total)).sum(axis=0, dtype=np.float64)
        forget(pixels)
    return (total / len(pixels)).astype(np.float32)


def forget(pixels: Pixels) -> None:
    """Give back the pages of a memory map that were read; they are read again when needed.

    A map that can be written to is left alone: its pages may hold what no file holds.
    """
    base: object = pixels
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
