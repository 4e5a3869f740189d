"""One number a patient and attack, and of each family's attacks the strongest."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..context import Context
from ..record import Estimate, StrongestAttack
from ..statistics.auc import auc_detectable, auc_without_blocks
from ..statistics.stats import reduce_by_patient
from ..statistics.strongest import LEAST, strongest
from ..types import AttackScores, FloatArray, LinkageScores, MembershipScores, MemorizationScores, SpaceDistances
from .measured import Truth

FILE = "patients.safetensors"


def exposures(scores: AttackScores, truth: Truth) -> dict[str, FloatArray]:
    """How strongly an attack points at each candidate patient, in sorted order: higher, more likely a member.

    A membership attack points at a patient by the largest score of his images, a memorization attack in each space by
    the closest released image, a verifier by the most similar one. Other families do not ask about membership.

    Returns:
        ``(p,)`` by space, "" where there is but one.
    """
    match scores:
        case MembershipScores():
            return {"": reduce_by_patient(scores.score, truth.candidates.patient)[1]}
        case LinkageScores() if len(scores.similarity):
            best = scores.similarity.max(axis=0).astype(np.float64)
            return {"": reduce_by_patient(best, truth.candidates.patient)[1]}
        case MemorizationScores():
            return {space.space: -_closest(space) for space in scores.spaces}
        case _:
            return {}


def _closest(space: SpaceDistances) -> FloatArray:
    """Distance of each patient to the closest released image; those that none is close to tie at the largest."""
    result = np.full(len(space.patients), np.inf)
    np.minimum.at(result, space.samples.patient.ravel(), space.samples.distance.ravel())
    near = np.isfinite(result)
    result[~near] = result[near].max(initial=0.0)
    return result


def save_exposures(scores: AttackScores, truth: Truth, folder: Path) -> None:
    """Leave ``exposures`` in a stage's folder."""
    from safetensors.numpy import save_file

    save_file(exposures(scores, truth), folder / FILE)


def load_exposures(folder: Path, attack: str) -> dict[str, FloatArray]:
    """What ``save_exposures`` left, by attack and space: ``nearest (aligned)``."""
    from safetensors.numpy import load_file

    return {f"{attack} ({space})" if space else attack: score for space, score in load_file(folder / FILE).items()}


def strongest_attacks(
    scores: Mapping[str, Mapping[str, FloatArray]], truth: Truth, context: Context
) -> tuple[StrongestAttack, ...]:
    """The strongest attack of each family, of one the direction alone being chosen; none where patients are too few.

    Args:
        scores: by family and attack, ``(p,)`` by candidate patient in sorted order.
        truth: of the audit.
        context: randomness and confidence.
    """
    found = (_strongest(family, of_family, truth, context) for family, of_family in scores.items())
    return tuple(one for one in found if one)


def _strongest(family: str, scores: Mapping[str, FloatArray], truth: Truth, context: Context) -> StrongestAttack | None:
    patients = truth.candidates.patients
    member, strata = truth.of_patients(patients)
    if not scores or min(member.sum(), (~member).sum()) < LEAST:
        return None
    found = strongest(scores, member, strata, context.rng("strongest", family), context.confidence)
    half, score = found.measured, -scores[found.name] if found.inverted else scores[found.name]
    sizes = [side.sum() - side.sum() // 2 for side in (member, ~member)]
    return StrongestAttack(
        family=family,
        attack=found.name,
        inverted=found.inverted,
        tried=tuple(scores),
        auc=Estimate(
            name="auc",
            group="strongest",
            value=found.auc,
            low=found.interval.low,
            high=found.interval.high,
            null=0.5,
            n=int(half.sum()),
            unit="patient",
            worse="higher",
            detectable=auc_detectable(int(sizes[0]), int(sizes[1])),
            p_value=found.p_value,
            method="attack and direction chosen on half of the patients, by centre; "
            "DeLong variance, logit, Student's t; Mann-Whitney, one-sided",
            blocks=auc_without_blocks(score[half], member[half], truth.names(patients)[half]),
        ),
    )
