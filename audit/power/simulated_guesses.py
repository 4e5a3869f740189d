"""Audits with a known leak of attributes: a few runs of the attack on planted copies serve all of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..context import Context
from ..measures.attribute import judged
from ..measures.inferred_risk import Success
from ..measures.measured import Truth
from ..statistics.stats import SIGNIFICANCE
from ..types import AttributeScores, FloatArray, ImageSet, Index, concatenate
from .certificate import Depth
from .curve import PowerCurve
from .planting import KINDS, Planted
from .simulated_audits import SHARES

RUNS = 2
MOST = 0.4  # of the released images that are replaced in a run


@dataclass(frozen=True, eq=False, slots=True)
class Pools:
    """What an attack's test adds up about patients, one column an attribute.

    Attributes:
        told: ``(a, k)`` about patients of whom a copy was released.
        untold: ``(b, k)`` about others.
        shown: patients that a copy shows: one, or the two of a mixture.
    """

    told: FloatArray
    untold: FloatArray
    shown: int


def by_guessing(
    attack: Callable[[ImageSet], AttributeScores], truth: Truth, planted: Planted, depth: Depth, context: Context
) -> dict[str, PowerCurve]:
    """Power of an attack on attributes.

    What it guesses of a patient depends on whether that patient was copied and hardly on who else was. So for each
    kind it runs on a release in which half of the candidates are copied, and on one with the other half (fewer where
    there are not released images enough). Audits are then simulated in which some members are drawn from the copied
    and everybody else from those who were not, and the attack's own test is made in each.

    Args:
        attack: on any released images.
        truth: of the audit; who really was a member is not used, only how many.
        planted: altered copies of candidates.
        depth: how closely to measure.
        context: randomness and progress.
    """
    member = truth.of_patients(truth.candidates.patients)[0]
    sizes = int(member.sum()), int((~member).sum())
    curves = {}
    kinds = [kind for kind in KINDS if (planted.kind == kind).any()]
    with context.progress.task("attacking planted leaks", total=len(kinds)) as step:
        for kind in kinds:
            rng = context.rng("guessing", kind)
            pools = _pools(attack, truth, planted, rng.permutation(np.flatnonzero(planted.kind == kind)), rng)
            if pools is not None:
                curves[kind] = _curve(pools, sizes, len(truth.samples), depth, rng)
            step(1, kind)
    return curves


def _pools(
    attack: Callable[[ImageSet], AttributeScores],
    truth: Truth,
    planted: Planted,
    own: Index,
    rng: np.random.Generator,
) -> Pools | None:
    """What the attack says of copied patients and of others; None where nothing could be told of anybody."""
    n, patients = len(truth.samples), planted.owners.shape[1]
    shown = int(planted.owners[own[0]].sum())
    copies = max(1, min(patients // (2 * shown), round(MOST * n), len(own) // RUNS))
    runs: list[tuple[dict[str, Success], NDArray[np.bool_]]] = []
    for run in range(RUNS):
        chosen = own[run * copies : (run + 1) * copies]
        if not len(chosen):
            continue
        kept = np.sort(rng.permutation(n)[: n - len(chosen)])
        released = concatenate(truth.samples.take(kept), planted.images.take(chosen))
        copied = np.asarray(planted.owners[chosen].any(axis=0))
        runs.append((judged(attack(released), replace(truth, samples=released), ~copied), copied))
    names = [name for name in runs[0][0] if all(name in success for success, _ in runs)]
    if not names:
        return None
    evidence = [(np.stack([success[name].evidence for name in names], axis=1), copied) for success, copied in runs]
    told, untold = (np.concatenate([e[c if side else ~c] for e, c in evidence]) for side in (True, False))
    return Pools(told, untold, shown)


def _curve(pools: Pools, sizes: tuple[int, int], n: int, depth: Depth, rng: np.random.Generator) -> PowerCurve:
    """How often simulated audits of ``sizes`` members and holdout patients notice each share of ``n`` images."""
    members, others = sizes
    divisions = rng.permuted(np.tile(np.arange(members + others) < members, (depth.divisions, 1)), axis=1)
    counts = sorted({max(1, round(share * n)) for share in SHARES})
    power = []
    for count in counts:
        told = min(count * pools.shown, members)
        drawn = np.concatenate(
            [
                pools.told[rng.integers(0, len(pools.told), (told, depth.audits))],
                pools.untold[rng.integers(0, len(pools.untold), (members + others - told, depth.audits))],
            ]
        )
        observed = drawn[:members].sum(axis=0)  # (audits, attributes)
        smallest = np.ones(depth.audits)
        for k in range(drawn.shape[2]):
            reached = (divisions @ drawn[:, :, k] >= observed[:, k] - 1e-9).sum(axis=0)
            smallest = np.minimum(smallest, (1 + reached) / (1 + depth.divisions))
        power.append(float((smallest * drawn.shape[2] <= SIGNIFICANCE).mean()))
    return PowerCurve(np.array(counts) / n, np.array(power), np.full(len(counts), float(depth.audits)))
