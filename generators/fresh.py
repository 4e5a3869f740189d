"""The generator that cannot leak: it never looks at its members."""

from pathlib import Path

import numpy as np

from ..audit.context import Context
from ..audit.errors import BadInputError
from ..audit.plugin import generator
from ..audit.types import ImageSet, TrainingData
from .real import released, reserve_of, spread


@generator(needs=("reserve",), releases_real=True)
class Fresh:
    """Real images of patients who are in none of the splits: known answer, must not be accused."""

    def fit(self, data: TrainingData, context: Context) -> None:  # noqa: ARG002
        """Learn nothing; only make sure that there are images to release.

        Raises:
            BadInputError: if the cohort has no reserve patients.
        """
        reserve_of(data, "fresh")

    def sample(self, n: int | None, data: TrainingData, model: Path, context: Context) -> ImageSet:  # noqa: ARG002
        """``n`` distinct reserve images in random order (None: one per member image, as far as they suffice).

        Raises:
            BadInputError: if ``n`` is more than there are.
        """
        reserve = reserve_of(data, "fresh")
        wanted = min(len(data.members), len(reserve)) if n is None else n
        if wanted > len(reserve):
            raise BadInputError(
                f"generator 'fresh': {wanted} samples asked for, the reserve has {len(reserve)} images\n"
                f"ask for at most {len(reserve)}, or give the cohort more reserve patients"
            )
        chosen = reserve.take(spread(reserve.patient, wanted, context.rng("images")))
        return released(chosen, np.full(wanted, "", dtype=np.str_))
