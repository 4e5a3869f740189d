"""The candidates that attacks see: members and holdout under pseudonyms, shuffled, without a word on who is which."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .context import Context
from .persist import load_images, save_images
from .statistics.stats import shuffle_within
from .types import ImageSet, Index, Names, Split
from .whole import write_whole

BLOCK = 256


@dataclass(frozen=True, eq=False, slots=True)
class Drawn:
    """Which images are candidates, and in which order.

    Attributes:
        member: ``(n,)`` whether each is a member's.
        position: ``(n,)`` its position among the members' images, or the holdout's.
        patient: ``(n,)`` its real patient.
        pseudonym: ``(n,)`` what attacks see instead.
    """

    member: NDArray[np.bool_]
    position: Index
    patient: Names
    pseudonym: Names


def draw_candidates(split: Split, context: Context) -> Drawn:
    """Members and holdout, shuffled image by image.

    There are as many member as holdout patients (the larger side is thinned at random, by centre as far as it goes), so
    that a distance to the nearest of either means the same.
    """
    rng = context.rng("candidates")
    sides = (split.members, split.holdout)
    most = min(len(side.patients) for side in sides)
    kept = [np.flatnonzero(np.isin(side.patient, _thin(side, most, rng))) for side in sides]
    origin = np.concatenate([np.full(len(k), i) for i, k in enumerate(kept)])
    order = rng.permutation(len(origin))
    patient = np.concatenate([side.patient[k] for side, k in zip(sides, kept, strict=True)])[order]
    names = np.unique(patient)
    pseudonyms = np.array([f"candidate-{i:06d}" for i in range(len(names))])[rng.permutation(len(names))]
    return Drawn(
        member=(origin == 0)[order],
        position=np.concatenate(kept)[order],
        patient=patient,
        pseudonym=pseudonyms[np.searchsorted(names, patient)],
    )


def write_candidates(split: Split, context: Context) -> None:
    """Write the candidates as attacks see them under ``context.folder``, and nothing there that tells who they are."""
    drawn = draw_candidates(split, context)
    sides = (split.holdout, split.members)

    def joined(name: str) -> Any:
        values = [getattr(side, name) for side in sides]
        if any(v is None for v in values):
            return None
        result = np.empty((len(drawn.member), *values[0].shape[1:]), np.result_type(*values))
        for side, value in enumerate(values):
            result[drawn.member == side] = value[drawn.position[drawn.member == side]]
        return result

    path = context.folder / "candidates.pixels.npy"
    pixels = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.float32, shape=(len(drawn.member), *split.members.pixels.shape[1:])
    )
    for start in range(0, len(pixels), BLOCK):
        block = slice(start, start + BLOCK)
        rows = zip(drawn.member[block].astype(int), drawn.position[block], strict=True)
        pixels[block] = [sides[side].pixels[position] for side, position in rows]
    candidates = ImageSet(
        pixels=pixels,
        patient=drawn.pseudonym,
        label=joined("label"),
        mask=joined("mask"),
        center=joined("center"),
        visit=joined("visit"),
    )
    save_images(candidates, context.folder, "candidates")


def write_truth(split: Split, context: Context) -> None:
    """Write who the candidates are under ``context.folder``: a folder of its own, for pixels are memory maps.

    Args:
        split: the cohort.
        context: that of ``write_candidates`` but for its folder.
    """
    drawn = draw_candidates(split, context)
    for name, value in (("member", drawn.member), ("patient", drawn.patient)):
        with write_whole(context.folder / f"{name}.npy") as temporary, temporary.open("wb") as file:
            np.save(file, value, allow_pickle=False)


def without_attributes(candidates: ImageSet) -> ImageSet:
    """The candidates with nothing but their pixels: what an attack on attributes must not be told."""
    return ImageSet(pixels=candidates.pixels, patient=candidates.patient)


def load_candidates(candidates: Path, truth: Path) -> tuple[ImageSet, NDArray[np.bool_], Names]:
    """Candidates, whether each was a member, and its real patient, from the two folders."""
    member, patient = (np.load(truth / f"{name}.npy", allow_pickle=False) for name in ("member", "patient"))
    return load_images(candidates, "candidates"), member, patient


def _thin(side: ImageSet, most: int, rng: np.random.Generator) -> Names:
    """``most`` patients of ``side``, each centre keeping its share as nearly as possible."""
    names, first = np.unique(side.patient, return_index=True)
    if len(names) <= most:
        return names
    strata = np.full(len(names), "") if side.center is None else side.center[first]
    order = shuffle_within(strata, rng)
    _, code = np.unique(strata, return_inverse=True)
    place = np.empty(len(names))
    for stratum in np.unique(code):
        own = np.flatnonzero(code == stratum)
        place[order[own]] = (np.arange(len(own)) + 0.5) / len(own)
    return names[np.sort(np.argsort(place, kind="stable")[:most])]
