"""Gaussian kernel density estimates, in logarithms."""

import numpy as np

from ..audit.context import Context
from ..audit.types import FloatArray, Names, Pixels
from .vectors import distances, spacing

WIDTHS = 2.0 ** np.arange(-5, 2.25, 0.25)  # tried, over the distance between patients
MOST = 1000  # images that the likelihood is summed over: more would not tell it better


def log_density(queries: Pixels, points: Pixels, width: float, device: str) -> FloatArray:
    """The log of the mean kernel of ``points`` at each query, ``(n,)``.

    Without the kernel's normalising constant, which is the same for all.

    Args:
        queries: ``(n, dim)``.
        points: ``(m, dim)``, at least one.
        width: standard deviation of the kernel.
        device: where distances are computed.
    """
    from scipy.special import logsumexp

    total = np.full(len(queries), -np.inf)
    for rows, distance in distances(queries, points, device):
        total[rows] = np.logaddexp(total[rows], logsumexp(-np.square(distance / width) / 2, axis=1))
    density: FloatArray = total - np.log(len(points))
    return density


def likeliest_bandwidth(points: Pixels, patient: Names, context: Context, device: str) -> float:
    """The width under which each patient's images are likeliest, given those of all others.

    With a patient's own images among the points the answer would be how alike siblings are.

    Args:
        points: ``(n, dim)`` of at least two patients.
        patient: ``(n,)``.
        context: which images the likelihood is summed over, where there are many.
        device: where distances are computed.
    """
    from scipy.special import logsumexp

    scale = spacing(points, patient, device) or 1.0
    if not np.isfinite(scale):
        return 1.0
    asked = np.sort(context.rng("bandwidth").permutation(len(points))[:MOST])
    likelihood = np.zeros(len(WIDTHS))
    for i in asked:
        ((_, distance),) = distances(points[i : i + 1], points[patient != patient[i]], device, block=len(points))
        exponents = -np.square(distance / scale) / 2
        likelihood += logsumexp(exponents / WIDTHS[:, None] ** 2, axis=1) - points.shape[1] * np.log(WIDTHS)
    return float(scale * WIDTHS[int(likelihood.argmax())])
