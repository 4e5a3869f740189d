"""The values that flow between cohorts, generators, attacks and statistics. All are frozen."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .errors import BadInputError
from .record import Privacy

FloatArray = NDArray[np.float64]
Pixels = NDArray[np.float32]
Names = NDArray[np.str_]
Labels = NDArray[np.int64]
Masks = NDArray[np.uint8]
Index = NDArray[np.intp]
Columns = NDArray[np.int32]

RANKS, CANDIDATE_RANKS = 48, 128
"""How many of the nearest patients are kept of a released image, and of a candidate's image."""


@dataclass(frozen=True, eq=False, slots=True)
class ImageSet:
    """Images with what is known about each.

    Attributes:
        pixels: ``(n, channels, *spatial)`` float32 in [0, 1]; may be a read-only memory map.
        patient: ``(n,)`` the patient each image shows; for synthetic images a name of its own per image.
        label: ``(n,)`` int64 diagnostic class, or None.
        mask: ``(n, *spatial)`` uint8 lesion classes, 0 is background, or None.
        center: ``(n,)`` where the image was taken, or None.
        visit: ``(n,)`` int64 examination number of that patient, or None.
        source: synthetic images only: ``(n,)`` the patient whose record conditioned the image, "" where none.

    Raises:
        ValueError: if a shape or dtype is not as stated.
    """

    pixels: Pixels
    patient: Names
    label: Labels | None = None
    mask: Masks | None = None
    center: Names | None = None
    visit: Labels | None = None
    source: Names | None = None

    def __post_init__(self) -> None:
        if self.pixels.ndim < 4 or self.pixels.dtype != np.float32:
            raise ValueError(
                f"pixels must be (n, channels, *spatial) float32, not {self.pixels.shape} {self.pixels.dtype}"
            )
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and len(value) != len(self.pixels):
                raise ValueError(f"{field.name} has {len(value)} entries for {len(self.pixels)} images")
        if self.mask is not None and self.mask.shape[1:] != self.spatial:
            raise ValueError(f"mask is {self.mask.shape[1:]}, images are {self.spatial}")

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.pixels.shape[1])

    @property
    def spatial(self) -> tuple[int, ...]:
        """Height and width (and depth, for volumes)."""
        return tuple(self.pixels.shape[2:])

    @property
    def patients(self) -> Names:
        """The distinct patients, sorted."""
        return np.unique(self.patient)

    def take(self, index: Index | NDArray[np.bool_] | slice) -> Self:
        """The images at ``index`` (positions, a boolean mask or a slice; a slice of a memory map stays one)."""
        chosen: dict[str, Any] = {
            f.name: None if getattr(self, f.name) is None else getattr(self, f.name)[index] for f in fields(self)
        }
        return replace(self, **chosen)

    def batches(self, size: int) -> Iterator[Self]:
        """Consecutive parts of at most ``size`` images, so that a memory map is never read whole."""
        for start in range(0, len(self), size):
            yield self.take(slice(start, start + size))


def concatenate(*parts: ImageSet) -> ImageSet:
    """All images of ``parts`` in order; a field that one part lacks is dropped."""

    def joined(name: str) -> NDArray[np.generic] | None:
        values = [getattr(part, name) for part in parts]
        return None if any(v is None for v in values) else np.concatenate(values)

    return ImageSet(**{f.name: joined(f.name) for f in fields(ImageSet)})  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False, slots=True)
class Split:
    """A cohort divided by patient. No patient is in two parts.

    Attributes:
        members: what the generator is trained on.
        holdout: other patients of the same distribution, never seen by the generator: the control.
        reference: further patients that the attacker owns.
        public: images that may be shared (healthy scans), or None.
        reserve: patients in none of the above, for generators with a known answer, or None.

    Raises:
        BadInputError: if a patient is in two parts.
    """

    members: ImageSet
    holdout: ImageSet
    reference: ImageSet
    public: ImageSet | None = None
    reserve: ImageSet | None = None

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        twice: dict[tuple[str, str], int] = {}
        for role, images in self.parts():
            for patient in images.patients.tolist():
                if patient in seen:
                    pair = (seen[patient], role)
                    twice[pair] = twice.get(pair, 0) + 1
                seen[patient] = role
        if twice:
            (first, second), count = next(iter(twice.items()))
            noun = "patient is" if count == 1 else "patients are"
            raise BadInputError(
                f"split: {count} {noun} in both '{first}' and '{second}'\n"
                "every patient must be in one part only; correct the column 'split' or leave it out"
            )

    def parts(self) -> Iterator[tuple[str, ImageSet]]:
        """The parts that exist, with their names."""
        for field in fields(self):
            images = getattr(self, field.name)
            if images is not None:
                yield field.name, images


@dataclass(frozen=True, eq=False, slots=True)
class TrainingData:
    """What a generator may see. Holdout and reference patients are not in it, so no generator can cheat.

    Attributes:
        members: the private images it is trained on.
        public: public images, or None.
        reserve: images of patients outside the audit, for generators with a known answer, or None.
    """

    members: ImageSet
    public: ImageSet | None = None
    reserve: ImageSet | None = None


@dataclass(frozen=True, eq=False, slots=True)
class MembershipScores:
    """One score for each candidate, in the candidates' order.

    Attributes:
        score: ``(n,)`` float64, higher = more likely a member, as the attack's paper has it.
        notes: what a reader of the result should know.
    """

    score: FloatArray
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Ranking:
    """For each query the nearest candidate patients, nearest first.

    A random half of the patients holds none of a query's 48 nearest with probability 2^-48, so that the first of a
    group is practically always among them; where it is not, the distance counts as infinite.

    Attributes:
        distance: ``(n, k)`` to each patient's nearest image; ``inf`` where there are fewer patients than k.
        patient: ``(n, k)`` column numbers, -1 where there is none.
        image: ``(n, k)`` which candidate image of that patient it is, -1 where there is none.
    """

    distance: Pixels
    patient: Columns
    image: Columns

    def __len__(self) -> int:
        return len(self.distance)

    @classmethod
    def of(cls, distance: Pixels, patient: Names, own: Names | None = None, ranks: int = RANKS) -> Self:
        """The nearest patients of each query, from its distances to all images.

        Args:
            distance: ``(n, m)``.
            patient: ``(m,)`` whom each image shows; its sorted distinct values are the columns.
            own: ``(n,)`` each query's own patient, who is left out; None: nobody is.
            ranks: patients kept; of fewer, all are.
        """
        patients, column, images = np.unique(patient, return_inverse=True, return_counts=True)
        order = np.argsort(column, kind="stable")
        first = np.cumsum(images) - images
        nearest = np.minimum.reduceat(distance[:, order], first, axis=1)
        if own is not None:
            nearest[own[:, None] == patients] = np.inf
        ranks = min(ranks, len(patients))
        chosen = np.sort(np.argpartition(nearest, ranks - 1, axis=1)[:, :ranks], axis=1)
        inner = np.argsort(np.take_along_axis(nearest, chosen, axis=1), axis=1, kind="stable")
        chosen = np.take_along_axis(chosen, inner, axis=1)
        found = np.take_along_axis(nearest, chosen, axis=1)
        # Of each patient the images side by side, the last one again where another has more.
        each = order[first[:, None] + np.minimum(np.arange(images.max(initial=1)), images[:, None] - 1)]
        among = each[chosen].reshape(len(chosen), chosen.shape[1] * each.shape[1])
        best = np.take_along_axis(distance, among, axis=1).reshape(*chosen.shape, each.shape[1]).argmin(axis=2)
        there = np.isfinite(found)
        return cls(
            found.astype(np.float32),
            np.where(there, chosen, -1).astype(np.int32),
            np.where(there, each[chosen, best], -1).astype(np.int32),
        )

    def nearest(self, wanted: NDArray[np.bool_]) -> tuple[FloatArray, Index]:
        """Distance to, and column of, the first patient at which ``wanted`` ``(n, k)`` is true."""
        wanted = wanted & (self.patient >= 0)
        first = wanted.argmax(axis=1)
        rows = np.arange(len(first))
        distance = self.distance[rows, first].astype(np.float64)
        column = self.patient[rows, first].astype(np.intp)
        return np.where(wanted[rows, first], distance, np.inf), column

    def nearest_in(self, group: NDArray[np.bool_]) -> tuple[FloatArray, Index]:
        """The nearest patient of ``group`` ``(p,)``."""
        return self.nearest(group[self.patient])

    def nearest_opposite(self, group: NDArray[np.bool_], own: NDArray[np.bool_]) -> FloatArray:
        """Distance to the nearest patient whose group differs from ``own`` ``(n,)``."""
        return self.nearest(group[self.patient] != own[:, None])[0]


@dataclass(frozen=True, eq=False, slots=True)
class SpaceDistances:
    """Distances in one space, reduced to the nearest image of each candidate patient: linear in the images released.

    Attributes:
        space: what the distance compares, e.g. ``pixels``.
        patients: ``(p,)`` the candidate patients, which rankings name by column.
        samples: of each synthetic image the ``min(p, 48)`` nearest patients.
        candidates: of each candidate image the ``min(p, 128)`` nearest other patients; never its own, so that no
            sibling slice is its neighbour.
        cells: the cell of each synthetic and of each candidate image, ``(n_samples,)`` and ``(n_candidates,)`` from 0,
            in a partition of this space that was learned from reference images; None where it has none.
    """

    space: str
    patients: Names
    samples: Ranking
    candidates: Ranking
    cells: tuple[Index, Index] | None = None


@dataclass(frozen=True, eq=False, slots=True)
class MemorizationScores:
    """What a memorization attack found, space by space.

    Attributes:
        spaces: at least one space.
        notes: what a reader of the result should know.
    """

    spaces: tuple[SpaceDistances, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class PairScores:
    """A verifier's scores on pairs with a known answer: two real images, or a real one and an altered copy.

    Attributes:
        name: what the pairs are, e.g. ``unseen patients``.
        same: ``(n,)`` scores of pairs that show one patient.
        different: ``(m,)`` scores of pairs that show two patients.
        same_patient: ``(n,)`` the patient of each ``same`` pair, the unit of resampling.
        different_patient: ``(m,)`` the first patient of each ``different`` pair.
        alteration: what made the copies, e.g. ``noise``; "" where both images of every pair are real.
        strength: factor on the alteration's documented amount.
    """

    name: str
    same: FloatArray
    different: FloatArray
    same_patient: Names
    different_patient: Names
    alteration: str = ""
    strength: float = 1.0


@dataclass(frozen=True, eq=False, slots=True)
class GalleryScores:
    """A verifier's scores in searches of a gallery with a known answer.

    Attributes:
        name: what the queries are, e.g. ``unseen patients``.
        similarity: ``(q, g)`` float32, higher = more likely the same patient; ``-inf`` where a gallery's image
            is not to be found, as it is the query itself, say.
        query: ``(q,)`` the patient that each query shows.
        gallery: ``(g,)`` the patient that each of the gallery's images shows.
    """

    name: str
    similarity: Pixels
    query: Names
    gallery: Names


@dataclass(frozen=True, eq=False, slots=True)
class LinkageScores:
    """What a re-identification attack found.

    Attributes:
        similarity: ``(n_samples, n_candidates)`` float32, higher = more likely the same patient.
        strangers: ``(k, n_candidates)`` float32, the same from real images of reference patients, who are no
            candidates: what a false match looks like.
        power: the verifier on pairs of unseen patients, the decisive kind first: real pairs where there are any.
            Without power the finding is invalid.
        notes: what a reader of the result should know.
        searches: the verifier in searches for unseen patients: more of its power.
        verifiers: the same of each of several verifiers, where the scores above are of all together; else empty.
    """

    similarity: Pixels
    strangers: Pixels
    power: tuple[PairScores, ...]
    notes: tuple[str, ...] = ()
    searches: tuple[GalleryScores, ...] = ()
    verifiers: "tuple[LinkageScores, ...]" = ()


@dataclass(frozen=True, eq=False, slots=True)
class AttributeGuesses:
    """What an attacker took one hidden attribute of each candidate to be.

    Attributes:
        attribute: the field of ``ImageSet`` that was hidden, e.g. ``label``.
        guess: ``(n_candidates,)`` of that field's dtype: with the release at hand.
        prior: ``(n_candidates,)`` the same from the attacker's own reference patients, without the release.
        told: ``(n_candidates,)`` bool, whether the guess rests on the release rather than on the prior; None where an
            attack does not know.
        edges: of ``mask``, whose lesion's size is guessed by classes: the areas that divide these, rising, as shares
            of the image (see ``attributes``).
    """

    attribute: str
    guess: NDArray[Any]
    prior: NDArray[Any]
    told: NDArray[np.bool_] | None = None
    edges: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class AttributeScores:
    """What an attack on attributes found; its candidates carry none of their attributes.

    Attributes:
        guesses: one for each attribute that could be guessed, at least one.
        notes: what a reader of the result should know.
    """

    guesses: tuple[AttributeGuesses, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class CanaryScores:
    """How strongly each canary seems to have been trained on.

    Attributes:
        canaries: ``(m,)`` their patients, in sorted order.
        score: ``(m,)`` float64, higher = more likely trained on.
        notes: what a reader of the result should know.
        claim: what the generator states of the training with canaries: it is tested. None: nothing.
    """

    canaries: Names
    score: FloatArray
    notes: tuple[str, ...] = ()
    claim: Privacy | None = None


AttackScores = MembershipScores | MemorizationScores | LinkageScores | AttributeScores | CanaryScores
