"""Guards that are simulated: would an attack notice the holes that they leave around members?"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..closest import closest, poses_of
from ..context import Context
from ..measures.measured import Truth
from ..record import GuardCertificate
from ..statistics.stats import reduce_by_patient
from ..types import FloatArray, ImageSet, Names
from .curve import PowerCurve
from .simulated_audits import by_resampling

HOLES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True, eq=False)
class Guarded:
    """A release that went through a guard.

    Attributes:
        certificate: what the guard states.
        attack: scores of the candidates, from any images released behind that guard.
    """

    certificate: GuardCertificate
    attack: Callable[[ImageSet], FloatArray]


def by_guarding(guarded: Guarded, truth: Truth, context: Context) -> dict[str, PowerCurve]:
    """Power against ``hole``: how many members must lie in holes of the release until the attack notices.

    Members have holes already, so the guard is simulated on holdout patients: what was released closer than tau to one
    half of them is withheld, the attack runs on the rest, and audits are drawn in which a share of the members are such
    patients and all others come from the other half. Nothing is drawn anew for what is withheld.

    Args:
        guarded: the release.
        truth: of the audit.
        context: randomness.

    Returns:
        No curve where the guard's metric is unknown, or nothing would be left of the release.
    """
    poses = poses_of(guarded.certificate.metric)
    if poses is None:
        return {}
    patients = truth.candidates.patients
    member, strata = truth.of_patients(patients)
    holed = np.zeros(len(patients), dtype=bool)
    holed[_half(np.flatnonzero(~member), strata, context.rng("holes"))] = True
    if not holed.any():
        return {}
    near = truth.candidates.take(np.isin(truth.candidates.patient, patients[holed]))
    distance = closest(truth.samples, near, shift=poses[0], mirror=poses[1], device=context.device)
    kept = distance >= guarded.certificate.tau
    if not kept.any():
        return {}
    _, score = reduce_by_patient(guarded.attack(truth.samples.take(kept)), truth.candidates.patient)
    sizes = int(member.sum()), int((~member).sum())
    return {"hole": by_resampling(score[~member], holed[~member], sizes, HOLES, context.under("holes"))}


def _half(places: np.ndarray[tuple[int], np.dtype[np.intp]], strata: Names, rng: np.random.Generator) -> list[int]:
    """Every second of ``places``, in random order within strata; the smaller half."""
    order = rng.permutation(places)
    sorted_by_stratum = order[np.argsort(strata[order], kind="stable")]
    chosen: list[int] = sorted_by_stratum[1::2].tolist()
    return chosen
