"""Images as short vectors, for attacks that estimate densities or train classifiers: single pixels say too little."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..audit.context import Arrays, Auxiliary, Context
from ..audit.errors import BadInputError
from ..audit.target import Target
from ..audit.types import FloatArray, ImageSet, Names, Pixels
from .embedding import copy_detector, embedded
from .search import euclidean

Space = Literal["embedding", "pca", "pixels"]
"""``embedding``: a copy detector trained on the reference; ``pca``: whitened principal components of the reference."""

BATCH = 32  # patients in a training batch of the copy detector, as ``nearest`` has it: so all share one network
ROWS = 1024  # images projected at a time


@dataclass(frozen=True, eq=False, slots=True)
class Vectors:
    """One vector an image, ``(n, dim)`` float32 each."""

    candidates: Pixels
    samples: Pixels
    reference: Pixels


def vectors_in(
    space: Space, target: Target, candidates: ImageSet, aux: Auxiliary, *, components: int, steps: int
) -> Vectors:
    """Candidates, released and reference images in one space.

    What does not depend on the released images is made once for all attacks and all releases, see ``Context.kept``.

    Args:
        space: see ``Space``; ``pixels`` are divided so that a distance is the root mean square difference.
        target: whose samples are described.
        candidates: of the audit.
        aux: the attacker's reference images.
        components: of ``pca`` at most; never more than half as many as there are reference patients, for then they
            would describe those people and not people in general.
        steps: the copy detector's training.

    Raises:
        BadInputError: if nothing was released.
    """
    if not len(target.samples):
        raise BadInputError("there are no images to compare\nrelease at least one image")
    shared, reference = aux.shared, aux.reference
    if space == "pixels":
        root = np.float32(np.sqrt(candidates.pixels[0].size))
        return Vectors(*(_flat(images.pixels) / root for images in (candidates, target.samples, reference)))
    size = steps if space == "embedding" else max(1, min(components, len(reference.patients) // 2))
    describe = _detector(reference, shared, size) if space == "embedding" else _projection(reference, shared, size)

    def known() -> Arrays:
        return {"candidates": describe(candidates.pixels), "reference": describe(reference.pixels)}

    kept = shared.kept(f"vectors in {space}", known, candidates, reference, size)
    samples = aux.memory.rows(f"{space} {size}", target.samples.pixels, describe)
    return Vectors(kept["candidates"], samples, kept["reference"])


def distances(queries: Pixels, others: Pixels, device: str, block: int = 2048) -> Iterator[tuple[slice, FloatArray]]:
    """Euclidean distances of vectors, block by block: which queries, and ``(their number, up to block)``.

    Args:
        queries: ``(n, dim)``.
        others: ``(m, dim)``.
        device: where products are computed.
        block: vectors of either side at a time.
    """
    for q in range(0, len(queries), block):
        asked = queries[q : q + block, None]
        for start in range(0, len(others), block):
            found = euclidean(asked, others[start : start + block, None], device)
            yield slice(q, q + len(asked)), found.astype(np.float64)


def nearest_of(queries: Pixels, others: Pixels, device: str) -> FloatArray:
    """The distance ``(n,)`` of each query to the closest of ``others``."""
    found = np.full(len(queries), np.inf)
    for rows, distance in distances(queries, others, device):
        found[rows] = np.minimum(found[rows], distance.min(axis=1))
    return found


def spacing(vectors: Pixels, patient: Names, device: str) -> float:
    """How far apart people are: the median distance of an image to the nearest one of another patient."""
    found = np.full(len(vectors), np.inf)
    for name in np.unique(patient):
        own = patient == name
        if not own.all():
            found[own] = nearest_of(vectors[own], vectors[~own], device)
    return float(np.median(found))


def _detector(reference: ImageSet, shared: Context, steps: int) -> Callable[[Pixels], Pixels]:
    """The embedding of a copy detector."""
    network = copy_detector(reference, shared, steps=steps, batch=BATCH)
    return lambda pixels: embedded(network, pixels, shared.device)


def _projection(reference: ImageSet, shared: Context, components: int) -> Callable[[Pixels], Pixels]:
    """Principal components, each with variance 1 on the reference."""

    def fit() -> Arrays:
        from sklearn.decomposition import PCA

        seed = shared.integer("principal components") % 2**32
        found = PCA(components, svd_solver="randomized", random_state=seed).fit(_flat(reference.pixels))
        spread = np.sqrt(np.maximum(found.explained_variance_, 1e-12))
        return {
            "mean": found.mean_.astype(np.float32),
            "axes": np.ascontiguousarray((found.components_ / spread[:, None]).T, dtype=np.float32),
        }

    known = shared.kept("principal components", fit, reference, components)

    def project(pixels: Pixels) -> Pixels:
        parts = [pixels[start : start + ROWS] for start in range(0, len(pixels), ROWS)]
        return np.concatenate([(_flat(part) - known["mean"]) @ known["axes"] for part in parts])

    return project


def _flat(pixels: Pixels) -> Pixels:
    return np.asarray(pixels).reshape(len(pixels), -1)
