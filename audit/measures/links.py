"""Which released images are linked to whom: a search of the candidates counts if it beats those of strangers."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..types import FloatArray, Index, LinkageScores, Names, Pixels, Ranking
from .excess import Recognise, evidence
from .measured import Truth

FALSE_IDENTIFICATION_RATE = 0.02
TINY = 1e-9
CELLS = 2**22  # of an array of scores by patient and examination, at a time


@dataclass(frozen=True, eq=False, slots=True)
class Linkage:
    """Released images, and real strangers, as searches of galleries of candidates.

    Attributes:
        ranking: the candidate patients that each released image resembles most; distances are negative scores.
        strangers: ``(2k,)`` the best match of each stranger among the members, and among the holdout.
        threshold: the score that 98% of these do not exceed.
    """

    ranking: Ranking
    strangers: FloatArray
    threshold: float

    @classmethod
    def of(cls, scores: LinkageScores, truth: Truth) -> Self:
        """One search in a gallery, not one pair, is the unit of a false match: the best match in either gallery."""
        return cls._of(scores.similarity, scores.strangers, truth.candidates.patient, truth.member)

    @classmethod
    def across_visits(cls, scores: LinkageScores, truth: Truth) -> Self | None:
        """The same for a match in two examinations of one patient; None where a side has nobody with two.

        A patient counts by the second best of the examinations, so an image copied from one is linked only if the same
        patient's other images would have given it away too.
        """
        visit = truth.candidates.visit
        if visit is None:
            return None
        patients, columns = _by_examination(truth.candidates.patient, visit)
        member, _ = truth.of_patients(patients)
        twice = np.bincount(np.nonzero(columns[:, :, 0] >= 0)[0]) > 1
        if not (twice[member].any() and twice[~member].any()):
            return None
        samples, strangers = (_second_best(s, columns) for s in (scores.similarity, scores.strangers))
        return cls._of(samples, strangers, patients, member)

    @classmethod
    def _of(cls, samples: Pixels, strangers: Pixels, patient: Names, member: NDArray[np.bool_]) -> Self:
        best = np.concatenate([strangers[:, side].max(axis=1) for side in (member, ~member)]).astype(np.float64)
        threshold = float(np.quantile(best, 1 - FALSE_IDENTIFICATION_RATE, method="higher"))
        return cls(Ranking.of(-samples, patient), best, threshold)

    def nearest(self, group: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Index]:
        """Whether each released image is linked to a patient of ``group`` ``(p,)``, and the one it resembles most."""
        distance, column = self.ranking.nearest_in(group)
        return distance < -self.threshold, column

    def hits(self, member: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which released images are linked to a member, and which to a holdout patient."""
        return self.nearest(member)[0], self.nearest(~member)[0]

    def recognise(self, member: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
        """Each released image's evidence of showing a patient of either side, for any division of the patients.

        Beyond the threshold the strangers' best matches thin out exponentially, so evidence rises with the distance to
        it, in units of what strangers exceed it by on average.
        """
        beyond = self.strangers[self.strangers > self.threshold] - self.threshold
        unit = max(float(beyond.mean()) if len(beyond) else float(self.strangers.std()), TINY)
        near = self.ranking.nearest_in(member)[0], self.ranking.nearest_in(~member)[0]
        tails = [FALSE_IDENTIFICATION_RATE * np.exp(np.minimum((self.threshold + side) / unit, 0.0)) for side in near]
        ours, theirs = (evidence(tail, FALSE_IDENTIFICATION_RATE) for tail in tails)
        return ours, theirs


def links_under(scores: LinkageScores, truth: Truth) -> Recognise:
    """Each released image's evidence, see ``Linkage.recognise``."""
    return Linkage.of(scores, truth).recognise


def _by_examination(patient: Names, visit: NDArray[np.int64]) -> tuple[Names, NDArray[np.intp]]:
    """The patients, and the images of each examination ``(patients, examinations, images)``, -1 where there is none."""
    patients, code = np.unique(patient, return_inverse=True)
    examinations: list[dict[int, list[int]]] = [{} for _ in patients]
    for image, (p, v) in enumerate(zip(code.tolist(), visit.tolist(), strict=True)):
        examinations[p].setdefault(v, []).append(image)
    most = max(len(own) for own in examinations)
    images = max(len(found) for own in examinations for found in own.values())
    columns = np.full((len(patients), most, images), -1, dtype=np.intp)
    for p, own in enumerate(examinations):
        for v, found in enumerate(own.values()):
            columns[p, v, : len(found)] = found
    return patients, columns


def _second_best(scores: Pixels, columns: NDArray[np.intp]) -> Pixels:
    """``(n, patients)`` the second best of each patient's examinations; ``-inf`` where there is one only."""
    result = np.empty((len(scores), len(columns)), np.float32)
    rows = max(1, CELLS // columns.size)
    for start in range(0, len(scores), rows):
        block = scores[start : start + rows]
        best = np.where(columns >= 0, block[:, columns], np.float32(-np.inf)).max(axis=3)
        result[start : start + rows] = np.partition(best, -2, axis=2)[:, :, -2]
    return result
