"""Real images listed by ``metadata.csv``, in Hugging Face's ImageFolder convention.

Columns: ``file_name`` and ``patient``, and as wanted ``label``, ``center``, ``mask_file_name`` and ``split`` (members,
holdout, reference, public, reserve). Without ``split``, patients are divided at random under the seed.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from ..audit.context import Context
from ..audit.errors import BadInputError
from ..audit.plugin import cohort
from ..audit.reading.pictures import read_mask, read_picture
from ..audit.types import ImageSet, Split
from .checks import require_folder
from .metadata import Listing, read_metadata
from .splitting import Shares, split_patients
from .writing import PartWriter

NAME = "folder"
LABEL = f"cohort '{NAME}'"


@cohort()
def folder(
    context: Context,
    *,
    path: Annotated[Path, Field(description="folder with metadata.csv and the images")],
    size: Annotated[
        int | None, Field(ge=16, le=1024, description="resize to so many pixels; default: as stored")
    ] = None,
    members: Annotated[float, Field(gt=0, lt=1, description="share that generators are trained on")] = 0.3,
    holdout: Annotated[float, Field(gt=0, lt=1, description="share that no generator sees")] = 0.3,
    reference: Annotated[float, Field(gt=0, lt=1, description="share that the attacker owns")] = 0.25,
    reserve: Annotated[float, Field(ge=0, lt=1, description="share kept for known answers")] = 0.15,
) -> Split:
    """Real images (png, tif, npy) listed by a metadata.csv in the Hugging Face ImageFolder convention."""
    require_folder(path, NAME)
    listing = read_metadata(path, NAME)
    rows = _parts(listing, Shares(members, holdout, reference, reserve), context.rng("split"))
    first = listing.files[0]
    shape = read_picture(first, LABEL, size=size).shape
    written: dict[str, ImageSet] = {}
    with context.progress.task("reading images", total=sum(map(len, rows.values()))) as step:
        for part, chosen in rows.items():
            masked = listing.masks is not None
            with PartWriter(context.folder, part, (len(chosen), *shape), masked=masked) as writer:
                for i in chosen:
                    pixels = read_picture(listing.files[i], LABEL, size=size)
                    if pixels.shape != shape:
                        here = f"{listing.files[i].name} {_says(pixels.shape)}"
                        raise BadInputError(
                            f"{LABEL}: {first.name} is {_says(shape)}, {here}\n"
                            "resize them with size=64, say; all must be grey or all colour"
                        )
                    mask = listing.masks[i] if listing.masks else None
                    classes = read_mask(mask, LABEL, size=size) if mask else np.zeros(shape[1:], np.uint8)
                    if classes.shape != shape[1:]:
                        raise BadInputError(
                            f"{LABEL}: {listing.files[i].name} is {shape[1:]}, its mask {classes.shape}\n"
                            "a mask must have the size of its image"
                        )
                    writer.add(pixels[None], classes[None])
                    step(1, part)
                written[part] = writer.finish(
                    [listing.patients[i] for i in chosen],
                    label=None if listing.labels is None else [listing.labels[i] for i in chosen],
                    center=None if listing.centers is None else [listing.centers[i] for i in chosen],
                )
    return Split(**written)


def _parts(listing: Listing, shares: Shares, rng: np.random.Generator) -> dict[str, list[int]]:
    """The rows of each part: as the list says, or divided by patient."""
    if listing.splits is not None:
        rows: dict[str, list[int]] = {}
        for i, part in enumerate(listing.splits):
            rows.setdefault(part, []).append(i)
        missing = [part for part in ("members", "holdout", "reference") if part not in rows]
        if missing:
            raise BadInputError(
                f"{LABEL}: column 'split' names no {' and no '.join(missing)}\n"
                "members, holdout and reference are needed; leave the column out to split at random"
            )
        return rows
    of: dict[str, list[int]] = {}
    for i, patient in enumerate(listing.patients):
        of.setdefault(patient, []).append(i)
    strata = [
        (
            listing.centers[own[0]] if listing.centers else "",
            max(listing.labels[i] for i in own) if listing.labels else 0,
        )
        for own in of.values()
    ]
    chosen = split_patients(strata, shares, rng, NAME)
    images = list(of.values())
    return {part: [i for k in patients for i in images[k]] for part, patients in chosen.items()}


def _says(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[2]} with {shape[0]} channel{'s' * (shape[0] > 1)}"
