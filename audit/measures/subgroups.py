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

    No count is given of a group that is too small, nor of one by which it could be worked out: the count of all is
    known, and the centres shown subtracted from it must leave nobody, or patients enough.

    Args:
        name: of the estimates.
        exposed: ``(p,)`` which patients are.
        member: ``(p,)`` which patients are members.
        groups: of the patients.
        confidence: e.g. 0.95.
        what: what being exposed is, for ``method``.
    """
    unsaid = _unsaid(groups, member)
    return [
        _hidden(name, group, int((inside & member).sum()), unsaid[group])
        if group in unsaid
        else _of_group(name, group, exposed[inside], member[inside], confidence, what)
        for group, inside in groups.items()
    ]


def _unsaid(groups: Groups, member: NDArray[np.bool_]) -> dict[str, str]:
    """Groups whose counts are not given, each with why."""

    def sizes(patients: NDArray[np.bool_]) -> tuple[int, int]:
        return int((patients & member).sum()), int((patients & ~member).sum())

    unsaid: dict[str, str] = {}
    for field in {group.partition(" ")[0] for group in groups}:
        shown = {group: inside for group, inside in groups.items() if group.partition(" ")[0] == field}
        for group in [group for group, inside in shown.items() if min(sizes(inside)) < FEWEST]:
            unsaid[group] = f"too few to show: fewer than {FEWEST} member or holdout patients"
            del shown[group]
        while shown and any(0 < n < FEWEST for n in sizes(~np.logical_or.reduce(list(shown.values())))):
            group = min(shown, key=lambda group: sizes(shown[group]))
            unsaid[group] = "not shown: with it the count of a smaller group could be worked out"
            del shown[group]
    return unsaid


def _hidden(name: str, group: str, members: int, why: str) -> Estimate:
    return Estimate(name=name, value=None, n=members, unit="patient", worse="higher", group=group, note=why)


def _of_group(
    name: str, group: str, exposed: NDArray[np.bool_], member: NDArray[np.bool_], confidence: float, what: str
) -> Estimate:
    counts = int(exposed[member].sum()), int(exposed[~member].sum())
    return patient_excess(name, *counts, member, confidence, what, group=group)
