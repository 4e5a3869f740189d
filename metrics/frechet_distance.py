"""The Frechet distance between two Gaussians, from features or from moments."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from ..audit.types import FloatArray


def symmetric_root(matrix: FloatArray) -> FloatArray:
    """The square root of a symmetric positive semi-definite ``(d, d)`` matrix.

    By eigenvalues, so that the singular covariance of few images needs no offset on its diagonal (``sqrtm`` does).
    """
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    root: FloatArray = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    return root


@dataclass(frozen=True, eq=False, slots=True)
class Gaussian:
    """A normal distribution by its mean and a factor of its covariance.

    Attributes:
        mean: ``(d,)``.
        factor: ``(r, d)`` with ``factor.T @ factor`` = covariance. From fewer images than dimensions it has a row an
            image, which keeps every later product as small as the data.
    """

    mean: FloatArray
    factor: FloatArray

    @classmethod
    def fit(cls, features: FloatArray, weights: FloatArray | None = None) -> Self:
        """Mean and unbiased covariance of ``features`` ``(n, d)``.

        Args:
            features: one row an image.
            weights: ``(n,)`` how often each row counts (whole numbers), or None for once.

        Raises:
            ValueError: if fewer than two rows count.
        """
        weights = np.ones(len(features)) if weights is None else weights
        present = weights > 0
        rows, weights = features[present].astype(np.float64), weights[present]
        total = float(weights.sum())
        if total < 2:
            raise ValueError(f"a covariance needs two images, not {total:g}")
        mean = weights @ rows / total
        factor = (rows - mean) * np.sqrt(weights / (total - 1))[:, None]
        if len(rows) > rows.shape[1]:
            factor = symmetric_root(factor.T @ factor)
        return cls(mean, factor)

    @classmethod
    def from_moments(cls, mean: FloatArray, covariance: FloatArray) -> Self:
        """The Gaussian of that ``mean`` ``(d,)`` and ``covariance`` ``(d, d)``."""
        return cls(mean, symmetric_root(covariance))


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """Squared Frechet (2-Wasserstein) distance, Dowson and Landau 1982; the formula of FID (Heusel et al. 2017).

    ``|mean_a - mean_b|^2 + tr C_a + tr C_b - 2 tr (C_a C_b)^(1/2)``. With ``C = F^T F`` the last trace is the sum of
    the singular values of ``F_a F_b^T``: no square root of a non-symmetric matrix, no complex numbers, and a
    matrix of images by images where there are fewer images than dimensions.
    """
    gap = a.mean - b.mean
    overlap = np.linalg.svd(a.factor @ b.factor.T, compute_uv=False).sum()
    return float(max(0.0, gap @ gap + (a.factor**2).sum() + (b.factor**2).sum() - 2 * overlap))
