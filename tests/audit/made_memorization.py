"""Patients as points, several images of each near them, and a release of which a share is copied from members."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist

from privbench.audit.context import Context
from privbench.audit.measures.measured import Measured, Truth
from privbench.audit.measures.memorization_near import Space
from privbench.audit.record import Estimate
from privbench.audit.types import ImageSet, MemorizationScores, Ranking, SpaceDistances


@dataclass(frozen=True)
class World:
    """Distances in full, in float64, beside the rankings made of them.

    Attributes:
        to: ``(n, m)`` of released to candidate images.
        among: ``(m, m)`` of candidate images.
        owner: ``(m,)`` patient of each candidate image, as a column.
        member: ``(p,)`` who was a member.
        scores: what an attack would return.
        truth: what the statistics know.
    """

    to: Any
    among: Any
    owner: Any
    member: Any
    scores: MemorizationScores
    truth: Truth

    @property
    def space(self) -> Space:
        return Space.of(self.scores.spaces[0], self.truth.candidates.patient)


def build(
    seed: int, *, leak: float = 0.0, per_side: int = 20, each: int = 3, released: int = 60, ties: bool = False, cells=2
) -> World:
    rng = np.random.default_rng(seed)
    p, dimensions = 2 * per_side, 8
    owner = rng.permutation(np.repeat(np.arange(p), each))
    member = rng.permutation(p) < per_side
    points = rng.normal(size=(p, dimensions))[owner] + rng.normal(0, 0.4, (len(owner), dimensions))
    shown = rng.normal(size=(released, dimensions)) + rng.normal(0, 0.4, (released, dimensions))
    copies = rng.choice(np.flatnonzero(member[owner]), round(leak * released))
    shown[: len(copies)] = points[copies]
    to, among = (cdist(queries, points).astype(np.float32).astype(np.float64) for queries in (shown, points))
    if ties:
        to, among = np.ceil(2 * to), np.ceil(2 * among)
    names = np.array([f"patient-{i:03d}" for i in range(p)])
    centre = np.where(np.arange(p) % 2, "a", "b")
    space = SpaceDistances(
        "pixels",
        names,
        Ranking.of(to, names[owner]),
        Ranking.of(among, names[owner], names[owner], ranks=128),
        tuple((side[:, 0] > 0) * (cells - 1) + (side[:, 1] > 9) for side in (shown, points)),
    )
    candidates, samples = (images(names[owner], centre[owner]), images(np.arange(released).astype(str)))
    truth = Truth(candidates, member[owner], names[owner], samples)
    return World(to, among, owner, member, MemorizationScores((space,)), truth)


def images(patient: Any, center: Any = None) -> ImageSet:
    return ImageSet(np.zeros((len(patient), 1, 1, 1), np.float32), np.asarray(patient), center=center)


def named(measured: Measured, name: str, group: str = "pixels") -> Estimate:
    return next(e for e in measured.estimates if e.name == name and e.group == group)


def context(seed: int = 0) -> Context:
    return Context(seed=seed)
