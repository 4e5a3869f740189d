"""The values that flow between cohorts, generators, attacks and statistics. All are frozen."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .errors import BadInputError

FloatArray = NDArray[np.float64]
Pixels = NDArray[np.float32]
Names = NDArray[np.str_]
Labels = NDArray[np.int64]
Masks = NDArray[np.uint8]
Index = NDArray[np.intp]


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
class SpaceDistances:
    """Distances in one space, reduced to the nearest image of each candidate patient.

    Attributes:
        space: what the distance compares, e.g. ``pixels``.
        patients: ``(p,)`` the candidate patients, the order of the columns below.
        samples: ``(n_samples, p)`` distance from each synthetic image to each patient's nearest image.
        candidates: ``(n_candidates, p)`` the same from each candidate image; ``inf`` at its own patient, so that
            no sibling slice is ever its own neighbour.
    """

    space: str
    patients: Names
    samples: Pixels
    candidates: Pixels


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
    """A verifier's scores on real pairs with a known answer.

    Attributes:
        name: what the pairs are, e.g. ``unseen patients``.
        same: ``(n,)`` scores of pairs that show one patient.
        different: ``(m,)`` scores of pairs that show two patients.
        same_patient: ``(n,)`` the patient of each ``same`` pair, the unit of resampling.
        different_patient: ``(m,)`` the first patient of each ``different`` pair.
    """

    name: str
    same: FloatArray
    different: FloatArray
    same_patient: Names
    different_patient: Names


@dataclass(frozen=True, eq=False, slots=True)
class LinkageScores:
    """What a re-identification attack found.

    Attributes:
        similarity: ``(n_samples, n_candidates)`` float32, higher = more likely the same patient.
        strangers: ``(k, n_candidates)`` float32, the same from real images of reference patients, who are no
            candidates: what a false match looks like.
        power: the verifier on real pairs of unseen patients. Without power the finding is invalid.
        notes: what a reader of the result should know.
    """

    similarity: Pixels
    strangers: Pixels
    power: tuple[PairScores, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class AttributeGuesses:
    """What an attacker took one hidden attribute of each candidate to be.

    Attributes:
        attribute: the field of ``ImageSet`` that was hidden, e.g. ``label``.
        guess: ``(n_candidates,)`` of that field's dtype: with the release at hand.
        prior: ``(n_candidates,)`` the same from the attacker's own reference patients, without the release.
    """

    attribute: str
    guess: NDArray[Any]
    prior: NDArray[Any]


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
    """

    canaries: Names
    score: FloatArray
    notes: tuple[str, ...] = ()


AttackScores = MembershipScores | MemorizationScores | LinkageScores | AttributeScores | CanaryScores
