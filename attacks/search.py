"""Exact nearest-neighbour search in any space, reduced to patients: in blocks, and a copy has distance 0."""

from collections.abc import Callable

import numpy as np
import torch

from ..audit.errors import BadInputError
from ..audit.types import RANKS, FloatArray, ImageSet, Pixels, Ranking
from .running import Running, joined
from .streaming import CANCELLED, PAIRS, forget, streamed

Compare = Callable[[ImageSet, ImageSet], Pixels]
"""The distances ``(n, m)`` of n images to m images: a space."""


def euclidean(a: Pixels, b: Pixels, device: str = "cpu") -> Pixels:
    """Euclidean distances, the largest over parts: searched in float32, exact where cancellation spoils that.

    Args:
        a: ``(n, parts, dim)`` float32.
        b: ``(m, parts, dim)`` float32.
        device: where the products are computed.

    Returns:
        ``(n, m)`` float32, right to 1e-5 relative; 0 for a copy.
    """
    # Distances do not change when both sides are moved, but the less is left of a common mean the less cancels.
    centre = b.mean(axis=0)
    ta, tb = (torch.from_numpy(np.array(x - centre)).to(device) for x in (a, b))
    farthest = torch.zeros(len(a), len(b), device=device)
    scale = torch.zeros_like(farthest)
    for part in range(a.shape[1]):
        pa, pb = ta[:, part], tb[:, part]
        norms = pa.square().sum(1)[:, None] + pb.square().sum(1)[None]
        farthest = torch.maximum(farthest, torch.addmm(norms, pa, pb.T, alpha=-2))
        scale = torch.maximum(scale, norms)
    spoiled = torch.nonzero(farthest <= CANCELLED * scale).cpu().numpy()
    squared: Pixels = farthest.cpu().numpy()
    for start in range(0, len(spoiled), PAIRS):
        i, j = spoiled[start : start + PAIRS].T
        difference = a[i].astype(np.float64) - b[j]
        squared[i, j] = np.square(difference).sum(axis=2).max(axis=1)
    return np.sqrt(np.maximum(squared, 0))


def patient_ranking(
    queries: ImageSet,
    images: ImageSet,
    compare: Compare,
    *,
    ranks: int = RANKS,
    siblings: bool = True,
    block: int = 1024,
) -> Ranking:
    """The nearest patients of each query in any space.

    Args:
        queries: n images, read ``block`` at a time, so that a memory map is never whole in memory.
        images: the images searched, likewise.
        compare: the space.
        ranks: patients kept.
        siblings: whether a query may be near images of its own patient.
        block: images compared at a time.

    Returns:
        ``(n, ranks)``, of fewer patients all.
    """
    patients, column = np.unique(images.patient, return_inverse=True)
    shown = torch.from_numpy(column)
    ranks = min(ranks, len(patients))
    rows = []
    for part in queries.batches(block):
        running = Running(len(part), ranks, "cpu")
        for start, searched in zip(range(0, len(images), block), images.batches(block), strict=True):
            distance = compare(part, searched)
            if not siblings:
                distance[part.patient[:, None] == searched.patient] = np.inf
            running.add(torch.from_numpy(distance), shown[start : start + block], start)
            forget(images.pixels)
        forget(queries.pixels)
        rows.append(running.ranking())
    return joined(rows, ranks)


def nearest_distance(
    queries: Pixels, references: Pixels, *, nearest: int = 2, device: str = "cpu", block: int = 4096
) -> FloatArray:
    """Root mean square pixel difference of each query to the closest of ``references``.

    The fast search proposes the ``nearest`` closest; their distances are then computed exactly, for it is off for
    near-copies.

    Args:
        queries: ``(n, ...)`` float32.
        references: ``(m, ...)`` float32 of the same shape, m at least 1.
        nearest: how many are proposed.
        device: ``cpu`` or ``cuda``.
        block: images read at a time.

    Returns:
        ``(n,)`` float64.

    Raises:
        BadInputError: if there are no references, to which no distance is a number.
    """
    if not len(references):
        raise BadInputError("there are no images to search for the nearest\nrelease at least one image")
    found = streamed(
        queries, references, np.arange(len(references)), ranks=nearest, device=device, block=(block, block)
    )
    image = np.maximum(found.image, 0)
    result = np.empty(len(queries))
    for start in range(0, len(queries), PAIRS):
        rows = slice(start, start + PAIRS)
        difference = queries[rows, None].astype(np.float64) - references[image[rows]]
        result[rows] = np.sqrt(np.square(difference).reshape(*difference.shape[:2], -1).mean(axis=2).min(axis=1))
    return result
