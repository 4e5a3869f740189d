"""A partition of a space into cells, learned from reference images: where a statistic compares like with like."""

import numpy as np
from scipy.cluster.vq import kmeans2, vq

from ..audit.context import Arrays, Context
from ..audit.types import FloatArray, ImageSet, Index
from .streaming import forget

CELLS, DIMENSIONS = 8, 32
LEARNED_FROM = 1000  # reference images at most
BLOCK = 512


def cells_of(reference: ImageSet, asked: tuple[ImageSet, ImageSet], context: Context, name: str) -> tuple[Index, Index]:
    """The cell of each of the images ``asked``: k-means in the principal components of the reference images.

    Neither samples nor candidates move a cell's border, so that an image's cell depends on nobody else in the audit.

    Args:
        reference: real images that the attacker owns, as vectors or pixels.
        asked: two sets of images in the same form.
        context: where randomness comes from and the partition is kept.
        name: of the space.
    """

    def learn() -> Arrays:
        rng = context.rng(name, "cells")
        chosen = rng.permutation(len(reference))[:LEARNED_FROM]
        flat = reference.pixels[np.sort(chosen)].reshape(len(chosen), -1).astype(np.float64)
        centre = flat.mean(axis=0)
        _, _, axes = np.linalg.svd(flat - centre, full_matrices=False)
        axes = axes[:DIMENSIONS]
        middles, _ = kmeans2((flat - centre) @ axes.T, min(CELLS, len(flat)), iter=50, minit="++", rng=rng)
        return {"centre": centre, "axes": axes, "middles": middles}

    learned = context.kept(f"{name} cells", learn, reference)

    def cells(images: ImageSet) -> Index:
        found = [np.zeros(0, np.intp)]
        for part in images.batches(BLOCK):
            found.append(_nearest(part, learned["centre"], learned["axes"], learned["middles"]))
            forget(images.pixels)
        return np.concatenate(found)

    return cells(asked[0]), cells(asked[1])


def _nearest(images: ImageSet, centre: FloatArray, axes: FloatArray, middles: FloatArray) -> Index:
    flat = images.pixels.reshape(len(images), -1).astype(np.float64)
    cell: Index = vq((flat - centre) @ axes.T, middles)[0].astype(np.intp)
    return cell
