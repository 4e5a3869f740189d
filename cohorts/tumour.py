"""A simulated glioma: oedema, enhancing rim and necrotic core around a place in the brain, labelled as in BraTS."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .anatomy import CSF, GREY, WHITE, Anatomy, Lattice, Points, Template, Values

NECROSIS, OEDEMA, ENHANCING = 1, 2, 4  # BraTS; there is no 3
DEPTH = 14.0  # mm below the surface where a tumour may begin
LOWEST, HIGHEST = -18.0, 42.0  # mm; the height of the cerebrum, where slices show most


@dataclass(frozen=True, eq=False)
class Tumour:
    """One lesion, the same in every slice of its patient.

    Attributes:
        place: ``(3,)`` mm, its middle.
        radius: mm, of the enhancing and necrotic core together.
        necrosis: radius of the necrotic core as a share of ``radius``.
        oedema: width of the oedema as a share of ``radius``.
        enhancement: brightness of the rim, 0 (as grey matter) to 1.
        stretch: ``(3, 3)`` maps offsets in mm to those of a ball: the lesion is an ellipsoid of any direction.
        border: two functions that make the boundaries irregular.
        push: mass effect, the share of ``radius`` by which tissue at the border is pushed away.
    """

    place: Values
    radius: float
    necrosis: float
    oedema: float
    enhancement: float
    stretch: Values
    border: Lattice
    push: float

    @classmethod
    def draw(cls, rng: np.random.Generator, grade: int, place: Values, contrast: float) -> Self:
        """A random lesion of ``grade`` 0 (low) or 1 (high).

        What is seen follows one hidden aggressiveness, normal with unit variance around +-``contrast`` by grade, with
        noise on each sign. So grades overlap and no reader of the images can be perfect: aggressiveness itself would
        have a ROC AUC of Phi(contrast * sqrt 2).
        """
        a = rng.standard_normal() + (contrast if grade else -contrast)
        own = rng.standard_normal(4)
        turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        return cls(
            place=place,
            radius=float(np.clip(14 * np.exp(0.08 * a + 0.18 * own[0]), 9, 24)),
            necrosis=float(np.clip(0.42 + 0.16 * a + 0.06 * own[1], 0.12, 0.8)),
            oedema=float(np.clip(0.5 + 0.14 * a + 0.12 * own[2], 0.15, 1.1)),
            enhancement=float(np.clip(0.5 + 0.22 * a + 0.1 * own[3], 0.05, 1)),
            stretch=turn @ np.diag(np.exp(0.15 * rng.standard_normal(3))) @ turn.T,
            border=Lattice.draw(rng, 2, 13.0),
            push=float(rng.uniform(0.1, 0.3)),
        )

    def grown(self, factor: float) -> Self:
        """The same lesion at a later examination."""
        return replace(self, radius=self.radius * factor)

    def displaced(self, points: Points) -> Points:
        """Where tissue now at ``points`` lay before the lesion pushed it away."""
        offset = points - self.place[:, None]
        away = self.push * np.exp(-(offset**2).sum(0) / (2 * (1.3 * self.radius) ** 2))
        earlier: Points = points - away * offset
        return earlier

    def grow_in(self, intensity: Values, depth: Values, points: Points, pixel: float) -> NDArray[np.uint8]:
        """Draw the lesion into T1 ``intensity`` (in place) and return its BraTS labels.

        Args:
            intensity: ``(n,)`` of the tissue without a lesion.
            depth: ``(n,)`` mm below the brain's surface; the lesion stays inside the brain.
            points: ``(3, n)`` mm.
            pixel: mm, how sharp a border can be.
        """
        labels = np.zeros(len(intensity), np.uint8)
        reach = np.sqrt(((self.stretch @ (points - self.place[:, None])) ** 2).sum(0))
        near = np.flatnonzero((reach < 3 * self.radius) & (depth > 0))
        if not near.size:
            return labels
        reach, tissue = reach[near], intensity[near]
        bumps = self.border.at(points[:, near])
        outer = reach * (1 + 0.13 * bumps[0])
        # oedema spreads along white matter and spares fluid
        seep = (1 + self.oedema) * self.radius - outer * (1 + 0.12 * bumps[1]) + 4 * (tissue - GREY) / (WHITE - GREY)
        seep = np.where(tissue > 0.5 * (CSF + GREY), np.minimum(seep, depth[near] - 2), -np.inf)
        core = np.minimum(self.radius - outer, depth[near] - 1)
        dead = self.necrosis * self.radius - outer * (1 + 0.12 * bumps[1])
        rim = GREY + self.enhancement * (1.35 * WHITE - GREY)
        for inside, towards, strength in ((seep, 0.62 * tissue + 18, 1.0), (core, rim, 0.92), (dead, 0.9 * CSF, 0.92)):
            share = strength / (1 + np.exp(np.clip(-inside / (0.3 * pixel), -40, 40)))
            tissue += share * (towards - tissue)
        intensity[near] = tissue
        labels[near] = np.select([(dead > 0) & (core > 0), core > 0, seep > 0], [NECROSIS, ENHANCING, OEDEMA], 0)
        return labels


def place_in(anatomy: Anatomy, average: Template, rng: np.random.Generator) -> Values:
    """A random place ``(3,)`` in mm, well inside the cerebrum's tissue."""
    while True:
        places = rng.uniform([-60, -75, LOWEST], [60, 75, HIGHEST], (64, 3)).T
        intensity, depth = anatomy.tissue(places, average)
        fits = np.flatnonzero((depth > DEPTH) & (intensity > 0.5 * (CSF + GREY)))
        if fits.size:
            return places[:, fits[0]].copy()
