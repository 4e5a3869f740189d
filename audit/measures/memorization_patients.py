"""The tail: how many patients are how strongly exposed. Counts only, never who."""

import numpy as np
from numpy.typing import NDArray

from ..record import Estimate, Plot, Series
from ..statistics.stats import permutation_p_value, proportion_interval
from ..types import Columns, FloatArray, Index
from .excess import patient_excess
from .memorization_copies import Hits

LEVELS = (1, 2, 5, 10)
POINTS = 50


def copies_by_patient(hits: Hits, patients: int) -> Index:
    """How many released images are copies of each patient ``(p,)``, whichever side the patient is on."""
    sides = ((hits.member_patient, hits.member), (hits.holdout_patient, hits.holdout))
    return sum((_counted(patient, hit, patients) for patient, hit in sides), np.zeros(patients, np.intp))


def _counted(patient: Columns, hit: NDArray[np.bool_], patients: int) -> Index:
    return np.bincount(patient[hit], minlength=patients).astype(np.intp)


def tail(copies: Index, member: NDArray[np.bool_]) -> FloatArray:
    """What is permuted: members beyond holdout at each of ``LEVELS``, then the largest number beyond the holdout's.

    Args:
        copies: ``(p,)`` of each patient.
        member: ``(p,)`` which patients are members.
    """
    sides = copies[member], copies[~member]
    counts = [np.array([(side >= level).sum() for level in LEVELS]) for side in sides]
    largest = [int(side.max(initial=0)) for side in sides]
    return np.append(counts[0] - counts[1], largest[0] - largest[1]).astype(np.float64)


def exposed(copies: Index, member: NDArray[np.bool_], null: FloatArray, confidence: float) -> list[Estimate]:
    """The share of member patients with at least 1, 2, 5 and 10 copies, beyond that of holdout patients.

    Args:
        copies: ``(p,)`` of each patient.
        member: ``(p,)`` which patients are members.
        null: ``(b, 5)`` of ``tail`` under permuted membership.
        confidence: e.g. 0.95.
    """
    return [
        patient_excess(
            "exposed_patients",
            int((copies[member] >= level).sum()),
            int((copies[~member] >= level).sum()),
            member,
            confidence,
            "",
            group="" if level == 1 else f"at least {level} copies",
            null=null[:, place],
        )
        for place, level in enumerate(LEVELS)
    ]


def most_copies(
    copies: Index, member: NDArray[np.bool_], largest: FloatArray, images: int, null: FloatArray, confidence: float
) -> Estimate:
    """The most copies of any one member patient.

    Args:
        copies: ``(p,)`` of each patient.
        member: ``(p,)`` which patients are members.
        largest: ``(b,)`` the most copies of a member under permuted membership.
        images: released.
        null: ``(b,)`` the same minus the most copies of a holdout patient.
        confidence: e.g. 0.95.
    """
    most, control = int(copies[member].max(initial=0)), int(copies[~member].max(initial=0))
    interval = proportion_interval(most, images, confidence)
    return Estimate(
        name="most_copies",
        value=float(most),
        low=interval.low * images,
        high=interval.high * images,
        null=float(largest.mean()),
        n=images,
        unit="image",
        worse="higher",
        p_value=permutation_p_value(most - control, null),
        method="Clopper-Pearson for that patient, who is taken as given; null: mean of the largest number over "
        f"{len(null)} permutations within centres; p-value: beyond the largest of holdout",
        note=f"{most} of {images} released images show one member patient, at most {control} one holdout patient",
    )


def tail_plot(copies: Index, member: NDArray[np.bool_]) -> Plot:
    """The share of patients of either side with at least so many copies."""
    top = max(int(copies.max(initial=0)), 1)
    at_least = np.unique(np.linspace(1, top + 1, min(top + 1, POINTS)).round().astype(int))
    series = tuple(
        Series(
            label=label,
            x=tuple(at_least.astype(float).tolist()),
            y=tuple(float((copies[side] >= count).mean()) for count in at_least),
        )
        for label, side in (("member patients", member), ("holdout patients", ~member))
    )
    return Plot(
        name="copies of each patient",
        kind="curve",
        x_label="copies at least (released images)",
        y_label="share of patients",
        series=series,
    )
