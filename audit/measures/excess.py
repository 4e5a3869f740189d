"""Shares beyond a control: what members suffer that as many holdout patients do not."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..record import Estimate
from ..statistics.risk import normalised_risk, risk_interval
from ..statistics.stats import difference_interval, permutation_p_value
from ..types import Columns, FloatArray, Index

Recognise = Callable[[NDArray[np.bool_]], tuple[FloatArray, FloatArray]]
"""For a division ``(p,)`` of the candidate patients: each sample's evidence of a member, and of a holdout patient."""

PERMUTATIONS = 999
STRONGEST = 100.0
"""A hit weighs no more than one a hundred times rarer than the threshold's."""


def evidence(tail: FloatArray, level: float) -> FloatArray:
    """How much each image weighs in the test: 0 for no hit, else ln(level / tail), at most ln(100).

    A share counts all hits alike, just beyond the threshold or far beyond. A test that does so too needs more copies
    than one that weighs each hit by how rare it is among strangers: among 480 simulated images it noticed exact copies
    from 2.8% on, weighed from 0.9%.

    Args:
        tail: ``(n,)`` how rare such a likeness is among strangers.
        level: a hit is what is rarer than this.
    """
    return np.log(level / np.clip(tail, level / STRONGEST, level))


def image_excess(
    name: str,
    group: str,
    hits: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    p_value: float,
    confidence: float,
    what: str,
    matched: Index | Columns,
) -> Estimate:
    """The share of released images that hit a member, beyond the share that hit a holdout patient.

    Args:
        name: of the estimate.
        group: of the estimate.
        hits: ``(n,)`` whether each image hits a member, and whether it hits a holdout patient.
        p_value: of the evidence, by permuted membership.
        confidence: e.g. 0.95.
        what: what a hit is, for ``method``.
        matched: ``(n,)`` the holdout patient nearest to each image, as a number.
    """
    member, holdout = hits
    interval = risk_interval(member, holdout, confidence, matched)
    return Estimate(
        name=name,
        group=group,
        value=normalised_risk(float(member.mean()), float(holdout.mean())),
        low=interval.low,
        high=interval.high,
        null=0.0,
        n=len(member),
        unit="image",
        worse="higher",
        p_value=p_value,
        method=f"{what}score interval of a ratio of matched shares, by holdout patient; "
        f"p-value: hits weighed by how rare they are among strangers, {PERMUTATIONS} permutations within centres",
    )


def patient_excess(
    name: str,
    exposed: int,
    control: int,
    member: NDArray[np.bool_],
    confidence: float,
    what: str,
    *,
    group: str = "",
    null: FloatArray | None = None,
) -> Estimate:
    """The share of member patients exposed, minus the share of holdout patients.

    Args:
        name: of the estimate.
        exposed: member patients exposed.
        control: holdout patients exposed.
        member: ``(p,)`` which patients are members.
        confidence: e.g. 0.95.
        what: what being exposed is, for ``method``.
        group: of the estimate.
        null: ``(b,)`` members exposed minus holdout patients exposed, by permuted membership; None: not tested.
    """
    n, n_control = int(member.sum()), int((~member).sum())
    interval = difference_interval((exposed, n), (control, n_control), confidence)
    permuted = "" if null is None else f"; p-value: {len(null)} permutations within centres"
    return Estimate(
        name=name,
        group=group,
        value=exposed / n - control / n_control,
        low=interval.low,
        high=interval.high,
        null=0.0,
        n=n,
        unit="patient",
        worse="higher",
        p_value=None if null is None else permutation_p_value(exposed - control, null),
        method=f"{what}Agresti-Caffo interval of the difference to holdout patients{permuted}",
        note=f"{exposed} of {n} member patients, {control} of {n_control} holdout patients",
    )
