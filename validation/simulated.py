"""Simulated audits whose true values are known: scores of patients, galleries of points, counts."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import ndtr

from privbench.audit.types import FloatArray, Index

MOST_IMAGES = 8
BETWEEN, WITHIN = np.sqrt(0.5), np.sqrt(0.5)  # standard deviations: images of one patient correlate by 0.5
GRID = np.linspace(-8, 14, 11_001)


@dataclass(frozen=True, eq=False)
class Side:
    """Images of ``n`` patients with 1 to 8 images each.

    Attributes:
        owner: ``(images,)`` patients 0..n-1.
        score: ``(images,)``.
        best: ``(n,)`` each patient's largest.
    """

    owner: Index
    score: FloatArray
    best: FloatArray


@dataclass(frozen=True)
class Effect:
    """How members' scores differ from others': a share of the members is shifted.

    Attributes:
        name: for tables.
        shift: by how much, in standard deviations of a score.
        touched: the share of members it concerns.
    """

    name: str
    shift: float
    touched: float = 1.0

    def best_below(self, level: FloatArray | float) -> FloatArray:
        """The distribution of a member's largest score, at ``level``."""
        shifted = np.interp(np.asarray(level) - self.shift, GRID, _best_below())
        return self.touched * shifted + (1 - self.touched) * np.interp(level, GRID, _best_below())

    def auc_by_patient(self) -> float:
        """P(a member's largest score > another's)."""
        below = _best_below()
        return float((np.diff(self.best_below(GRID)) * (below[1:] + below[:-1]) / 2).sum())

    def auc_by_image(self) -> float:
        """P(a member's score > another's), images drawn at random."""
        return float(self.touched * ndtr(self.shift / np.sqrt(2)) + (1 - self.touched) / 2)

    def draw(self, n: int, rng: np.random.Generator) -> Side:
        """The scores of ``n`` patients."""
        owner = images_of(n, rng)
        patient = rng.normal(0, BETWEEN, n) + self.shift * (rng.random(n) < self.touched)
        score = patient[owner] + rng.normal(0, WITHIN, len(owner))
        best = np.full(n, -np.inf)
        np.maximum.at(best, owner, score)
        return Side(owner, score, best)


# AUC by patient of 0.5, 0.7 and 0.9; and one member in ten memorized, which moves the AUC by little
EFFECTS = (Effect("null", 0.0), Effect("moderate", 0.6866), Effect("strong", 1.6857), Effect("few", 4.0, 0.1))


def images_of(n: int, rng: np.random.Generator) -> Index:
    """The owner of each image where ``n`` patients have 1 to 8, whoever they are."""
    return np.repeat(np.arange(n), rng.integers(1, MOST_IMAGES + 1, n))


@cache
def _best_below() -> FloatArray:
    """The distribution of the largest score of a patient without an effect, on ``GRID``."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    one = ndtr((GRID[:, None] - BETWEEN * nodes) / WITHIN)
    powers = sum(one**images for images in range(1, MOST_IMAGES + 1))
    below: FloatArray = powers @ (weights / weights.sum()) / MOST_IMAGES
    return below


@dataclass(frozen=True, eq=False)
class Release:
    """Which released images lie closer to a member, and to a holdout patient, than all but 1% of strangers do.

    Attributes:
        member: ``(images,)``.
        holdout: ``(images,)``.
        nearest_member: ``(images,)`` patients 0..n-1.
        nearest_holdout: ``(images,)`` patients 0..n-1.
        closer: ``(images,)`` closer to a member than to any holdout patient.
    """

    member: NDArray[np.bool_]
    holdout: NDArray[np.bool_]
    nearest_member: Index
    nearest_holdout: Index
    closer: NDArray[np.bool_]


def release(n: int, copied: float, rng: np.random.Generator, level: float = 0.01) -> Release:
    """Members, holdout and released images as points: fresh patients but for a share of copies of members' images.

    In eight dimensions some patients lie near everybody, and images of one patient lie close together (standard
    deviation 0.3 within, 1 between patients), so chance matches pile up on few patients.

    Args:
        n: patients of each of the three.
        copied: the share of released images that are copies, each independently; the true risk.
        rng: randomness.
        level: the share of strangers that are closer.
    """
    points, owners = [], []
    for _ in range(3):
        owner = images_of(n, rng)
        points.append(rng.normal(0, 1, (n, 8))[owner] + rng.normal(0, 0.3, (len(owner), 8)))
        owners.append(owner)
    members, holdout, released = points
    copies = rng.random(len(released)) < copied
    released[copies] = members[rng.integers(0, len(members), copies.sum())]
    between = cdist(members, holdout)
    reach = np.quantile(np.concatenate([between.min(axis=0), between.min(axis=1)]), level, method="lower")
    ours, theirs = cdist(released, members), cdist(released, holdout)
    near, control = ours.min(axis=1), theirs.min(axis=1)
    return Release(
        near < reach, control < reach, owners[0][ours.argmin(axis=1)], owners[1][theirs.argmin(axis=1)], near < control
    )
