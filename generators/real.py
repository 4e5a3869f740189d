"""Real images released under neutral names: what the known-answer generators share."""

from dataclasses import replace

import numpy as np

from ..audit.errors import BadInputError
from ..audit.types import ImageSet, Index, Names, TrainingData


def reserve_of(data: TrainingData, generator: str) -> ImageSet:
    """The reserve images.

    Raises:
        BadInputError: if the cohort has none.
    """
    if data.reserve is None or len(data.reserve) == 0:
        raise BadInputError(
            f"generator '{generator}': the cohort has no reserve patients, whose real images it releases\n"
            "choose a cohort that keeps patients in reserve, e.g. brain-sim, or another generator"
        )
    return data.reserve


def spread(patient: Names, n: int, rng: np.random.Generator) -> Index:
    """``n`` random positions, as evenly over the patients as can be, and none twice before each was drawn once.

    Args:
        patient: ``(m,)`` the patient of each image, ``m`` > 0.
        n: how many positions to draw.
        rng: where randomness comes from.
    """
    order = rng.permutation(len(patient))
    _, number = np.unique(patient[order], return_inverse=True)
    by_patient = np.argsort(number, kind="stable")
    sizes = np.bincount(number)
    turn = np.empty(len(patient), np.intp)
    turn[by_patient] = np.arange(len(patient)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    # Everybody's first image, in random order, then everybody's second, and so on; then the same again.
    rounds = order[np.lexsort((rng.permutation(len(patient)), turn))]
    return np.resize(rounds, n).astype(np.intp)


def neutral_names(n: int) -> Names:
    """Names that say nothing of the patient: ``synthetic-000001`` and so on."""
    return np.array([f"synthetic-{i:06d}" for i in range(1, n + 1)], dtype=np.str_)


def released(images: ImageSet, source: Names) -> ImageSet:
    """``images`` as a release: neutral patient names, no visit, and the ``source`` patients stated."""
    return replace(images, patient=neutral_names(len(images)), visit=None, source=source)
