"""Nearest patient of a group, for the observed grouping and for many permuted ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .types import FloatArray, Index, Pixels

RANKS = 48


@dataclass(frozen=True, eq=False, slots=True)
class Ranking:
    """For each query the nearest patients, nearest first.

    A random half of the patients holds none of a query's 48 nearest with probability 2^-48, so that the first of a
    group is practically always among them; where it is not, the distance counts as infinite.

    Attributes:
        distance: ``(n, k)``.
        patient: ``(n, k)`` column numbers.
    """

    distance: FloatArray
    patient: Index

    def nearest(self, wanted: NDArray[np.bool_]) -> tuple[FloatArray, Index]:
        """Distance to, and column of, the first patient at which ``wanted`` ``(n, k)`` is true."""
        first = wanted.argmax(axis=1)
        rows = np.arange(len(first))
        found = wanted[rows, first]
        return np.where(found, self.distance[rows, first], np.inf), self.patient[rows, first]

    def nearest_in(self, group: NDArray[np.bool_]) -> tuple[FloatArray, Index]:
        """The nearest patient of ``group`` ``(p,)``."""
        return self.nearest(group[self.patient])

    def nearest_opposite(self, group: NDArray[np.bool_], own: NDArray[np.bool_]) -> FloatArray:
        """Distance to the nearest patient whose group differs from ``own`` ``(n,)``."""
        return self.nearest(group[self.patient] != own[:, None])[0]


def rank_patients(distance: Pixels, ranks: int = RANKS) -> Ranking:
    """The nearest ``ranks`` patients of each query, from ``(n, p)`` distances. Ties keep column order."""
    if distance.shape[1] <= ranks:
        chosen = np.argsort(distance, axis=1, kind="stable")
    else:
        chosen = np.argpartition(distance, ranks - 1, axis=1)[:, :ranks]
        inner = np.argsort(np.take_along_axis(distance, chosen, axis=1), axis=1, kind="stable")
        chosen = np.take_along_axis(chosen, inner, axis=1)
    return Ranking(np.take_along_axis(distance, chosen, axis=1).astype(np.float64), chosen)
