"""Distances of samples to candidate patients -> copied share, DCR, NNDR, exposed patients; space by space and combined.

What is measured is always the difference between members and holdout: under no leakage the two are exchangeable, so the
null of every statistic here is made by permuting patients between them (within centres), not assumed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .clustered import split_interval
from .context import Context
from .excess import PERMUTATIONS, Recognise, evidence, image_excess, patient_excess
from .measured import Measured, Truth, histogram
from .neighbours import Ranking, rank_patients
from .record import Estimate, Plot
from .stats import permutation_p_value, proportion_interval, shuffle_within
from .types import FloatArray, Index, MemorizationScores, SpaceDistances

ALPHA = 0.01
TINY = 1e-9
EIGHT_BIT_STEP = 1 / 255


@dataclass(frozen=True, eq=False, slots=True)
class _Space:
    name: str
    samples: Ranking
    candidates: Ranking
    own: Index  # column of each candidate image's own patient


@dataclass(frozen=True, eq=False, slots=True)
class _Hits:
    """How samples lie to members and to holdout, ``(n_samples,)`` each.

    Attributes:
        to_member: evidence of a copy, above 0 where a sample lies closer than real strangers do.
        to_holdout: the same.
        member_patient: the nearest member's column.
        holdout_patient: the nearest holdout patient's.
    """

    to_member: FloatArray
    to_holdout: FloatArray
    member_patient: Index
    holdout_patient: Index

    @property
    def member(self) -> NDArray[np.bool_]:
        """Which samples count as copies of a member."""
        return self.to_member > 0

    @property
    def holdout(self) -> NDArray[np.bool_]:
        """Which samples would count as copies of a holdout patient."""
        return self.to_holdout > 0

    @property
    def surplus(self) -> float:
        """The evidence of members beyond that of holdout patients: what is tested."""
        return float(self.to_member.sum() - self.to_holdout.sum())


def measure_memorization(scores: MemorizationScores, truth: Truth, context: Context) -> Measured:
    """Control-normalised copied share and its companions.

    A sample counts as a copy in a space if it lies closer to its nearest member than all but 1% of real images
    lie to the nearest patient of the other group. The same is counted against holdout, and what is reported is
    (share - control) / (1 - control). Group "" takes each sample's most suspicious space; its threshold is set on
    the same combination for real images, so that looking in many places costs no false alarms.

    Returns:
        ``copied_share``, ``exposed_patients`` and ``exact_copies`` (group "" counts for the verdict), ``dcr_share`` and
        ``nndr`` by space.
    """
    spaces = [_prepare(space, truth) for space in scores.spaces]
    patients = scores.spaces[0].patients
    member, strata = truth.of_patients(patients)
    observed = _hits(spaces, member)
    rng = context.rng("permutations")
    null = np.empty((PERMUTATIONS, len(spaces) + 1))
    dcr_null = np.empty((PERMUTATIONS, len(spaces)))
    for b in range(PERMUTATIONS):
        permuted = member[shuffle_within(strata, rng)]
        null[b] = [hits.surplus for hits in _hits(spaces, permuted)]
        dcr_null[b] = [_dcr(space, permuted) for space in spaces]

    estimates: list[Estimate] = []
    for k, hits in enumerate(observed):
        group = spaces[k].name if k < len(spaces) else ""
        estimates.append(_copied_share(hits, null[:, k], group, context.confidence))
    combined = observed[-1]
    estimates.append(_exposed(combined, member, context.confidence))
    plots: list[Plot] = []
    for k, (space, given) in enumerate(zip(spaces, scores.spaces, strict=True)):
        if space.name == "pixels":
            estimates.append(_exact(given, member, context.confidence))
        estimates.append(_dcr_share(space, member, dcr_null[:, k], context.confidence))
        estimates.append(_nndr(given, member, context))
        to_member, _ = space.samples.nearest_in(member)
        to_holdout, _ = space.samples.nearest_in(~member)
        groups = {
            "synthetic to nearest member": to_member,
            "synthetic to nearest holdout": to_holdout,
            "real to nearest stranger": space.candidates.nearest_opposite(member, member[space.own]),
        }
        plots.append(histogram(space.name, f"distance ({space.name})", groups))
    order = sorted(range(len(estimates)), key=lambda i: estimates[i].group != "")
    return Measured(tuple(estimates[i] for i in order), tuple(plots), scores.notes, flagged=combined.member)


def copies_under(scores: MemorizationScores, truth: Truth) -> Recognise:
    """Each sample's evidence of being a copy of either side, for any division of the candidate patients."""
    spaces = [_prepare(space, truth) for space in scores.spaces]

    def recognise(member: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
        combined = _hits(spaces, member)[-1]
        return combined.to_member, combined.to_holdout

    return recognise


def _prepare(space: SpaceDistances, truth: Truth) -> _Space:
    own = np.searchsorted(space.patients, truth.candidates.patient)
    return _Space(space.space, rank_patients(space.samples), rank_patients(space.candidates), own)


def _suspicion(distance: FloatArray, strangers: FloatArray) -> FloatArray:
    """The share of real strangers that lie closer, continued linearly from the closest stranger down to distance 0."""
    grid = np.concatenate([[0.0], np.sort(strangers)])
    return np.interp(distance, grid, np.arange(len(grid)) / len(grid))


def _hits(spaces: list[_Space], member: NDArray[np.bool_]) -> list[_Hits]:
    """Hits in each space, then combined over all."""
    to_member, to_holdout, strangers, found = [], [], [], []
    columns_member, columns_holdout = [], []
    for space in spaces:
        cross = space.candidates.nearest_opposite(member, member[space.own])
        (near, column), (control, control_column) = space.samples.nearest_in(member), space.samples.nearest_in(~member)
        to_member.append(_suspicion(near, cross))
        to_holdout.append(_suspicion(control, cross))
        strangers.append(_suspicion(cross, cross))
        columns_member.append(column)
        columns_holdout.append(control_column)
        threshold = max(ALPHA, 1 / (len(cross) + 1))
        found.append(
            _Hits(evidence(to_member[-1], threshold), evidence(to_holdout[-1], threshold), column, control_column)
        )
    m, h, null = np.stack(to_member), np.stack(to_holdout), np.stack(strangers)
    threshold = max(float(np.quantile(null.min(axis=0), ALPHA, method="lower")), TINY)
    rows = np.arange(m.shape[1])
    found.append(
        _Hits(
            evidence(m.min(axis=0), threshold),
            evidence(h.min(axis=0), threshold),
            np.stack(columns_member)[m.argmin(axis=0), rows],
            np.stack(columns_holdout)[h.argmin(axis=0), rows],
        )
    )
    return found


def _copied_share(hits: _Hits, null: FloatArray, group: str, confidence: float) -> Estimate:
    p_value = permutation_p_value(hits.surplus, null)
    sides = (hits.member, hits.holdout)
    estimate = image_excess("copied_share", group, sides, p_value, confidence, "", hits.holdout_patient)
    n, caught, control = len(hits.member), int(hits.member.sum()), int(hits.holdout.sum())
    note = f"{caught} of {n} released images closer to a member than 99% of strangers, {control} to holdout"
    return estimate.model_copy(update={"note": note})


def _exposed(hits: _Hits, member: NDArray[np.bool_], confidence: float) -> Estimate:
    exposed = len(np.unique(hits.member_patient[hits.member]))
    control = len(np.unique(hits.holdout_patient[hits.holdout]))
    return patient_excess("exposed_patients", exposed, control, member, confidence, "")


def _exact(space: SpaceDistances, member: NDArray[np.bool_], confidence: float) -> Estimate:
    n = len(space.samples)
    exact = int((space.samples[:, member].min(axis=1) < EIGHT_BIT_STEP).sum())
    control = int((space.samples[:, ~member].min(axis=1) < EIGHT_BIT_STEP).sum())
    interval = proportion_interval(exact, n, confidence)
    return Estimate(
        name="exact_copies",
        value=exact / n,
        low=interval.low,
        high=interval.high,
        null=control / n,
        n=n,
        unit="image",
        worse="higher",
        method="root mean square pixel difference below 1/255 to a member's image; Clopper-Pearson",
        note=f"{exact} of {n} released images, {control} against holdout",
    )


def _dcr(space: _Space, member: NDArray[np.bool_]) -> float:
    near, control = space.samples.nearest_in(member)[0], space.samples.nearest_in(~member)[0]
    return float((near < control).mean() + (near == control).mean() / 2)


def _dcr_share(space: _Space, member: NDArray[np.bool_], null: FloatArray, confidence: float) -> Estimate:
    (near, ours), (control, theirs) = space.samples.nearest_in(member), space.samples.nearest_in(~member)
    closer = (near < control) + (near == control) / 2
    share = float(closer.mean())
    # Wilson's interval over images would contain 0.5 in two of three audits without a leak (docs/validation.md).
    first = np.bincount(ours, closer, len(member)).astype(np.float64)[member]
    second = np.bincount(theirs, 1 - closer, len(member)).astype(np.float64)[~member]
    interval = split_interval(first, second, confidence)
    return Estimate(
        name="dcr_share",
        group=space.name,
        value=share,
        low=interval.low,
        high=interval.high,
        null=0.5,
        n=len(closer),
        unit="image",
        worse="higher",
        p_value=permutation_p_value(share, null),
        method="closer to members than to as many holdout patients; logit, by nearest patient; patients permuted",
        note="a share of 0.5 does not rule out membership inference (arXiv 2505.01524)",
    )


def _nndr(space: SpaceDistances, member: NDArray[np.bool_], context: Context) -> Estimate:
    def ratios(columns: NDArray[np.bool_]) -> FloatArray:
        two = np.partition(space.samples[:, columns].astype(np.float64), 1, axis=1)[:, :2]
        return np.where(two[:, 1] > 0, two[:, 0] / np.where(two[:, 1] > 0, two[:, 1], 1.0), 1.0)

    to_member, to_holdout = ratios(member), ratios(~member)
    rng = context.rng("nndr", space.space)
    draws = rng.integers(0, len(to_member), (1000, len(to_member)))
    tail = (1 - context.confidence) / 2
    low, high = np.quantile(np.median(to_member[draws], axis=1), [tail, 1 - tail])
    return Estimate(
        name="nndr",
        group=space.space,
        value=float(np.median(to_member)),
        low=float(low),
        high=float(high),
        null=float(np.median(to_holdout)),
        n=len(to_member),
        unit="image",
        worse="lower",
        method="median of nearest over second nearest patient's distance; bootstrap of samples; null: holdout",
    )
