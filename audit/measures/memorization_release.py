"""How many images may be published? Patients exposed when fewer of the released images are, drawn at random."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..context import Context
from ..record import Estimate, Plot, Series
from ..statistics.resampling import expanded_tail
from ..types import FloatArray, Index

LIMIT = 1.0
"""Patients who may be expected to be exposed beyond what chance exposes."""
RESAMPLES = 2000
SIZES = 120


def release_sizes(images: int) -> Index:
    """Sizes to look at, from 1 to all of ``images``: every one up to 20, then in steps of about 5%."""
    spread = np.geomspace(1, images, SIZES) if images > 1 else np.ones(1)
    return np.unique(np.concatenate([np.arange(1, min(images, 20) + 1), spread.round().astype(int), [images]]))


def chance_of_exposure(copies: Index, images: int, sizes: Index) -> FloatArray:
    """Probability that a random part of the released images holds a copy of a patient.

    1 - C(n - c, k) / C(n, k) for c copies among n images of which k are published without replacement: hypergeometric.

    Args:
        copies: ``(p,)`` c of each patient.
        images: n.
        sizes: ``(s,)`` k.

    Returns:
        ``(p, s)``.
    """
    from scipy.stats import hypergeom

    distinct, which = np.unique(copies, return_inverse=True)
    return np.asarray(hypergeom.sf(0, images, distinct[:, None], sizes[None]), dtype=np.float64)[which]


@dataclass(frozen=True, eq=False, slots=True)
class ReleaseCurve:
    """Expected member patients exposed beyond the control, by number of images published.

    Attributes:
        sizes: ``(s,)`` images published.
        members: ``(s,)`` expected member patients exposed.
        excess: ``(s,)`` the same minus the holdout's.
        low: ``(s,)`` lower end of the interval of ``excess``.
        high: ``(s,)`` upper end.
        images: released in all; beyond them nothing is known.
        copies: of members among them.
    """

    sizes: Index
    members: FloatArray
    excess: FloatArray
    low: FloatArray
    high: FloatArray
    images: int
    copies: int

    def largest(self, limit: float) -> int:
        """The largest size up to which the upper end stays below ``limit`` throughout; 0 where 1 image exceeds it."""
        over = self.high >= limit
        kept = int(over.argmax()) if over.any() else len(over)
        return int(self.sizes[kept - 1]) if kept else 0


def release_curve(copies: Index, member: NDArray[np.bool_], images: int, context: Context) -> ReleaseCurve:
    """The curve with its interval: patients of either side are drawn anew with replacement.

    Args:
        copies: ``(p,)`` released images that are copies of each patient.
        member: ``(p,)`` which patients are members.
        images: released.
        context: randomness and confidence.
    """
    sizes = release_sizes(images)
    totals, draws = [], []
    for side, name in ((member, "members"), (~member, "holdout")):
        p = int(side.sum())
        # Only who has copies counts, so only how often each of those is drawn need be.
        some = copies[side][copies[side] > 0]
        chance = chance_of_exposure(some, images, sizes)
        shares = np.append(np.full(len(some), 1 / p), max(1 - len(some) / p, 0.0))
        drawn = context.rng("release", name).multinomial(p, shares / shares.sum(), RESAMPLES)[:, :-1]
        scale = member.sum() / p
        totals.append(scale * chance.sum(axis=0))
        draws.append(scale * (drawn @ chance))
    smaller = int(min(member.sum(), (~member).sum()))
    edge = expanded_tail(smaller, context.confidence)
    low, high = np.quantile(draws[0] - draws[1], [edge, 1 - edge], axis=0)
    excess = totals[0] - totals[1]
    return ReleaseCurve(
        sizes=sizes,
        members=totals[0],
        excess=excess,
        low=np.minimum(low, excess),
        high=np.maximum(high, excess),
        images=images,
        copies=int(copies[member].sum()),
    )


def release_size(curve: ReleaseCurve, confidence: float) -> Estimate:
    """The largest number of images for which the upper bound of patients exposed stays below the limit.

    No number where no copy was found: patients drawn anew from those without copies have none either, so that the upper
    bound would be 0 however few were looked at.
    """
    most = curve.largest(LIMIT)
    sure = f"{100 * (1 + confidence) / 2:g}%"
    if not curve.copies:
        note = (
            f"no copy was found among all {curve.images} images, so there is nothing to draw a bound from: what could "
            "be published rests on the smallest leak that would have been found"
        )
    elif not most:
        note = f"a single image may expose more than {LIMIT:g} patient beyond the control"
    else:
        found = f"all {curve.images} expose {curve.excess[-1]:.1f} patients beyond the control"
        if curve.low[-1] <= 0:
            found += f" ({curve.low[-1]:.1f} to {curve.high[-1]:.1f}), which may be chance: more patients would tell"
        note = f"{found}; more than {curve.images} images were not tested"
    return Estimate(
        name="release_size",
        value=float(most) if most and curve.copies else None,
        null=float(curve.images),
        n=curve.images,
        unit="image",
        worse="lower",
        method=f"largest number of these images, drawn at random without replacement, for which the {sure} upper bound "
        f"of the expected member patients exposed beyond as many holdout patients is below {LIMIT:g}; hypergeometric, "
        f"bootstrap of patients; sizes in steps of about 5%",
        note=note,
    )


def release_plot(curve: ReleaseCurve) -> Plot:
    """Patients exposed against images published."""
    lines = {"beyond holdout": curve.excess, "lower bound": curve.low, "upper bound": curve.high}
    x = tuple(curve.sizes.astype(float).tolist())
    return Plot(
        name="how many images may be published",
        kind="curve",
        x_label="images published (drawn at random from the released ones)",
        y_label="member patients exposed (expected, beyond holdout patients)",
        series=tuple(Series(label=label, x=x, y=tuple(y.tolist())) for label, y in lines.items()),
    )
