"""Distances of samples to candidate patients -> copies and their companions, who is exposed, how many may be released.

What is measured is always the difference between members and holdout: under no leakage the two are exchangeable, so the
null of every statistic here is made by permuting patients between them (within centres), not assumed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..context import Context
from ..record import Estimate, Plot
from ..statistics.stats import shuffle_within
from ..types import FloatArray, MemorizationScores, Names, SpaceDistances
from .excess import PERMUTATIONS
from .measured import Measured, Truth, histogram
from .memorization_authenticity import AUTHENTICITY
from .memorization_c_t import C_T
from .memorization_companion import unmeasured
from .memorization_copies import copied_share, copies_under, exact_copies, hits_of, spaces_of
from .memorization_dcr import DCR, NNDR
from .memorization_near import Division, Space
from .memorization_patients import LEVELS, copies_by_patient, exposed, most_copies, tail, tail_plot
from .memorization_relative import RELATIVE
from .memorization_release import release_curve, release_plot, release_size
from .subgroups import Groups, excess_by_group, subgroups

__all__ = ["copies_under", "measure_memorization"]

COMPANION_PERMUTATIONS = 199
"""Fewer than for the copied share, which decides: a companion's p-value is no smaller than 1/200."""
COMPANIONS = (DCR, NNDR, RELATIVE, C_T, AUTHENTICITY)
UNCELLED = "C_T (Meehan et al. 2020) was not measured: no space has a partition into cells"
ALIKE = "all released images lie equally far from everybody in this space"


@dataclass(frozen=True, eq=False, slots=True)
class _Null:
    """What permuted memberships give, ``(999, ...)``.

    Attributes:
        surplus: of each space, then of all together.
        tail: of the patients' tail.
        largest: the most copies of a member.
        companions: ``(199, companions, spaces)``; nan where it cannot be measured.
    """

    surplus: FloatArray
    tail: FloatArray
    largest: FloatArray
    companions: FloatArray


def measure_memorization(scores: MemorizationScores, truth: Truth, context: Context) -> Measured:
    """Control-normalised copied share, its companions by space, who is exposed, and how many images may be released.

    A sample counts as a copy in a space if it lies closer to its nearest member than all but 1% of real images
    lie to the nearest patient of the other group. The same is counted against holdout, and what is reported is
    (share - control) / (1 - control). Group "" takes each sample's most suspicious space; its threshold is set on
    the same combination for real images, so that looking in many places costs no false alarms.

    Returns:
        ``copied_share``, ``exposed_patients`` (also by centre and class), ``exact_copies``, ``most_copies`` and
        ``release_size`` over all spaces (the first and third count for the verdict); ``copied_share``, ``dcr_share``,
        ``nndr``, ``relative_knn``, ``c_t`` (where a space has cells) and ``authpct`` by space. What cannot be measured
        has no value and says why.
    """
    member, strata = truth.of_patients(scores.spaces[0].patients)
    spaces = spaces_of(scores, truth)
    silent = [space for space in scores.spaces if space.space not in {s.name for s in spaces}]
    estimates, plots, flagged = (
        _over_all(spaces, (member, strata, subgroups(truth, scores.spaces[0].patients)), context)
        if spaces
        else (_nothing(len(truth.samples)), [], None)
    )
    for given in scores.spaces:
        if given.space == "pixels":
            pixels = Space.of(given, truth.candidates.patient).under(member)
            estimates.append(exact_copies(pixels.member.distance, pixels.holdout.distance, context.confidence))
    for space in silent:
        estimates += _silent(space)
    plots += [_distances(space.under(member)) for space in spaces]
    order = sorted(range(len(estimates)), key=lambda i: estimates[i].group != "")
    notes = scores.notes if any(space.cells is not None for space in scores.spaces) else (*scores.notes, UNCELLED)
    return Measured(tuple(estimates[i] for i in order), tuple(plots), notes, flagged=flagged)


def _over_all(
    spaces: list[Space], people: tuple[NDArray[np.bool_], Names, Groups], context: Context
) -> tuple[list[Estimate], list[Plot], NDArray[np.bool_]]:
    """``people``: of each candidate patient whether he is a member, his centre, and his groups."""
    member, strata, groups = people
    divisions = [space.under(member) for space in spaces]
    *by_space, combined = hits_of(divisions)
    null = _permuted(spaces, divisions, strata, context)
    confidence, images = context.confidence, len(combined.member)
    copies = copies_by_patient(combined, len(member))
    curve = release_curve(copies, member, images, context)
    estimates = [
        copied_share(combined, null.surplus[:, -1], "", confidence),
        *exposed(copies, member, null.tail, confidence),
        *excess_by_group("exposed_patients", copies >= 1, member, groups, confidence, ""),
        most_copies(copies, member, null.largest, images, null.tail[:, len(LEVELS)], confidence),
        release_size(curve, confidence),
    ]
    for k, (space, hits) in enumerate(zip(divisions, by_space, strict=True)):
        estimates.append(copied_share(hits, null.surplus[:, k], space.space.name, confidence))
        estimates += [
            one.measure(space, null.companions[:, c, k], context)
            for c, one in enumerate(COMPANIONS)
            if one is not C_T or space.space.cells is not None
        ]
    return estimates, [tail_plot(copies, member), release_plot(curve)], combined.member


def _permuted(spaces: list[Space], divisions: list[Division], strata: Names, context: Context) -> _Null:
    member = divisions[0].is_member
    measurable = [[not one.lacks(division) for division in divisions] for one in COMPANIONS]
    rng = context.rng("permutations")
    found = _Null(
        np.empty((PERMUTATIONS, len(spaces) + 1)),
        np.empty((PERMUTATIONS, len(LEVELS) + 1)),
        np.empty(PERMUTATIONS),
        np.full((COMPANION_PERMUTATIONS, len(COMPANIONS), len(spaces)), np.nan),
    )
    with context.progress.task("permuting memberships", total=PERMUTATIONS) as step:
        for b in range(PERMUTATIONS):
            permuted = member[shuffle_within(strata, rng)]
            sides = [space.under(permuted) for space in spaces]
            hits = hits_of(sides)
            copies = copies_by_patient(hits[-1], len(member))
            found.surplus[b] = [one.surplus for one in hits]
            found.tail[b] = tail(copies, permuted)
            found.largest[b] = copies[permuted].max(initial=0)
            if b < COMPANION_PERMUTATIONS:
                found.companions[b] = [
                    [one.statistic(side) if able else np.nan for side, able in zip(sides, ables, strict=True)]
                    for one, ables in zip(COMPANIONS, measurable, strict=True)
                ]
            step()
    return found


def _nothing(images: int) -> list[Estimate]:
    """Where no space tells anything there is no share of copies: that is not a share of 0."""
    found = [unmeasured(name, "higher", "", images, ALIKE) for name in ("copied_share", "exposed_patients")]
    return [*found, unmeasured("release_size", "lower", "", images, ALIKE)]


def _silent(space: SpaceDistances) -> list[Estimate]:
    images = len(space.samples)
    share = unmeasured("copied_share", "higher", space.space, images, ALIKE)
    asked = [one for one in COMPANIONS if one is not C_T or space.cells is not None]
    return [share, *(unmeasured(one.name, one.worse, space.space, images, ALIKE) for one in asked)]


def _distances(division: Division) -> Plot:
    groups = {
        "synthetic to nearest member": division.member.distance,
        "synthetic to nearest holdout": division.holdout.distance,
        "real to nearest stranger": division.opposite,
    }
    return histogram(division.space.name, f"distance ({division.space.name})", groups)
