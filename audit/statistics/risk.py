"""Risk beyond a control: r = (a - c) / (1 - c), and how sure it is when both shares come from the same images."""

import math

import numpy as np
from numpy.typing import NDArray

from ..types import Columns, Index
from .stats import Interval


def normalised_risk(attack: float, control: float) -> float:
    """(a - c) / (1 - c), the form of Anonymeter (Giomi et al., PoPETs 2023); 0 where the control is all."""
    return (attack - control) / (1 - control) if control < 1 else 0.0


def risk_interval(
    member: NDArray[np.bool_], holdout: NDArray[np.bool_], confidence: float, matched: Index | Columns | None = None
) -> Interval:
    """Interval of the control-normalised risk of images that may hit a member, a holdout patient, both or neither.

    1 - r = (1 - a) / (1 - c) is a ratio of two shares of the same images, so this is one minus the score interval of
    a ratio of matched proportions (Tang, Tang and Chan, Statistics in Medicine 22, 2003): the uncertainty of both
    shares, and their correlation, are in it. Images are taken for independent given the candidates, as draws from one
    fitted generator are; chance matches that pile up on few patients are not. So the numbers are divided by
    1 + 2 sum k_p (k_p - 1) / sum u^2, where k_p counts the images that hit holdout patient p and no member, u = (hit a
    member) - (hit holdout) - r (no hit on holdout) is an image's share in the variance, and 2 stands for the members'
    side, on which chance piles up alike but cannot be told from copying. With 20 to 200 patients a side, 95% intervals
    cover 94-96% for risks of 0, 0.1 and 0.9; without the division 89-92% where nothing was copied
    (docs/validation.md).

    Args:
        member: ``(n,)`` which images hit a member.
        holdout: ``(n,)`` which hit a holdout patient.
        confidence: e.g. 0.95.
        matched: ``(n,)`` the holdout patient nearest to each image, as a number; None: chance does not pile up.

    Returns:
        The interval, cut at -1 (or at the risk itself, where that is lower); -1 to 1 where the control is all.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    piled = 1.0 if matched is None else _piled(member, holdout, matched)
    neither, holdout_only, member_only = (
        float(cell.sum()) / piled for cell in (~member & ~holdout, ~member & holdout, member & ~holdout)
    )
    cells = (neither, holdout_only, member_only, len(member) / piled)
    kept, control_kept = neither + holdout_only, neither + member_only
    if control_kept == 0:
        return Interval(-1.0, 1.0)
    z = float(norm.ppf((1 + confidence) / 2))
    ratio = kept / control_kept
    tiny = 1e-9  # at a ratio of 0 the score may be infinite
    smallest = brentq(lambda at: _score(at, *cells) - z, tiny, ratio) if kept and _score(tiny, *cells) > z else 0.0
    most = max(2.0, ratio)
    largest = brentq(lambda at: _score(at, *cells) + z, ratio, most) if _score(most, *cells) < -z else most
    return Interval(1 - largest, 1 - smallest)


def _score(ratio: float, neither: float, holdout_only: float, member_only: float, n: float) -> float:
    """(x - ratio y) over its standard deviation under ``ratio``, x and y counting no hit on members and on holdout."""
    hit_not_both = neither + holdout_only + member_only
    distance = neither + holdout_only - ratio * (neither + member_only)
    a = n * (1 + ratio)
    b = (neither + member_only) * ratio**2 - (neither + holdout_only + 2 * member_only)
    c = member_only * (1 - ratio) * hit_not_both / n
    # the most likely probability of a hit on a member only, given the ratio
    likely = (-b + math.sqrt(max(b * b - 4 * a * c, 0.0))) / (2 * a)
    variance = n * ((1 + ratio) * likely + hit_not_both * (ratio - 1) / n)
    if variance <= 1e-18:
        return 0.0 if abs(distance) < 1e-9 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def _piled(member: NDArray[np.bool_], holdout: NDArray[np.bool_], matched: Index | Columns) -> float:
    control = float(holdout.mean())
    risk = normalised_risk(float(member.mean()), control)
    variance = float(np.square(member * 1.0 - holdout - risk * ~holdout).sum())
    counts = np.bincount(matched[holdout & ~member])
    return 1 + 2 * float((counts * (counts - 1)).sum()) / variance if variance > 0 else 1.0
