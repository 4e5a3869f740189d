"""Exact nearest-neighbour search, reduced to patients: in blocks of bounded memory, and a copy has distance 0."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from ..audit.errors import BadInputError
from ..audit.types import RANKS, FloatArray, ImageSet, Pixels, Ranking

Compare = Callable[[ImageSet, ImageSet], Pixels]
"""The distances ``(n, m)`` of n images to m images: a space."""

# |a|^2 + |b|^2 - 2ab in float32 loses about 1e-6 of |a|^2 + |b|^2. What is smaller than this share of it is computed
# again from the differences, in float64, so that every distance is right to 1e-5 and not only the large ones.
CANCELLED = 0.06
PAIRS = 1024  # recomputed at a time


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
    """The nearest patients of each query.

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
    rows = []
    for part in queries.batches(block):
        distance = np.concatenate([compare(part, searched) for searched in images.batches(block)], axis=1)
        rows.append(Ranking.of(distance, images.patient, None if siblings else part.patient, ranks))
    empty = np.empty((0, min(ranks, len(images.patients))))
    return Ranking(
        np.concatenate([empty.astype(np.float32), *(r.distance for r in rows)]),
        np.concatenate([empty.astype(np.int32), *(r.patient for r in rows)]),
        np.concatenate([empty.astype(np.int32), *(r.image for r in rows)]),
    )


def nearest_distance(
    queries: Pixels, references: Pixels, *, nearest: int = 8, device: str = "cpu", block: int = 4096
) -> FloatArray:
    """Root mean square pixel difference of each query to the closest of ``references``.

    FAISS proposes the ``nearest`` closest, on the GPU where it was built for one; their distances are then computed
    exactly, for the fast search is off for near-copies.

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
    result = np.full(len(queries), np.inf)
    for q in range(0, len(queries), block):
        asked = np.ascontiguousarray(queries[q : q + block])
        asked = asked.reshape(len(asked), -1)
        for r in range(0, len(references), block):
            searched = np.ascontiguousarray(references[r : r + block])
            searched = searched.reshape(len(searched), -1)
            for row, near in enumerate(_knn(asked, searched, min(nearest, len(searched)), device), start=q):
                exact = np.square(asked[row - q].astype(np.float64) - searched[near]).mean(axis=1).min()
                result[row] = min(result[row], np.sqrt(exact))
    return result


def _knn(queries: Pixels, references: Pixels, k: int, device: str) -> NDArray[np.int64]:
    """Positions ``(n, k)`` of the nearest references as FAISS finds them."""
    import faiss

    found: NDArray[np.int64]
    if device.startswith("cuda") and hasattr(faiss, "StandardGpuResources"):
        _, found = faiss.knn_gpu(faiss.StandardGpuResources(), queries, references, k)
    else:
        _, found = faiss.knn(queries, references, k)
    return found
