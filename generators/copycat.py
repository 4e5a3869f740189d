"""The generator that leaks by a known amount: what every attack must catch."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from ..audit.context import Context
from ..audit.errors import BadInputError
from ..audit.plugin import generator
from ..audit.power.alteration import Alteration, altered, mixed, partners, pasted, turned
from ..audit.power.planting import LESIONS
from ..audit.types import ImageSet, Index, TrainingData, concatenate
from .real import released, reserve_of, spread


@generator(needs=("reserve",), releases_real=True)
class Copycat:
    """Releases member images for a share of its output, altered if asked, and fresh patients for the rest.

    Exactly ``round(leak * n)`` of ``n`` samples are copies, drawn without replacement while members last and evenly
    over patients; the others are distinct reserve images. ``source`` is the copied patient, "" for a fresh image.
    """

    def __init__(
        self,
        *,
        leak: Annotated[float, Field(ge=0, le=1, description="share of the samples that are member images")] = 0.2,
        alter: Annotated[
            Alteration,
            Field(
                description="what is done to a copy; foreground: only its lesion, pasted on another patient's image; "
                "turned: likewise, the lesion turned by any angle and perhaps mirrored; mixture: the mean of two "
                "patients' images"
            ),
        ] = "none",
        strength: Annotated[
            float,
            Field(
                gt=0,
                le=4,
                description="factor on the alteration: 1 is noise of sigma 0.05, shifts up to 3 pixels, gamma up to "
                "2^0.35 with gain 1±0.15 and offset ±0.05, rotations up to 8 degrees, deformations by 1.5 pixels on "
                "average; foreground, turned and mixture ignore it",
            ),
        ] = 1.0,
    ) -> None:
        self.leak = leak
        self.alter = alter
        self.strength = strength

    def fit(self, data: TrainingData, context: Context) -> None:  # noqa: ARG002
        """Learn nothing; only make sure that there is what the options need.

        Raises:
            BadInputError: without reserve patients; for ``foreground`` and ``turned`` also without a member's lesion,
                for ``mixture`` with one member only.
        """
        reserve_of(data, "copycat")
        if self.alter == "mixture" and len(data.members.patients) < 2:
            raise BadInputError(
                "generator 'copycat': alter=mixture needs two member patients, there is one\n"
                "choose a larger cohort, or another alter"
            )
        self._copyable(data)

    def sample(self, n: int | None, data: TrainingData, model: Path, context: Context) -> ImageSet:  # noqa: ARG002
        """``n`` images in random order (None: one per member image, as far as the reserve suffices).

        Raises:
            BadInputError: if ``n`` needs more distinct reserve images than there are.
        """
        reserve = reserve_of(data, "copycat")
        most = max(k for k in range(len(data.members) + 1) if self._drawn(k, data) <= len(reserve))
        wanted = most if n is None else n
        if self._drawn(wanted, data) > len(reserve):
            raise BadInputError(
                f"generator 'copycat': {wanted} samples with leak={self.leak:g} need {self._drawn(wanted, data)} "
                f"reserve images, there are {len(reserve)}\nask for fewer samples, or give the cohort more patients"
            )
        count = round(self.leak * wanted)
        copyable = self._copyable(data)
        where = (
            copyable[spread(data.members.patient[copyable], count, context.rng("copies"))] if count else copyable[:0]
        )
        drawn = reserve.take(spread(reserve.patient, self._drawn(wanted, data), context.rng("fresh")))
        copies = data.members.take(where)
        if self.alter == "mixture":
            others = partners(data.members.patient, where, context.rng("partners"))
            copies = mixed(copies, data.members.take(others))
        elif self.alter not in LESIONS:
            copies = altered(copies, self.alter, self.strength, context.rng("alter"))
        elif self.alter == "turned" and count:
            copies = turned(copies, context.rng("turns"))
        if self.alter in LESIONS and data.public is not None:
            behind = spread(data.public.patient, count, context.rng("background"))
            copies = pasted(copies, data.public.take(behind)) if count else copies
        elif self.alter in LESIONS:
            copies = pasted(copies, drawn.take(slice(wanted - count, None))) if count else copies
        fresh = drawn.take(slice(0, wanted - count))
        copies = replace(copies, source=copies.patient)
        both = concatenate(copies, replace(fresh, source=np.full(len(fresh), "", dtype=np.str_)))
        shuffled = both.take(context.rng("order").permutation(wanted))
        assert shuffled.source is not None
        return released(shuffled, shuffled.source)

    def _drawn(self, n: int, data: TrainingData) -> int:
        """How many reserve images ``n`` samples use up."""
        behind = self.alter in LESIONS and data.public is None
        return n if behind else n - round(self.leak * n)

    def _copyable(self, data: TrainingData) -> Index:
        """Positions of the member images that can be copied."""
        if self.alter not in LESIONS:
            return np.arange(len(data.members))
        mask = data.members.mask
        found = np.flatnonzero(mask.reshape(len(mask), -1).any(1)) if mask is not None else np.array([], np.intp)
        if not len(found):
            raise BadInputError(
                f"generator 'copycat': alter={self.alter}, but no member image has a lesion in its mask\n"
                "choose a cohort with masks, or another alter: none, noise, shift, intensity, rotate, elastic, mixture"
            )
        return found
