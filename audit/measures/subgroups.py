"""Whether patients of one centre or class are exposed more than others: the same counts, group by group. Never who."""

import numpy as np
from numpy.typing import NDArray

from ..record import Estimate
from ..types import Names
from .excess import patient_excess
from .measured import Truth

FEWEST = 5
"""Patients a side; the count of a smaller group could point at a person."""

Groups = dict[str, NDArray[np.bool_]]
"""Which patients ``(p,)`` belong to ``center A``, ``label 1``."""


def subgroups(truth: Truth, patients: Names) -> Groups:
    """The centres and classes of ``patients``, each where there are two or more.

    A patient whose images have several classes belongs to none of them.
    """
    names, owner = np.unique(truth.candidates.patient, return_inverse=True)
    at = np.searchsorted(names, patients)
    found: Groups = {}
    for field in ("center", "label"):
        values = getattr(truth.candidates, field)
        if values is None:
            continue
        kinds, code = np.unique(values, return_inverse=True)
        seen = np.zeros((len(names), len(kinds)), dtype=bool)
        seen[owner, code] = True
        alone = (seen.sum(axis=1) == 1)[:, None] & seen
        if len(kinds) > 1:
            found |= {f"{field} {kind}": alone[at, i] for i, kind in enumerate(kinds.tolist())}
    return found


def excess_by_group(
    name: str, exposed: NDArray[np.bool_], member: NDArray[np.bool_], groups: Groups, confidence: float, what: str
) -> list[Estimate]:
    """The share of member patients exposed beyond holdout patients in each group.

    Args:
        name: of the estimates.
        exposed: ``(p,)`` which patients are.
        member: ``(p,)`` which patients are members.
        groups: of the patients.
        confidence: e.g. 0.95.
        what: what being exposed is, for ``method``.
    """
    return [
        _of_group(name, group, exposed[inside], member[inside], confidence, what) for group, inside in groups.items()
    ]


def _of_group(
    name: str, group: str, exposed: NDArray[np.bool_], member: NDArray[np.bool_], confidence: float, what: str
) -> Estimate:
    sizes = int(member.sum()), int((~member).sum())
    if min(sizes) < FEWEST:
        return Estimate(
            name=name,
            value=None,
            n=sizes[0],
            unit="patient",
            worse="higher",
            group=group,
            note=f"too few to show: fewer than {FEWEST} member or holdout patients",
        )
    counts = int(exposed[member].sum()), int(exposed[~member].sum())
    return patient_excess(name, *counts, member, confidence, what, group=group)
