"""Intervals for a metric: resample the patients of the real test set."""

import numpy as np

from ..audit.types import FloatArray, Names


def patient_weights(patient: Names, draws: int, rng: np.random.Generator, strata: Names | None = None) -> FloatArray:
    """How often each image is in each bootstrap resample of patients.

    A patient's images are drawn together, since they are not independent.

    Args:
        patient: ``(n,)`` the patient of each image.
        draws: number of resamples.
        rng: source of randomness.
        strata: ``(n,)`` resample within these groups (a patient belongs to that of its first image), so that no
            group is ever empty; None: all patients together.

    Returns:
        ``(draws, n)`` whole numbers; per stratum, the drawn patients are as many as there are.
    """
    patients, first, owner = np.unique(patient, return_index=True, return_inverse=True)
    stratum = (
        np.zeros(len(patients), dtype=np.intp) if strata is None else np.unique(strata[first], return_inverse=True)[1]
    )
    counts = np.zeros((draws, len(patients)))
    for group in np.unique(stratum):
        inside = np.flatnonzero(stratum == group)
        counts[:, inside] = rng.multinomial(len(inside), np.full(len(inside), 1 / len(inside)), size=draws)
    drawn: FloatArray = counts[:, owner]
    return drawn


def percentile_interval(values: FloatArray, confidence: float) -> tuple[float, float]:
    """The central ``confidence`` share of bootstrap ``values`` ``(draws,)``."""
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def centred_interval(value: float, values: FloatArray, confidence: float, floor: float = 0.0) -> tuple[float, float]:
    """The percentile interval of ``values``, moved so that their mean lies on ``value``.

    For a statistic that resampling with replacement itself pushes up (a Frechet distance sees the repeated images as
    a narrower distribution), so that the plain percentile interval may not even contain the value.

    Args:
        value: the statistic of the data as they are.
        values: ``(draws,)`` the statistic of each resample.
        confidence: e.g. 0.95.
        floor: the least the statistic can be.
    """
    low, high = percentile_interval(values, confidence)
    shift = value - float(values.mean())
    return max(floor, low + shift), max(floor, high + shift)


def patient_means(values: FloatArray, patient: Names) -> FloatArray:
    """Mean of ``values`` ``(n, ...)`` over each patient's images: ``(p, ...)``, patients sorted."""
    patients, owner = np.unique(patient, return_inverse=True)
    total = np.zeros((len(patients), *values.shape[1:]))
    np.add.at(total, owner, values)
    images = np.bincount(owner).reshape(-1, *([1] * (values.ndim - 1)))
    means: FloatArray = total / images
    return means
