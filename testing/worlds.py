"""Tiny cohorts in which an audit takes a fraction of a second: patients are smooth random pictures, seen with noise."""

from dataclasses import dataclass, replace

import numpy as np

from ..audit.context import seed_sequence
from ..audit.types import ImageSet, Split, concatenate

SHARPEST = 0.12  # of the image's side: how wide the features of a patient's picture are


@dataclass(frozen=True)
class World:
    """A distribution of patients, small enough to audit many times.

    A patient is a smooth random picture with a lesion (label 0 dark, 1 bright) at one of two centres; an image of that
    patient is the picture plus noise. All parts of a split are draws of one distribution.

    Attributes:
        patients: members, and as many holdout patients.
        reference: patients of the attacker.
        reserve: patients outside the audit, whose images a harmless release consists of.
        public: healthy patients without a lesion.
        images: of each patient, one a visit.
        side: height and width in pixels.
        channels: of the images.
        noise: standard deviation of what differs between two images of one patient; pictures have 0.2.
        visible: whether the lesion shows the label; else it is dark or bright by chance, and no image tells.
    """

    patients: int = 16
    reference: int = 24
    reserve: int = 40
    public: int = 8
    images: int = 2
    side: int = 32
    channels: int = 1
    noise: float = 0.04
    visible: bool = True

    def split(self, seed: int) -> Split:
        """A cohort of this world; another seed gives other patients."""
        counts = {
            "members": self.patients,
            "holdout": self.patients,
            "reference": self.reference,
            "public": self.public,
            "reserve": self.reserve,
        }
        return Split(**{part: self.draw(part, count, seed) for part, count in counts.items() if count})

    def draw(self, part: str, patients: int, seed: int) -> ImageSet:
        """``patients`` patients whose names start with ``part``; those of ``public`` are healthy."""
        from scipy.ndimage import gaussian_filter

        rng = np.random.default_rng(seed_sequence(seed, "world", part))
        side, width = self.side, max(1.0, SHARPEST * self.side)
        picture = gaussian_filter(rng.standard_normal((patients, self.channels, side, side)), (0, 0, width, width))
        picture = 0.5 + 0.2 * picture / picture.std(axis=(2, 3), keepdims=True)
        label = np.arange(patients) // 2 % 2
        middle = rng.uniform(0.35, 0.65, (2, patients, 1, 1)) * side
        radius = rng.uniform(0.1, 0.18, (patients, 1, 1)) * side
        y, x = np.mgrid[:side, :side] + 0.5
        lesion = np.hypot(y - middle[0], x - middle[1]) < radius
        if part == "public":
            lesion[:], label[:] = False, 0
        contrast = rng.uniform(0.2, 0.3, patients)
        contrast *= 2 * (label if self.visible else rng.integers(0, 2, patients)) - 1
        picture += (lesion * contrast[:, None, None])[:, None]
        seen = np.repeat(picture, self.images, axis=0)
        seen += self.noise * rng.standard_normal(seen.shape)
        return ImageSet(
            pixels=np.clip(seen, 0, 1).astype(np.float32),
            patient=np.repeat([f"{part}-{i:04d}" for i in range(patients)], self.images),
            label=np.repeat(label, self.images).astype(np.int64),
            mask=np.repeat(lesion, self.images, axis=0).astype(np.uint8),
            center=np.repeat(np.array(["east", "west"])[np.arange(patients) % 2], self.images),
            visit=np.tile(np.arange(self.images), patients).astype(np.int64),
        )


def release(split: Split, copied: float, seed: int, n: int | None = None) -> ImageSet:
    """What a generator with a known answer would release, in random order.

    Args:
        split: whose members are copied; the rest are reserve images, one a patient as far as they last.
        copied: share of the images that are exact copies of members, spread evenly over patients.
        seed: which images, and in what order.
        n: how many; None: as many as there are members.
    """
    assert split.reserve is not None
    n = len(split.members) if n is None else n
    rng = np.random.default_rng(seed_sequence(seed, "release"))
    copies = round(copied * n)
    taken = split.members.take(_spread(split.members, copies, rng))
    fresh = split.reserve.take(_spread(split.reserve, n - copies, rng))
    both = concatenate(replace(taken, source=taken.patient), replace(fresh, source=np.full(len(fresh), "")))
    return named(both.take(rng.permutation(n)))


def named(images: ImageSet) -> ImageSet:
    """``images`` under the names that released images have, which say nothing of a patient."""
    names = np.array([f"synthetic-{i:06d}" for i in range(len(images))], dtype=np.str_)
    return replace(images, patient=names, visit=None)


def _spread(images: ImageSet, n: int, rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Positions of ``n`` images: everybody's first, in random order, then everybody's second, and so on."""
    order = rng.permutation(len(images))
    _, owner = np.unique(images.patient[order], return_inverse=True)
    turn = np.array([(owner[:i] == owner[i]).sum() for i in range(len(owner))])
    return np.resize(order[np.argsort(turn, kind="stable")], n)
