"""Precision, recall, density and coverage of synthetic images by nearest neighbours in a feature space."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from ..audit.types import FloatArray, Names


@dataclass(frozen=True, eq=False, slots=True)
class Manifold:
    """What each image says about fidelity and diversity; the four measures are the means.

    Attributes:
        precision: ``(m,)`` 1.0 where the synthetic image lies in some real image's neighbourhood.
        density: ``(m,)`` in how many real neighbourhoods it lies, over k.
        recall: ``(n,)`` 1.0 where the real image lies in some synthetic image's neighbourhood.
        coverage: ``(n,)`` 1.0 where the real image's neighbourhood holds a synthetic image.
    """

    precision: FloatArray
    density: FloatArray
    recall: FloatArray
    coverage: FloatArray


def _radii(features: FloatArray, patient: Names, k: int) -> FloatArray:
    distance = cdist(features, features)
    distance[patient[:, None] == patient[None]] = np.inf
    radii: FloatArray = np.partition(distance, k - 1, axis=1)[:, k - 1]
    return radii


def manifold(
    real: FloatArray, synthetic: FloatArray, patient_real: Names, patient_synthetic: Names, k: int
) -> Manifold:
    """Improved precision and recall, density and coverage of synthetic images.

    Kynkaanniemi et al. 2019, arXiv:1904.06991; Naeem et al. 2020, arXiv:2002.09797.

    A neighbourhood reaches to the k-th nearest image *of another patient*: sibling slices would make it too small.

    Args:
        real: ``(n, d)`` features.
        synthetic: ``(m, d)`` features.
        patient_real: ``(n,)`` patient of each real image.
        patient_synthetic: ``(m,)`` patient of each synthetic image.
        k: neighbours.
    """
    between = cdist(real, synthetic)
    inside_real = between <= _radii(real, patient_real, k)[:, None]
    inside_synthetic = between <= _radii(synthetic, patient_synthetic, k)[None]
    return Manifold(
        precision=inside_real.any(axis=0).astype(np.float64),
        density=inside_real.sum(axis=0) / k,
        recall=inside_synthetic.any(axis=1).astype(np.float64),
        coverage=inside_real.any(axis=1).astype(np.float64),
    )
