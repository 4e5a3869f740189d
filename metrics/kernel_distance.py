"""The kernel distance KID: unbiased squared maximum mean discrepancy with a cubic kernel."""

import numpy as np

from ..audit.types import FloatArray, Names


def cubic_kernel(a: FloatArray, b: FloatArray) -> FloatArray:
    """``(a.b / d + 1)^3`` for all pairs of rows, ``(n, m)``: Binkowski et al. 2018, arXiv:1801.01401."""
    kernel: FloatArray = (a @ b.T / a.shape[1] + 1) ** 3
    return kernel


class KernelDistance:
    """Unbiased squared MMD between two sets of images, for any weights of theirs.

    Pairs of one patient (an image with itself, or with a sibling slice) are left out of the means within a set: they
    are alike in any set, and would make clustered images look like a narrower distribution. With one image a
    patient this is the usual estimator.

    Args:
        a: ``(n, d)`` features of one set.
        b: ``(m, d)`` features of the other.
        patient_a: ``(n,)`` patient of each image.
        patient_b: ``(m,)`` likewise.
    """

    def __init__(self, a: FloatArray, b: FloatArray, patient_a: Names, patient_b: Names) -> None:
        self._others_a = (patient_a[:, None] != patient_a[None]).astype(np.float64)
        self._others_b = (patient_b[:, None] != patient_b[None]).astype(np.float64)
        self._within_a = cubic_kernel(a, a) * self._others_a
        self._within_b = cubic_kernel(b, b) * self._others_b
        self._between = cubic_kernel(a, b)

    def __call__(self, weights_a: FloatArray, weights_b: FloatArray) -> float:
        """The distance where image i of a set counts ``weights[i]`` times; about 0 for one distribution."""
        within_a = weights_a @ self._within_a @ weights_a / (weights_a @ self._others_a @ weights_a)
        within_b = weights_b @ self._within_b @ weights_b / (weights_b @ self._others_b @ weights_b)
        between = weights_a @ self._between @ weights_b / (weights_a.sum() * weights_b.sum())
        return float(within_a + within_b - 2 * between)
