"""Leaks of known kind: altered copies of candidates, ready to be put among the released images."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..context import Context
from ..types import ImageSet, Index, Names, concatenate
from .alteration import CHANGES, Alteration, altered, mixed, partners, pasted, turned

KINDS: dict[str, Alteration] = {
    "exact": "none",
    "noise": "noise",
    "shift": "shift",
    "intensity": "intensity",
    "rotation": "rotate",
    "elastic": "elastic",
    "foreground": "foreground",
    "turned": "turned",
    "mixture": "mixture",
}
"""Kinds of planted leak and the alteration that makes each, see ``alteration``."""
LESIONS = ("foreground", "turned")
"""Alterations that keep nothing of an image but its lesion."""


@dataclass(frozen=True, eq=False, slots=True)
class Planted:
    """Altered copies of candidates.

    Attributes:
        images: the copies, with the fields that the released images have.
        kind: ``(n,)`` a name in ``KINDS``.
        owners: ``(n, p)`` which candidate patients, in sorted order, each copy shows: one, or the two of a mixture.
    """

    images: ImageSet
    kind: Names
    owners: NDArray[np.bool_]


def plant(candidates: ImageSet, backgrounds: ImageSet, samples: ImageSet, each: int, context: Context) -> Planted:
    """Up to ``each`` copies of every kind, one image a patient and as many patients as there are.

    Args:
        candidates: members and holdout alike: who counts as a member is drawn later.
        backgrounds: images that a lesion is pasted on.
        samples: the released images; the copies get the fields that these have.
        each: copies of a kind at most; of mixtures four times as many, for only a quarter shows two members.
        context: where randomness comes from.
    """
    patients, number = np.unique(candidates.patient, return_inverse=True)
    parts: list[ImageSet] = []
    kinds: list[str] = []
    owners: list[NDArray[np.bool_]] = []
    for kind, how in KINDS.items():
        rng = context.rng("plant", kind)
        if (chosen := _chosen(candidates, number, kind, each, rng)) is None:
            continue
        copies = candidates.take(chosen)
        shown = np.zeros((len(chosen), len(patients)), dtype=bool)
        shown[np.arange(len(chosen)), number[chosen]] = True
        if how == "mixture":
            other = partners(candidates.patient, chosen, rng)
            shown[np.arange(len(chosen)), number[other]] = True
            copies = mixed(copies, candidates.take(other))
        elif how in LESIONS:
            copies = turned(copies, rng) if how == "turned" else copies
            copies = pasted(copies, backgrounds.take(rng.integers(0, len(backgrounds), len(chosen))))
        else:
            assert how == "none" or how in CHANGES
            copies = altered(copies, how, 1.0, rng)
        parts.append(_like(copies, samples))
        kinds += [kind] * len(chosen)
        owners.append(shown)
    return Planted(concatenate(*parts), np.array(kinds), np.concatenate(owners))


def _chosen(candidates: ImageSet, number: Index, kind: str, each: int, rng: np.random.Generator) -> Index | None:
    """Which images are copied; None where there is nothing of this kind to copy."""
    usable = np.arange(len(number))
    if KINDS[kind] in LESIONS:
        if candidates.mask is None:
            return None
        usable = np.flatnonzero(candidates.mask.reshape(len(candidates), -1).any(axis=1))
    if not len(usable) or (kind == "mixture" and number.max() < 1):
        return None
    shuffled = rng.permutation(usable)
    _, first = np.unique(number[shuffled], return_index=True)
    one_each = rng.permutation(shuffled[first])
    if kind == "mixture":
        return np.resize(one_each, 4 * each)
    return one_each[:each]


def _like(copies: ImageSet, samples: ImageSet) -> ImageSet:
    """``copies`` with no field that ``samples`` lack: a plugin must not tell them apart by what they carry."""
    names = np.array([f"synthetic-planted-{i:06d}" for i in range(len(copies))])
    source = None if samples.source is None else np.full(len(copies), "", dtype=np.str_)
    missing = {name: None for name in ("label", "mask", "center", "visit") if getattr(samples, name) is None}
    return replace(copies, patient=names, source=source, **missing)  # type: ignore[arg-type]
