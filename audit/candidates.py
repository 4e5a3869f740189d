"""The candidates that attacks see: members and holdout under pseudonyms, shuffled, without a word on who is which."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .context import Context
from .persist import load_images, save_images
from .stats import shuffle_within
from .types import ImageSet, Names, Split
from .whole import write_whole

BLOCK = 256


def write_candidates(split: Split, context: Context) -> None:
    """Write candidates and, apart from them, the truth under ``context.folder``.

    There are as many member as holdout patients (the larger side is thinned at random, by centre as far as it goes), so
    that a distance to the nearest of either means the same.
    """
    rng = context.rng("candidates")
    sides = (split.members, split.holdout)
    most = min(len(side.patients) for side in sides)
    kept = [np.flatnonzero(np.isin(side.patient, _thin(side, most, rng))) for side in sides]
    origin = np.concatenate([np.full(len(k), i) for i, k in enumerate(kept)])
    order = rng.permutation(len(origin))
    position = np.concatenate(kept)[order]
    member = (origin == 0)[order]

    def joined(name: str) -> Any:
        values = [getattr(side, name) for side in sides]
        if any(v is None for v in values):
            return None
        return np.concatenate([v[k] for v, k in zip(values, kept, strict=True)])[order]

    path = context.folder / "candidates.pixels.npy"
    pixels = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.float32, shape=(len(order), *split.members.pixels.shape[1:])
    )
    for start in range(0, len(order), BLOCK):
        block = slice(start, start + BLOCK)
        rows = [sides[0 if m else 1].pixels[p] for m, p in zip(member[block], position[block], strict=True)]
        pixels[block] = rows
    patient = joined("patient")
    names = np.unique(patient)
    pseudonyms = np.array([f"candidate-{i:06d}" for i in range(len(names))])[rng.permutation(len(names))]
    candidates = ImageSet(
        pixels=pixels,
        patient=pseudonyms[np.searchsorted(names, patient)],
        label=joined("label"),
        mask=joined("mask"),
        center=joined("center"),
        visit=joined("visit"),
    )
    save_images(candidates, context.folder, "candidates")
    for name, value in (("member", member), ("patient", patient)):
        with write_whole(context.folder / f"truth.{name}.npy") as temporary, temporary.open("wb") as file:
            np.save(file, value, allow_pickle=False)


def load_candidates(folder: Path) -> tuple[ImageSet, NDArray[np.bool_], Names]:
    """Candidates, whether each was a member, and its real patient."""
    truth = [np.load(folder / f"truth.{name}.npy", allow_pickle=False) for name in ("member", "patient")]
    return load_images(folder, "candidates"), truth[0], truth[1]


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
