"""Audits with a leak that is known: how often does an attack's own test notice it, at 5% false alarms?

Candidates are divided at random into members and holdout, within centres, so that the real release is a null whatever
it leaks; then a share of the released images is replaced by altered copies of the members so drawn.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..context import Context
from ..measures.excess import Recognise
from ..measures.measured import Truth
from ..statistics.stats import SIGNIFICANCE, reduce_by_patient, shuffle_within
from ..types import FloatArray, ImageSet, Index, MembershipScores, Names, concatenate
from .certificate import Depth
from .curve import PowerCurve, effective
from .planting import KINDS, Planted

SHARES = (0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4)
HOPELESS = 0.3
ASSIGNMENTS = 100
BOOTSTRAPS = 40


def by_counting(
    recognise: Recognise, truth: Truth, planted: Planted, depth: Depth, context: Context
) -> dict[str, PowerCurve]:
    """Power where every image is scored on its own: simulated audits only add evidence up.

    Args:
        recognise: evidence of the released images, followed by the planted ones.
        truth: of the audit; who really was a member is not used, only how many.
        planted: altered copies of candidates.
        depth: how closely to measure.
        context: randomness and progress.
    """
    member, strata = truth.of_patients(np.unique(truth.candidates.patient))
    rng = context.rng("divisions")
    divisions = np.array([member[shuffle_within(strata, rng)] for _ in range(depth.divisions)])
    surplus = np.empty((len(divisions), len(truth.samples) + len(planted.kind)), np.float32)
    with context.progress.task("dividing the candidates", total=len(divisions)) as step:
        for b, division in enumerate(divisions):
            ours, theirs = recognise(division)
            surplus[b] = ours - theirs
            step()
    shows_members = (~divisions).astype(np.float32) @ planted.owners.T.astype(np.float32) == 0
    n = len(truth.samples)
    curves = {}
    for kind in _kinds(planted):
        rng = context.rng("counting", kind)
        own = np.flatnonzero(planted.kind == kind)
        counts, detected = [], []
        for count in _counts(n):
            which = rng.integers(0, len(divisions), depth.audits)
            chosen = [_drawn(own[shows_members[b, own]], count, rng) for b in which]
            weights = np.zeros((n + len(planted.kind), depth.audits), np.float32)
            weights[:n] = 1
            for audit, copies in enumerate(chosen):
                weights[rng.choice(n, len(copies), replace=False), audit] = 0
                np.add.at(weights[:, audit], n + copies, 1)
            counts.append(count)
            detected.append(_noticed(surplus @ weights, which))
        curves[kind] = PowerCurve(
            np.array(counts) / n, np.array([d.mean() for d in detected]), np.full(len(counts), float(depth.audits))
        )
    return curves


def _noticed(evidence: NDArray[np.float32], which: Index) -> NDArray[np.bool_]:
    """Whether each simulated audit's evidence has a permutation p-value of at most 5%.

    Args:
        evidence: ``(divisions, audits)`` of members beyond holdout.
        which: ``(audits,)`` the division that each audit takes for the truth.
    """
    observed = evidence[which, np.arange(len(which))]
    reached = (evidence >= observed - 1e-3).sum(axis=0)  # the audit's own division is among them
    noticed: NDArray[np.bool_] = reached / len(evidence) <= SIGNIFICANCE
    return noticed


def by_running(
    attack: Callable[[ImageSet], MembershipScores], truth: Truth, planted: Planted, depth: Depth, context: Context
) -> dict[str, PowerCurve]:
    """Power of a membership attack, which runs again on every set of released images with planted ones.

    Each run serves many audits, which differ in who, besides the copied patients, was a member. Shares are tried from
    the largest down to the first that is hardly noticed.

    Args:
        attack: on any released images.
        truth: of the audit; who really was a member is not used, only how many.
        planted: altered copies of candidates.
        depth: how closely to measure.
        context: randomness and progress.
    """
    patients = np.unique(truth.candidates.patient)
    member, strata = truth.of_patients(patients)
    n = len(truth.samples)
    curves = {}
    kinds = _kinds(planted)
    with context.progress.task("attacking planted leaks", total=len(kinds)) as step:
        for kind in kinds:
            rng = context.rng("running", kind)
            own = np.flatnonzero(planted.kind == kind)
            found: dict[int, FloatArray] = {}
            for share in depth.shares:
                count = max(1, round(share * n))
                if count in found:
                    continue
                table = []
                for _ in range(depth.draws):
                    division = member[shuffle_within(strata, rng)]
                    copies = _drawn(own[~(planted.owners[own] & ~division).any(axis=1)], count, rng)
                    kept = np.sort(rng.permutation(n)[: n - len(copies)])
                    released = concatenate(truth.samples.take(kept), planted.images.take(copies))
                    score = reduce_by_patient(attack(released).score, truth.candidates.patient)[1]
                    copied = np.asarray(planted.owners[copies].any(axis=0))
                    table.append(_significant(score, _divisions(member, strata, copied, rng)))
                found[count] = np.array(table, dtype=float)
                if found[count].mean() < HOPELESS:
                    break
            step(1, kind)
            curves[kind] = _curve({count / n: table for count, table in found.items()})
    return curves


def by_overfitting(
    score: FloatArray, known: NDArray[np.bool_], sizes: tuple[int, int], context: Context
) -> dict[str, PowerCurve]:
    """Power of an attack on the denoiser, from its scores on a model overfitted to known patients.

    The patients at hand are few and a sample too: they are drawn anew with replacement, and the interval says how much
    the smallest share differs between such draws (a percentile bootstrap of patients; with 8 or 13 known patients it
    held the truth in 83 of 100 simulations).

    Args:
        score: ``(p,)`` of each patient.
        known: ``(p,)`` who the model was overfitted to; the others it never saw.
        sizes: member and holdout patients of an audit.
        context: where randomness comes from.
    """
    return {"overfitted": by_resampling(score, known, sizes, SHARES, context.under("overfitting"))}


def by_resampling(
    score: FloatArray, known: NDArray[np.bool_], sizes: tuple[int, int], shares: tuple[float, ...], context: Context
) -> PowerCurve:
    """The curve over audits in which a share of the members are patients with a leak, drawn anew with replacement.

    Args:
        score: ``(p,)`` of each patient.
        known: ``(p,)`` who has the leak.
        sizes: member and holdout patients of an audit.
        shares: of the members, tried.
        context: where randomness comes from.
    """
    members, others = sizes
    rng = context.rng("resampling")
    found = {}
    for count in _counts(members, shares):
        table = []
        for _ in range(BOOTSTRAPS):
            seen, unseen = (rng.choice(score[side], int(side.sum())) for side in (known, ~known))
            told, untold = rng.choice(seen, (ASSIGNMENTS, count)), rng.choice(unseen, (ASSIGNMENTS, members - count))
            outside = rng.choice(unseen, (ASSIGNMENTS, others))
            table.append(_p_values(np.concatenate([told, untold], axis=1), outside) <= SIGNIFICANCE)
        found[count / members] = np.array(table, dtype=float)
    tried = sorted(found)
    drawn = np.stack([found[share].mean(axis=1) for share in tried], axis=1)
    worth = np.full(len(tried), float(BOOTSTRAPS))
    return PowerCurve(np.array(tried), drawn.mean(axis=0), worth, resampled=drawn)


def _kinds(planted: Planted) -> list[str]:
    return [kind for kind in KINDS if (planted.kind == kind).any()]


def _counts(n: int, shares: tuple[float, ...] = SHARES) -> list[int]:
    return sorted({max(1, round(share * n)) for share in shares})


def _drawn(usable: Index, count: int, rng: np.random.Generator) -> Index:
    """``count`` of ``usable``, none twice before each was drawn once."""
    return np.resize(rng.permutation(usable), count if len(usable) else 0)


def _divisions(
    member: NDArray[np.bool_], strata: Names, copied: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """``(ASSIGNMENTS, p)`` divisions with the members' number in each stratum, all copied patients among them."""
    order = np.where(copied, -1.0, rng.random((ASSIGNMENTS, len(member))))
    result = np.zeros(order.shape, dtype=bool)
    for stratum in np.unique(strata):
        places = np.flatnonzero(strata == stratum)
        first = np.argsort(order[:, places], axis=1)[:, : int(member[places].sum())]
        np.put_along_axis(result, places[first], values=True, axis=1)
    return result


def _significant(score: FloatArray, divisions: NDArray[np.bool_]) -> NDArray[np.bool_]:
    size = int(divisions[0].sum())
    sides = [np.argsort(~side, axis=1, kind="stable") for side in (divisions, ~divisions)]
    return _p_values(score[sides[0][:, :size]], score[sides[1][:, : len(score) - size]]) <= SIGNIFICANCE


def _p_values(members: FloatArray, others: FloatArray) -> FloatArray:
    from scipy.stats import mannwhitneyu

    return np.asarray(mannwhitneyu(members, others, alternative="two-sided", axis=1).pvalue)


def _curve(found: dict[float, FloatArray]) -> PowerCurve:
    """The curve of detections ``(draws, m)`` by share."""
    shares = sorted(found)
    tables = [found[share] for share in shares]
    worth = effective(np.stack(tables))
    return PowerCurve(np.array(shares), np.array([t.mean() for t in tables]), np.full(len(shares), worth))
