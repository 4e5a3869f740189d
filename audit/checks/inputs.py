"""What a check of the comparison is given, and what it gives back."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..context import Context
from ..measures.measured import Truth
from ..record import Estimate
from ..types import FloatArray, ImageSet, Index, Names, Split
from .features import Features, image_features

FEWEST = 8  # patients on each side: with fewer no arrangement of them is rare enough to prove a difference
HOW_TO_SPLIT = (
    "draw both at random from the same patients, centre by centre (without a column 'split' in metadata.csv the cohort "
    "is divided so), and send the images of both through the same processing"
)


@dataclass(frozen=True)
class Comparison:
    """Members and holdout, and all that is known about them without a generator.

    Attributes:
        split: the whole cohort.
        truth: the candidates that are compared, as many member as holdout patients.
        context: the check's own randomness.
    """

    split: Split
    truth: Truth
    context: Context

    @property
    def candidates(self) -> ImageSet:
        """The images of both sides."""
        return self.truth.candidates

    @cached_property
    def patients(self) -> Names:
        """``(p,)`` pseudonyms, sorted."""
        return self.candidates.patients

    @cached_property
    def owner(self) -> Index:
        """``(n,)`` the number of each image's patient in ``patients``."""
        return np.searchsorted(self.patients, self.candidates.patient)

    @cached_property
    def member(self) -> NDArray[np.bool_]:
        """``(p,)`` whether each patient was trained on."""
        return self.truth.of_patients(self.patients)[0]

    @cached_property
    def features(self) -> Features:
        """What each candidate image looks like, in numbers."""
        return image_features(self.candidates)

    @property
    def too_few(self) -> str:
        """Why the sides cannot be told apart or found alike, or ""."""
        sides = int(self.member.sum()), int((~self.member).sum())
        if min(sides) >= FEWEST:
            return ""
        return f"{sides[0]} member and {sides[1]} holdout patients are too few: give at least {FEWEST} on each side"

    def by_patient(self, values: FloatArray) -> FloatArray:
        """``(p, ...)`` means over each patient's images of ``values`` ``(n, ...)``."""
        total = np.zeros((len(self.patients), *values.shape[1:]))
        np.add.at(total, self.owner, values)
        images = np.bincount(self.owner, minlength=len(self.patients))
        means: FloatArray = total / images.reshape(-1, *[1] * (values.ndim - 1))
        return means


@dataclass(frozen=True, slots=True)
class Twins:
    """Two patients, or two of their images, that may be one: for the owner of the data only.

    Attributes:
        check: which check found them.
        parts: the part each is in.
        patients: their real names.
        images: the position of each one's image in its part; None where names alone are meant.
        distance: 0 is an exact copy; None where names alone are meant.
        measure: what the distance is.
    """

    check: str
    parts: tuple[str, str]
    patients: tuple[str, str]
    images: tuple[int, int] | None = None
    distance: float | None = None
    measure: str = ""


@dataclass(frozen=True, slots=True)
class Tested:
    """What one check found.

    Attributes:
        estimates: those with a p-value are judged together with every other check's.
        said: for each estimate, what to say if its p-value fails the comparison.
        failed: why the comparison is not fair, whatever the p-values, or "".
        advice: what to do if it is not.
        skipped: why the check could not be made, or "".
        notes: what a reader should know.
        twins: for the owner of the data only.
    """

    estimates: tuple[Estimate, ...] = ()
    said: tuple[str, ...] = ()
    failed: str = ""
    advice: str = ""
    skipped: str = ""
    notes: tuple[str, ...] = ()
    twins: tuple[Twins, ...] = ()


def permuted_members(
    member: NDArray[np.bool_], groups: Index, rng: np.random.Generator, times: int
) -> Iterator[NDArray[np.bool_]]:
    """Random exchanges of patients between the sides, ``(k, p)`` at a time, ``times`` in all.

    Args:
        member: ``(p,)`` the observed sides.
        groups: ``(p,)`` patients are exchanged within their group only.
        rng: decides.
        times: how many.
    """
    block = max(1, 2**22 // len(member))
    for start in range(0, times, block):
        drawn = np.tile(member, (min(block, times - start), 1))
        for group in np.unique(groups):
            own = groups == group
            drawn[:, own] = rng.permuted(drawn[:, own], axis=1)
        yield drawn
