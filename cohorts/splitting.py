"""Dividing real patients into the parts of a split, alike in centre and label."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Annotated

import numpy as np
from pydantic import Field

from ..audit.errors import BadInputError

PARTS = ("members", "holdout", "reference", "reserve")
FEWEST = 2  # patients in a part: with one, neither a spread nor a neighbour of another patient exists

Share = Annotated[float, Field(gt=0, lt=1)]


@dataclass(frozen=True)
class Shares:
    """How large each part is, as shares of all patients; what rounding leaves over goes to reference.

    Attributes:
        members: patients that generators are trained on.
        holdout: patients that no generator sees.
        reference: patients that the attacker owns.
        reserve: patients kept for generators with a known answer; 0 for none.
    """

    members: float
    holdout: float
    reference: float
    reserve: float

    def counts(self, patients: int, cohort: str) -> dict[str, int]:
        """How many of ``patients`` go into each part; equal shares get equal numbers.

        Raises:
            BadInputError: if the shares exceed 1 or a part would have fewer than ``FEWEST`` patients.
        """
        shares = {part: float(getattr(self, part)) for part in PARTS if getattr(self, part) > 0}
        if sum(shares.values()) > 1 + 1e-9:
            raise BadInputError(
                f"cohort '{cohort}': the shares of the split add up to {sum(shares.values()):.4g}\n"
                f"lower {', '.join(shares)} so that they add up to 1 at most"
            )
        counts = {part: int(share * patients + 1e-9) for part, share in shares.items()}
        if min(counts.values()) < FEWEST:
            needed = ceil(FEWEST / min(shares.values()) - 1e-9)
            raise BadInputError(
                f"cohort '{cohort}': {patients} patients are too few to split\n"
                f"at least {needed} are needed for {FEWEST} in each of {', '.join(shares)}"
            )
        if sum(shares.values()) > 1 - 1e-9:
            counts["reference"] += patients - sum(counts.values())
        return counts


def split_patients(
    strata: Sequence[tuple[str, int]], shares: Shares, rng: np.random.Generator, cohort: str
) -> dict[str, list[int]]:
    """Divide patients at random, each stratum in the proportions of the whole (to within one patient a part).

    Args:
        strata: ``(patients,)`` centre and label of each.
        shares: how large each part is.
        rng: decides who goes where.
        cohort: its name, for messages.

    Returns:
        For each part the positions of its patients, ascending.

    Raises:
        BadInputError: as ``Shares.counts``.
    """
    counts = shares.counts(len(strata), cohort)
    chance = rng.permutation(len(strata))
    queue = sorted(range(len(strata)), key=lambda i: (strata[i], chance[i]))
    # Each part takes places spread evenly over the queue, so every stratum meets all parts in proportion.
    unused = len(strata) - sum(counts.values())
    turns = sorted(
        ((k + 0.5) / count, order, part)
        for order, (part, count) in enumerate([*counts.items(), ("", unused)])
        for k in range(count)
    )
    parts: dict[str, list[int]] = {part: [] for part in counts}
    for patient, (_, _, part) in zip(queue, turns, strict=True):
        if part:
            parts[part].append(patient)
    return {part: sorted(chosen) for part, chosen in parts.items()}
