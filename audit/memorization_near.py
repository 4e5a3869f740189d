"""Who is nearest under any division of the candidates into members and holdout: made ready once, asked many times."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .types import Columns, FloatArray, Index, Ranking, SpaceDistances

# Looked at first: among 12 patients of a random division each side nearly always has two.
HEAD = 12
MEMBER, HOLDOUT, NOBODY = 1, 0, 2


@dataclass(frozen=True, eq=False, slots=True)
class Near:
    """The nearest of one side, for each of n released images.

    Attributes:
        distance: ``(n,)`` to the nearest patient; inf where there is none.
        second: ``(n,)`` to the second nearest patient.
        patient: ``(n,)`` the nearest one's column, -1 where there is none.
        image: ``(n,)`` that patient's nearest image, as a row of the candidates; -1 likewise.
    """

    distance: FloatArray
    second: FloatArray
    patient: Columns
    image: Columns


@dataclass(frozen=True, eq=False, slots=True)
class Space:
    """Distances of one space.

    Attributes:
        name: what the distance compares.
        samples: each released image's nearest patients.
        candidates: each candidate image's nearest other patients.
        own: ``(m,)`` column of each candidate image's own patient.
        cells: of a partition, for each released and each candidate image, or None.
    """

    name: str
    samples: Ranking
    candidates: Ranking
    own: Index
    cells: tuple[Index, Index] | None

    @classmethod
    def of(cls, given: SpaceDistances, patient: NDArray[np.str_]) -> Self:
        """``given`` with the patient of each candidate image."""
        own = np.searchsorted(given.patients, patient)
        return cls(given.space, given.samples, given.candidates, own, given.cells)

    @property
    def constant(self) -> bool:
        """Whether every released image lies equally far from everybody, so that no distance tells anything."""
        found = self.samples.distance[np.isfinite(self.samples.distance)]
        return not len(found) or bool(found.min() == found.max())

    def under(self, member: NDArray[np.bool_]) -> "Division":
        """Who is nearest if the patients ``member`` ``(p,)`` were members and the others holdout."""
        code = _code(member)
        side = code[self.own]
        same, opposite = (_leading(self.candidates.patient, code, s[:, None], 1)[0] for s in (side, 1 - side))
        return Division(
            space=self,
            is_member=member,
            member=_near(self.samples, code, MEMBER),
            holdout=_near(self.samples, code, HOLDOUT),
            same=_at(self.candidates.distance, same),
            opposite=_at(self.candidates.distance, opposite),
        )

    def spread(self, member: NDArray[np.bool_], images: Columns, most: int) -> FloatArray:
        """Mean distance of some candidate images to their nearest other patients of the same side.

        Args:
            member: ``(p,)`` the division.
            images: rows of the candidates; -1 gives nan.
            most: how many patients; fewer where the ranking holds fewer.

        Returns:
            One value an image; nan where there is no such patient.
        """
        rows, back = np.unique(images, return_inverse=True)
        code = _code(member)
        wanted = code[self.candidates.patient[rows]] == code[self.own[rows]][:, None]
        wanted &= wanted.cumsum(axis=1, dtype=np.int16) <= most
        count = wanted.sum(axis=1)
        total = np.where(wanted, self.candidates.distance[rows], 0).sum(axis=1, dtype=np.float64)
        mean: FloatArray = np.divide(total, count, out=np.full(len(rows), np.nan), where=(count > 0) & (rows >= 0))
        return np.take(mean, back)


@dataclass(frozen=True, eq=False, slots=True)
class Division:
    """One space under one division of the candidate patients.

    Attributes:
        space: which.
        is_member: ``(p,)`` the division.
        member: the nearest members of each released image.
        holdout: the nearest holdout patients.
        same: ``(m,)`` distance of each candidate image to the nearest other patient of its own side.
        opposite: ``(m,)`` to the nearest patient of the other side: a real stranger's distance.
    """

    space: Space
    is_member: NDArray[np.bool_]
    member: Near
    holdout: Near
    same: FloatArray
    opposite: FloatArray

    @property
    def smaller(self) -> int:
        """Patients on the smaller side."""
        members = int(self.is_member.sum())
        return min(members, len(self.is_member) - members)


def _code(member: NDArray[np.bool_]) -> NDArray[np.int8]:
    """The side of each column, and of -1, which stands for nobody."""
    return np.append(member.astype(np.int8), np.int8(NOBODY))


def _near(ranking: Ranking, code: NDArray[np.int8], side: int) -> Near:
    first, second = _leading(ranking.patient, code, np.full((1, 1), side, np.int8), 2)
    rows = np.arange(len(first))
    patient, image = (np.where(first >= 0, of[rows, first], -1) for of in (ranking.patient, ranking.image))
    return Near(_at(ranking.distance, first), _at(ranking.distance, second), patient, image)


def _at(distance: NDArray[np.float32], rank: Index) -> FloatArray:
    return np.where(rank >= 0, distance[np.arange(len(rank)), rank].astype(np.float64), np.inf)


def _leading(patient: Columns, code: NDArray[np.int8], side: NDArray[np.int8], count: int, ranks: int = HEAD) -> Index:
    """Ranks of the first ``count`` patients of a side.

    Args:
        patient: ``(n, k)``.
        code: the side of each.
        side: the side asked for, ``(n, 1)`` or one for all ``(1, 1)``.
        count: how many.
        ranks: looked at first; rows that need more are asked again.

    Returns:
        ``(count, n)``, -1 where there are no more.
    """
    wanted = code.take(patient[:, :ranks]) == side
    rows = np.arange(len(patient))
    found = np.empty((count, len(patient)), np.intp)
    for place in found:
        at = wanted.argmax(axis=1)
        place[:] = np.where(wanted[rows, at], at, -1)
        wanted[rows, at] = False
    if ranks < patient.shape[1] and len(short := np.flatnonzero(found[-1] < 0)):
        sides = side if len(side) == 1 else side[short]
        found[:, short] = _leading(patient[short], code, sides, count, patient.shape[1])
    return found
