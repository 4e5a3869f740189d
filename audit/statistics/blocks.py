"""A statistic without each block of patients in turn: what two audits need to know of one another to be compared.

Two audits of one cohort ask about the same patients, so their results err together. How much, a record can tell
without a single patient's score: the statistic is computed again without each of ``BLOCKS`` blocks of patients, and
two records' deviations are multiplied (the grouped jackknife; Shao and Wu, Annals of Statistics 17, 1989), as
``differences`` does.
"""

from collections.abc import Callable
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from ..types import FloatArray, Index, Names

BLOCKS = 20
SMALLEST = 3
"""Patients of a block that is left out: fewer stay in, so that no number tells of one or two people."""
FEWEST = 60
"""Patients below which there are no blocks: most would be too small."""
DIGITS = 9

Kept = NDArray[np.bool_]
"""``(b, n)``: which rows stay, one line for each block that is left out."""


def block_of(patient: Names) -> Index:
    """``(n,)`` the block of each patient, by a hash of the name: the same in every audit, whoever else is in it."""
    names, code = np.unique(patient, return_inverse=True)
    block = [int.from_bytes(sha256(name.encode()).digest(), "big") % BLOCKS for name in names.tolist()]
    return np.array(block, dtype=np.intp)[code]


def left_out(patient: Names, value: float, statistic: Callable[[Kept], FloatArray]) -> tuple[float, ...]:
    """``statistic`` without each block of patients in turn.

    Args:
        patient: ``(n,)`` the real name of the patient of each row; a patient may have several rows.
        value: the statistic of all rows.
        statistic: from the rows that stay, ``(b, n)``, to ``(b,)`` values; not finite where it is not defined.

    Returns:
        ``BLOCKS`` values, ``value`` itself for a block of fewer than ``SMALLEST`` patients or without which the
        statistic is not defined; none below ``FEWEST`` patients.
    """
    patients, code = np.unique(patient, return_inverse=True)
    if len(patients) < FEWEST:
        return ()
    block = block_of(patients)
    out = np.bincount(block, minlength=BLOCKS) >= SMALLEST
    values = np.full(BLOCKS, float(value))
    if out.any():
        without = statistic(block[code] != np.flatnonzero(out)[:, None])
        values[out] = np.where(np.isfinite(without), without, value)
    return tuple(float(f"{v:.{DIGITS}g}") for v in values)
