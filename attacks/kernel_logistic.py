"""Logistic regression on a Gaussian kernel: a classifier that can know single points by heart, quick to train."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..audit.types import FloatArray, Pixels
from .search import euclidean

ITERATIONS = 25
SETTLED = 1e-2  # of a logit: Newton's next step would be about its square


@dataclass(frozen=True, eq=False, slots=True)
class KernelLogistic:
    """A fitted classifier.

    Attributes:
        vectors: ``(n, dim)`` that it was trained on.
        weight: ``(n,)`` of the kernel at each.
        width: of the kernel.
    """

    vectors: Pixels
    weight: FloatArray
    width: float

    def logit(self, queries: Pixels, device: str) -> FloatArray:
        """Log odds ``(m,)`` of the positive class; 0 far from everything it was trained on."""
        return gaussian(queries, self.vectors, self.width, device) @ self.weight


def fit_kernel_logistic(
    vectors: Pixels, positive: NDArray[np.bool_], *, width: float, ridge: float, device: str
) -> KernelLogistic:
    """Minimise the log loss, both classes weighing the same, plus ``ridge / 2`` times the squared norm of the function.

    By Newton's method, each step a linear system (iteratively reweighted least squares). The loss is convex.

    Args:
        vectors: ``(n, dim)``.
        positive: ``(n,)`` the class; both must occur.
        width: standard deviation of the kernel.
        ridge: above 0.
        device: where distances are computed.
    """
    from scipy.linalg import cho_factor, cho_solve
    from scipy.special import expit

    kernel = gaussian(vectors, vectors, width, device)
    balance = np.where(positive, 0.5 / positive.mean(), 0.5 / (~positive).mean())
    logit = np.zeros(len(vectors))
    weight = logit
    for _ in range(ITERATIONS):
        chance = expit(logit)
        curvature = np.maximum(balance * chance * (1 - chance), 1e-8)
        working = logit + balance * (positive - chance) / curvature
        system = kernel.copy()
        system[np.diag_indices_from(system)] += ridge / curvature
        weight = cho_solve(cho_factor(system, overwrite_a=True, check_finite=False), working)
        before, logit = logit, kernel @ weight
        if np.abs(logit - before).max() < SETTLED:
            break
    return KernelLogistic(vectors, weight, width)


def gaussian(a: Pixels, b: Pixels, width: float, device: str) -> FloatArray:
    """``exp(-d^2 / (2 width^2))`` of all pairs, ``(n, m)``."""
    kernel: FloatArray = np.exp(-np.square(euclidean(a[:, None], b[:, None], device).astype(np.float64) / width) / 2)
    return kernel
