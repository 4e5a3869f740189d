"""Several verifiers as one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from torch import Tensor

from ..audit.types import ImageSet, Pixels
from .backbone import vectors_of
from .verifier import Verifier

TINY = 1e-6


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The mean of several verifiers' scores, each in standard deviations of pairs that show two patients.

    Attributes:
        verifiers: at least one.
        scales: mean and standard deviation of each one's scores of such pairs.
        device: where they compute.
    """

    verifiers: tuple[Verifier, ...]
    scales: tuple[tuple[float, float], ...]
    device: str

    @classmethod
    def of(cls, verifiers: Sequence[Verifier], unseen: ImageSet, device: str) -> Self:
        """Verifiers brought to one scale by pairs of patients on whom none of them was trained.

        Samples and candidates have no part in it, so an image's score does not depend on which others are scored.

        Args:
            verifiers: as trained.
            unseen: images of at least two patients.
            device: ``cpu`` or ``cuda``.
        """
        different = unseen.patient[:, None] != unseen.patient[None]
        scales = []
        for verifier in verifiers:
            scores = verifier.scores(unseen.pixels, unseen.pixels, device)[different].astype(np.float64)
            scales.append((float(scores.mean()), max(float(scores.std()), TINY)))
        return cls(tuple(verifiers), tuple(scales), device)

    def vectors(self, pixels: Pixels) -> tuple[Tensor, ...]:
        """Each verifier's embeddings ``(n, 128)`` of images ``(n, c, h, w)``."""
        return tuple(vectors_of(verifier, pixels, self.device) for verifier in self.verifiers)

    def each(self, a: tuple[Tensor, ...], b: tuple[Tensor, ...]) -> tuple[Pixels, ...]:
        """Each verifier's scores ``(n, m)`` of embedded images."""
        found = []
        for verifier, (mean, spread), rows, columns in zip(self.verifiers, self.scales, a, b, strict=True):
            scores = verifier.compared(rows, columns)
            scores -= np.float32(mean)
            scores /= np.float32(spread)
            found.append(scores)
        return tuple(found)


def averaged(scores: tuple[Pixels, ...]) -> Pixels:
    """The mean of several verifiers' scores; that of one is no copy."""
    if len(scores) == 1:
        return scores[0]
    total = scores[0].copy()
    for other in scores[1:]:
        total += other
    total /= np.float32(len(scores))
    return total
