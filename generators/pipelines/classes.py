"""Which class of a conditioned pipeline a label of the cohort is."""

import numpy as np
import torch
from torch import Tensor

from ...audit.errors import BadInputError
from ...audit.record import Model
from ...audit.types import ImageSet, Labels
from .files import LABEL
from .parts import Pipeline


class Classes(Model):
    """The labels that a conditioned pipeline knows.

    Attributes:
        labels: of the cohort, sorted.
        index: the class of each.
        share: the share of the members that has it.
        null: the class that means "none", or None.
    """

    labels: tuple[int, ...]
    index: tuple[int, ...]
    share: tuple[float, ...]
    null: int | None

    def of(self, images: ImageSet) -> Tensor:
        """``(n,)`` classes of ``images``; "none" for a label that the pipeline does not know.

        Raises:
            BadInputError: for such a label where no class means "none".
        """
        known: dict[int | None, int | None] = dict(zip(self.labels, self.index, strict=True))
        labels: list[int | None] = [None] * len(images) if images.label is None else images.label.tolist()
        found = [known.get(label, self.null) for label in labels]
        if None in found:
            label = labels[found.index(None)]
            strange = "no label" if label is None else f"label {label}, which no member has"
            raise BadInputError(
                f"{LABEL}: an image of the cohort has {strange}, and the pipeline needs a class for every image\n"
                "give every label's class as classes=LABEL:CLASS,..., or the class that means none as null_class"
            )
        return torch.tensor(found, dtype=torch.int64)

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Tensor, Labels | None]:
        """``n`` classes at the members' frequencies, and their labels; only "none" where members have no label."""
        if not self.labels:
            assert self.null is not None
            return torch.full((n,), self.null, dtype=torch.int64), None
        drawn = rng.choice(len(self.labels), n, p=self.share)
        return torch.tensor(self.index)[drawn], np.array(self.labels, np.int64)[drawn]


def classes_for(pipeline: Pipeline, members: ImageSet, given: str, null: int | None) -> Classes | None:
    """The classes of ``pipeline``; None where it is not conditioned.

    Args:
        pipeline: the pipeline.
        members: whose distinct labels, in ascending order, are the classes 0, 1, ... (leaving "none" out).
        given: pairs ``label:class``, separated by commas, instead; empty: none.
        null: the class that means "none", for a pipeline that does not reserve one.

    Raises:
        BadInputError: if there is no class for a member, or no such class in the pipeline.
    """
    if not pipeline.embedded:
        if given or null is not None:
            raise BadInputError(
                f"{LABEL}: the pipeline is not conditioned on a class\nleave classes and null_class out"
            )
        return None
    null = pipeline.unconditional if null is None else null
    there = [c for c in range(pipeline.embedded) if c != null]
    pairs = [pair.split(":") for pair in given.split(",") if pair]
    mapping = {int(label): int(index) for label, index in pairs}
    for index in (*mapping.values(), *(() if null is None else (null,))):
        if index >= pipeline.embedded:
            raise BadInputError(
                f"{LABEL}: there is no class {index}, the pipeline knows {pipeline.embedded}\n"
                f"give classes from 0 to {pipeline.embedded - 1}"
            )
    if members.label is None and null is None:
        raise BadInputError(
            f"{LABEL}: the pipeline is conditioned on one of {pipeline.embedded} classes, the cohort has no labels\n"
            "give the cohort labels, or the class that means none as null_class"
        )
    labels, counts = ([], []) if members.label is None else (v.tolist() for v in np.unique_counts(members.label))
    if not mapping and len(labels) > len(there):
        raise BadInputError(
            f"{LABEL}: the members have {len(labels)} labels, the pipeline knows {len(there)} classes\n"
            "say which is which as classes=LABEL:CLASS,..."
        )
    mapping = mapping or dict(zip(labels, there, strict=False))
    if lacking := sorted(set(labels) - set(mapping)):
        raise BadInputError(
            f"{LABEL}: the option classes has no class for label {lacking[0]} of the members\n"
            f"add {lacking[0]}:CLASS to it"
        )
    share = dict(zip(labels, counts, strict=True))
    known = sorted(mapping) if labels else []
    return Classes(
        labels=tuple(known),
        index=tuple(mapping[label] for label in known),
        share=tuple(share.get(label, 0) / len(members) for label in known),
        null=null,
    )
