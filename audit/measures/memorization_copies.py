"""Which released images are copies: closer to a patient than real strangers are, in the most telling space."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..record import Estimate
from ..statistics.stats import permutation_p_value, proportion_interval
from ..types import Columns, FloatArray, MemorizationScores
from .excess import Recognise, evidence, image_excess
from .measured import Truth
from .memorization_near import Division, Space

ALPHA = 0.01
TINY = 1e-9
EIGHT_BIT_STEP = 1 / 255


@dataclass(frozen=True, eq=False, slots=True)
class Hits:
    """How samples lie to members and to holdout, ``(n_samples,)`` each.

    Attributes:
        to_member: evidence of a copy, above 0 where a sample lies closer than real strangers do.
        to_holdout: the same.
        member_patient: the nearest member's column.
        holdout_patient: the nearest holdout patient's.
    """

    to_member: FloatArray
    to_holdout: FloatArray
    member_patient: Columns
    holdout_patient: Columns

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


def spaces_of(scores: MemorizationScores, truth: Truth) -> list[Space]:
    """The spaces that tell anything: one in which all distances are equal does not."""
    spaces = [Space.of(space, truth.candidates.patient) for space in scores.spaces]
    return [space for space in spaces if not space.constant]


def copies_under(scores: MemorizationScores, truth: Truth) -> Recognise:
    """Each sample's evidence of being a copy of either side, for any division of the candidate patients."""
    spaces = spaces_of(scores, truth)
    nothing = np.zeros(len(truth.samples))

    def recognise(member: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
        if not spaces:
            return nothing, nothing
        combined = hits_of([space.under(member) for space in spaces])[-1]
        return combined.to_member, combined.to_holdout

    return recognise


def hits_of(divisions: list[Division]) -> list[Hits]:
    """Hits in each space, then combined over all: each sample's most suspicious space, and the strangers' likewise."""
    to_member, to_holdout, strangers, found = [], [], [], []
    for space in divisions:
        grid = np.concatenate([[0.0], np.sort(space.opposite)])
        to_member.append(_suspicion(space.member.distance, grid))
        to_holdout.append(_suspicion(space.holdout.distance, grid))
        strangers.append(_suspicion(space.opposite, grid))
        threshold = max(ALPHA, 1 / len(grid))
        found.append(
            Hits(
                evidence(to_member[-1], threshold),
                evidence(to_holdout[-1], threshold),
                space.member.patient,
                space.holdout.patient,
            )
        )
    m, h, null = np.stack(to_member), np.stack(to_holdout), np.stack(strangers)
    threshold = max(float(np.quantile(null.min(axis=0), ALPHA, method="lower")), TINY)
    rows = np.arange(m.shape[1])
    combined = Hits(
        evidence(m.min(axis=0), threshold),
        evidence(h.min(axis=0), threshold),
        np.stack([space.member.patient for space in divisions])[m.argmin(axis=0), rows],
        np.stack([space.holdout.patient for space in divisions])[h.argmin(axis=0), rows],
    )
    return [*found, combined]


def _suspicion(distance: FloatArray, grid: FloatArray) -> FloatArray:
    """The share of real strangers that lie closer, continued linearly from the closest stranger down to distance 0.

    1 for whatever lies farther than a tenth of them, and than the closest twenty: that is no hit at any threshold.
    """
    result = np.ones(len(distance))
    close = np.flatnonzero(distance < grid[min(len(grid) - 1, max(len(grid) // 10, 20))])
    result[close] = np.interp(distance[close], grid, np.arange(len(grid)) / len(grid))
    return result


def copied_share(hits: Hits, null: FloatArray, group: str, confidence: float) -> Estimate:
    """The control-normalised share of copies, tested by its permuted evidence ``(b,)``."""
    p_value = permutation_p_value(hits.surplus, null)
    sides = (hits.member, hits.holdout)
    estimate = image_excess("copied_share", group, sides, p_value, confidence, "", hits.holdout_patient)
    n, caught, control = len(hits.member), int(hits.member.sum()), int(hits.holdout.sum())
    note = f"{caught} of {n} released images closer to a member than 99% of strangers, {control} to holdout"
    return estimate.model_copy(update={"note": note})


def exact_copies(near: FloatArray, control: FloatArray, confidence: float) -> Estimate:
    """Released images that equal a member's, from their root mean square pixel differences to either side."""
    n, exact = len(near), int((near < EIGHT_BIT_STEP).sum())
    others = int((control < EIGHT_BIT_STEP).sum())
    interval = proportion_interval(exact, n, confidence)
    return Estimate(
        name="exact_copies",
        value=exact / n,
        low=interval.low,
        high=interval.high,
        null=others / n,
        n=n,
        unit="image",
        worse="higher",
        method="root mean square pixel difference below 1/255 to a member's image; Clopper-Pearson",
        note=f"{exact} of {n} released images, {others} against holdout",
    )
