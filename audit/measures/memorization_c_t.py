"""C_T: whether released images lie closer to members than holdout images do, cell by cell (Meehan et al. 2020)."""

import math
from collections.abc import Callable

import numpy as np

from ..context import Context
from ..record import Estimate
from ..statistics.resampling import Multiplicities, bootstrap
from ..types import FloatArray, Index
from .memorization_companion import NOT_PASSED, Companion, against
from .memorization_near import Division

FEWEST = 20  # a cell counts with more released images than this, as in the authors' experiments
RESAMPLES = 1000


def c_t(released: FloatArray, released_cell: Index, holdout: FloatArray, holdout_cell: Index) -> float:
    """C_T, far below 0 where released images lie closer to members than unseen patients' images do.

    In each cell the Z-score of the Mann-Whitney U of distances to the nearest member, with the authors' continuity
    correction and ties counted half; their mean weighted by the holdout images' share of each cell. Cells with 20
    released images or fewer, or without holdout images, are left out.

    Args:
        released: ``(m,)`` distance of each released image to its nearest member.
        released_cell: ``(m,)`` from 0.
        holdout: ``(n,)`` distance of each holdout image to its nearest member.
        holdout_cell: ``(n,)``.

    Returns:
        nan where no cell counts.
    """
    once = np.ones((1, len(released)), np.int64), np.ones((1, len(holdout)), np.int64)
    return float(resampled_c_t(released, released_cell, holdout, holdout_cell)(*once)[0])


def resampled_c_t(
    released: FloatArray, released_cell: Index, holdout: FloatArray, holdout_cell: Index
) -> Callable[[Multiplicities, Multiplicities], FloatArray]:
    """``c_t`` as a statistic of multiplicities, for ``bootstrap``: the distances are sorted once.

    Returns:
        From how often each image counts, ``(r, m)`` and ``(r, n)``, to ``(r,)``.
    """
    kept = np.intersect1d(np.flatnonzero(np.bincount(released_cell) > FEWEST), holdout_cell)
    if not len(kept):
        return lambda w, _: np.full(len(w), np.nan)
    # All cells at once: both sides in the order of their cells, the holdout's distances rising within each.
    own, other = (np.flatnonzero(np.isin(cell, kept)) for cell in (released_cell, holdout_cell))
    cells = [np.searchsorted(kept, cell) for cell in (released_cell[own], holdout_cell[other])]
    order = [_by_cell(cells[0]), np.lexsort((holdout[other], cells[1]))]
    own, other = own[order[0]], other[order[1]]
    cells = [cell[place] for cell, place in zip(cells, order, strict=True)]
    # A key that rises with the cell, and within a cell with the distance.
    levels = np.unique(holdout[other])
    key = cells[1] * (len(levels) + 1) + np.searchsorted(levels, holdout[other])
    left, right = (
        np.searchsorted(key, cells[0] * (len(levels) + 1) + np.searchsorted(levels, released[own], side))
        for side in ("left", "right")
    )
    first = [np.searchsorted(cell, np.arange(len(kept))) for cell in cells]
    start = first[1][cells[0]]

    def resampled(w_released: Multiplicities, w_holdout: Multiplicities) -> FloatArray:
        w, v = w_released.take(own, axis=1), w_holdout.take(other, axis=1)
        below = np.zeros((len(v), len(other) + 1))
        np.cumsum(v, axis=1, out=below[:, 1:])
        lower = (below.take(left, axis=1) + below.take(right, axis=1)) / 2 - below.take(start, axis=1)
        u = np.add.reduceat(lower * w, first[0], axis=1)
        m, n = np.add.reduceat(w, first[0], axis=1), np.add.reduceat(v, first[1], axis=1)
        deviation = np.sqrt(n * m * (n + m + 1) / 12)
        z = np.divide(u - (n * m / 2 - 0.5), deviation, out=np.zeros(u.shape), where=deviation > 0)
        mass = np.where(deviation > 0, n, 0)
        total = mass.sum(axis=1)
        found: FloatArray = np.divide((mass * z).sum(axis=1), total, out=np.full(len(total), np.nan), where=total > 0)
        return found

    return resampled


def _by_cell(cell: Index) -> Index:
    """A stable order by cell; of small integers numpy sorts by radix, in linear time."""
    return np.argsort(cell.astype(np.min_scalar_type(int(cell.max()))), kind="stable")


def _sides(division: Division) -> tuple[FloatArray, Index, FloatArray, Index]:
    assert division.space.cells is not None
    released, candidates = division.space.cells
    unseen = ~division.is_member[division.space.own]
    return division.member.distance, released, division.opposite[unseen], candidates[unseen]


def _lacks(division: Division) -> str:
    if division.space.cells is None:
        return "this space has no partition into cells"
    _, released, _, unseen = _sides(division)
    counted = np.intersect1d(np.flatnonzero(np.bincount(released) > FEWEST), unseen)
    return "" if len(counted) else f"no cell holds more than {FEWEST} released images and a holdout image"


def _statistic(division: Division) -> float:
    return c_t(*_sides(division))


def _estimate(division: Division, null: FloatArray, context: Context) -> Estimate:
    released, released_cell, holdout, holdout_cell = _sides(division)
    observed = c_t(released, released_cell, holdout, holdout_cell)
    mean, p_value = against(observed, null, "lower")
    own = division.space.own[~division.is_member[division.space.own]]
    interval = bootstrap(
        resampled_c_t(released, released_cell, holdout, holdout_cell),
        (division.member.patient.astype(str), own.astype(str)),
        context.rng("c_t", division.space.name),
        context.confidence,
        RESAMPLES,
    )
    known = not math.isnan(interval.low)
    kept = np.flatnonzero(np.bincount(released_cell) > FEWEST)
    cells = len(np.union1d(released_cell, holdout_cell))
    covered = int(np.isin(released_cell, kept).sum())
    return Estimate(
        name="c_t",
        group=division.space.name,
        value=observed,
        low=min(interval.low, observed) if known else None,
        high=max(interval.high, observed) if known else None,
        null=mean,
        n=len(released),
        unit="image",
        worse="lower",
        p_value=p_value,
        method="Z of the Mann-Whitney U of distances to members, released against holdout images, by cell, weighted by "
        "the holdout's mass (Meehan et al. 2020); bootstrap of holdout and of nearest patients; null, which is not 0 "
        f"where images cluster by patient: mean of {len(null)} permutations within centres; cells with more than "
        f"{FEWEST} released images; {NOT_PASSED}",
        note=f"{len(kept)} of {cells} cells, {covered} of {len(released)} images"
        + ("" if known else "; no interval: patients drawn anew leave no cell with images enough"),
    )


C_T = Companion("c_t", "lower", _lacks, _statistic, _estimate)
