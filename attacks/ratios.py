"""LiRA's and RMIA's tests in their offline forms: arrays in, arrays out."""

import numpy as np
from numpy.typing import NDArray

from ..audit.types import FloatArray

OWN_VARIANCE = 64
SMALLEST = 1e-12


def confidence_logit(loss: FloatArray) -> FloatArray:
    """log(p / (1 - p)) of the confidence p = exp(-loss), without its rounding: -log(exp(loss) - 1).

    Carlini et al. (2022) scale a classifier's confidence so, for its logit is nearly normal from one training to the
    next, and theirs is exp(-loss) too. A denoiser's loss is small, so that this is nearly -log(loss): as large a
    share of the loss counts as much on an easy image as on a difficult one.
    """
    return -np.log(np.expm1(np.maximum(loss, SMALLEST)))


def lira_offline(observed: FloatArray, shadows: FloatArray, out: NDArray[np.bool_]) -> FloatArray:
    """How far the audited model's value lies above what models that never saw the image give, in their deviations.

    Carlini et al., Membership inference attacks from first principles (IEEE S&P 2022, arXiv:2112.03570), equation 4:
    the one-sided test 1 - Pr[Z > observed], Z normal with mean and variance of the models without the image. Returned
    is the standardised value itself: the same order, and no ties where the probability rounds to 1. Each image has a
    mean of its own; with fewer than 64 models the variance is pooled over images (section VI: better below 64), and
    with models enough it is each image's own. Several noise levels are several queries, whose values are averaged.

    Args:
        observed: ``(n, levels)`` of the audited model.
        shadows: ``(models, n, levels)``.
        out: ``(models, n)`` which models never saw which image.

    Returns:
        ``(n,)``; NaN where every model saw the image.
    """
    count = out.sum(0)[:, None]
    weight = out[..., None].astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (weight * shadows).sum(0) / count
        squares = (weight * (shadows - mean) ** 2).sum(0)
        if len(shadows) >= OWN_VARIANCE:
            variance = squares / (count - 1)
        else:
            spare = max(int(np.maximum(count - 1, 0).sum()), 0)
            variance = np.nansum(squares, axis=0) / spare if spare else np.ones(observed.shape[1])
    found: FloatArray = ((observed - mean) / np.sqrt(np.maximum(variance, SMALLEST))).mean(1)
    return found


def mean_out(p: FloatArray, out: NDArray[np.bool_]) -> FloatArray:
    """Mean ``(n,)`` of ``p`` ``(models, n)`` over the models where ``out``; NaN where there is none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((p * out).sum(0) / out.sum(0))


def offline_slope(p_in: FloatArray, p_out: FloatArray) -> float:
    """RMIA's a: p_IN(x) = a p_OUT(x) + (1 - a), by least squares over images that some models saw and some did not.

    Zarifzadeh et al. choose a by attacking a shadow model with the others; whom they saw is known, so it can be
    fitted. Between 0 (members are certain) and 1 (membership changes nothing).

    Args:
        p_in: ``(n,)`` mean confidence of the models that saw each image.
        p_out: ``(n,)`` of those that did not.
    """
    away = 1 - p_out
    squares = float((away**2).sum())
    return float(np.clip((away * (1 - p_in)).sum() / squares, 0.0, 1.0)) if squares > 0 else 1.0


def rmia_ratio(p: FloatArray, p_out: FloatArray, slope: float) -> FloatArray:
    """p(x | theta) / p(x), where p(x) is the mean of p_OUT(x) and p_IN(x) = slope p_OUT(x) + 1 - slope.

    Args:
        p: ``(n,)`` of the audited model.
        p_out: ``(n,)`` mean over models that did not see the image.
        slope: a.
    """
    return p / (((1 + slope) * p_out + (1 - slope)) / 2)


def rmia_offline(ratio: FloatArray, population: FloatArray, gamma: float) -> FloatArray:
    """The share of population points that each image dominates: Pr_z[ratio(x) / ratio(z) >= gamma].

    Zarifzadeh, Liu, Shokri, Low-cost high-power membership inference attacks (ICML 2024, arXiv:2312.03262).

    Args:
        ratio: ``(n,)`` of the images, as ``rmia_ratio`` has it.
        population: ``(m,)`` of images that neither the audited model nor those in their p_OUT saw.
        gamma: by how much to dominate, at least 1.
    """
    bars = np.sort(population) * gamma
    return np.searchsorted(bars, ratio, side="right") / len(bars)
