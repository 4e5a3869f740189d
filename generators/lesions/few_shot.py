"""Few patients a centre: who is trained on, chosen by each centre for itself."""

from typing import Literal

import numpy as np

from ...audit.context import seed_sequence
from ...audit.errors import BadInputError
from ...audit.types import ImageSet, Names
from .windows import centers_of, lesions_of


def few_shot(members: ImageSet, patients: int | Literal["all"], seed: int) -> Names:
    """The patients with a lesion that each centre trains on: ``patients`` of its own, as evenly by label as can be.

    A centre's choice depends on the seed, its name and its own patients only. Chosen patients choose themselves again.

    Args:
        members: all that the centres have.
        patients: how many each centre takes at most.
        seed: of the audit.

    Raises:
        BadInputError: if no image shows a lesion.
    """
    shown = members.take(lesions_of(members))
    centers = centers_of(shown)
    chosen: list[str] = []
    for center in np.unique(centers).tolist():
        own = shown.take(centers == center)
        names, first = np.unique(own.patient, return_index=True)
        rng = np.random.default_rng(seed_sequence(seed, "few-shot", center))
        rank = rng.permutation(len(names))
        label = np.zeros(len(names)) if own.label is None else own.label[first]
        turn = np.array([(label[rank < mine] == of).sum() for mine, of in zip(rank, label, strict=True)])
        order = np.lexsort((rank, turn))  # everybody's first of each label, then the second, and so on
        chosen += names[order if patients == "all" else order[:patients]].tolist()
    return np.array(sorted(chosen), dtype=np.str_)


def check_patients(patients: int | Literal["all"], fewest: int, generator: str) -> None:
    """Refuse an option ``patients`` below ``fewest``.

    Raises:
        BadInputError: if it is.
    """
    if patients != "all" and patients < fewest:
        raise BadInputError(
            f"generator '{generator}': option patients={patients}: a centre needs {fewest} or more\n"
            f"give a number from {fewest} on, or patients=all"
        )


def refuse_lone(members: ImageSet, generator: str) -> None:
    """Refuse a centre that would train on one patient.

    Raises:
        BadInputError: naming the centre: a model of one patient's lesions releases that patient again.
    """
    centers = centers_of(members)
    for center in np.unique(centers).tolist():
        if len(np.unique(members.patient[centers == center])) < 2:
            who = f"centre '{center}' has" if center else "there is"
            raise BadInputError(
                f"generator '{generator}': {who} one patient with a lesion, whom its samples would show again\n"
                "give every centre two such patients or more, or leave the centre out"
            )


def trained(members: ImageSet, patients: Names) -> ImageSet:
    """The images of the members who are trained on that show a lesion."""
    shown = members.take(lesions_of(members))
    return shown.take(np.isin(shown.patient, patients))
