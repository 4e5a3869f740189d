"""Who is nearest under any division of the candidates into members and holdout: made ready once, asked many times."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..types import Columns, FloatArray, Index, Ranking, SpaceDistances

# Looked at first: among 12 patients of a random division each side nearly always has one.
HEAD = 12
MEMBER, HOLDOUT, NOBODY = 1, 0, 2


@dataclass(frozen=True, eq=False, slots=True)
class Near:
    """The nearest of one side, for each of n released images.

    Attributes:
        distance: ``(n,)`` to the nearest patient; inf where there is none.
        patient: ``(n,)`` the nearest one's column, -1 where there is none.
        rank: ``(n,)`` where that patient stands in ``ranking``, -1 likewise.
        ranking: of all patients.
        wanted: ``(p + 1,)`` who is on this side; last who stands for nobody.
    """

    distance: FloatArray
    patient: Columns
    rank: Index
    ranking: Ranking
    wanted: NDArray[np.bool_]

    @property
    def image(self) -> Columns:
        """``(n,)`` that patient's nearest image, as a row of the candidates; -1 where there is none."""
        return _column(self.ranking.image, self.rank)

    @property
    def second(self) -> FloatArray:
        """``(n,)`` distance to the second nearest patient; inf where there is none."""
        later = self.wanted.take(self.ranking.patient)
        rows = np.arange(len(later))
        later[rows, self.rank] = False
        at = later.argmax(axis=1)
        return _distance(self.ranking, np.where(later[rows, at], at, -1))


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
        among = _first(self.candidates.patient, code)
        holdout, members = _first(self.samples.patient, code)
        return Division(
            space=self,
            is_member=member,
            member=_near(self.samples, members, code == MEMBER),
            holdout=_near(self.samples, holdout, code == HOLDOUT),
            same=_distance(self.candidates, np.where(side == HOLDOUT, *among)),
            opposite=_distance(self.candidates, np.where(side == MEMBER, *among)),
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


def _near(ranking: Ranking, rank: Index, wanted: NDArray[np.bool_]) -> Near:
    return Near(_distance(ranking, rank), _column(ranking.patient, rank), rank, ranking, wanted)


def _column(of: Columns, rank: Index) -> Columns:
    return np.where(rank >= 0, of[np.arange(len(rank)), rank], np.int32(-1))


def _distance(ranking: Ranking, rank: Index) -> FloatArray:
    found = ranking.distance[np.arange(len(rank)), rank].astype(np.float64)
    return np.where(rank >= 0, found, np.inf)


def _first(patient: Columns, code: NDArray[np.int8], ranks: int = HEAD) -> tuple[Index, Index]:
    """Ranks of the first holdout patient and of the first member; one of them is rank 0.

    Args:
        patient: ``(n, k)``.
        code: the side of each.
        ranks: looked at first; rows that need more are asked again.

    Returns:
        ``(n,)`` each, -1 where there is none.
    """
    sides = code.take(patient[:, :ranks])
    lead = sides[:, 0]
    other = sides == (1 - lead)[:, None]
    at = other.argmax(axis=1)
    there = other[np.arange(len(at)), at]
    later = np.where(there, at, -1)
    holdout, member = (np.where(lead == side, 0, later) for side in (HOLDOUT, MEMBER))
    if ranks < patient.shape[1] and len(short := np.flatnonzero(~there)):
        holdout[short], member[short] = _first(patient[short], code, patient.shape[1])
    return holdout, member
