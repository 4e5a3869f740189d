"""The generator that somebody else ran: only its images are at hand."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from ..audit.context import Context
from ..audit.errors import BadInputError
from ..audit.pictures import SUFFIXES, read_mask, read_picture
from ..audit.plugin import generator
from ..audit.types import ImageSet, TrainingData
from ..audit.whole import write_text_whole, write_whole
from .real import neutral_names

LABEL = "generator 'folder'"
TABLE = "metadata.csv"


@dataclass(frozen=True)
class Listed:
    """What is known of the images, column by column; a column that is not there is None."""

    files: list[str]
    labels: list[int] | None = None
    masks: list[str] | None = None
    sources: list[str] | None = None
    centers: list[str] | None = None


def listed(folder: Path) -> Listed:
    """The images of ``folder``: the rows of its metadata.csv, or without one all its images by name.

    Raises:
        BadInputError: if there is no folder, no image, no column ``file_name``, or a label that is no integer.
    """
    if not folder.is_dir():
        raise BadInputError(f"{LABEL}: {folder} is not a folder\ngive the folder of synthetic images as path=")
    table = folder / TABLE
    if not table.is_file():
        names = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
        if not names:
            raise BadInputError(f"{LABEL}: no images in {folder}\nput {', '.join(SUFFIXES)} files there")
        return Listed(names)
    try:
        rows = list(csv.DictReader(table.read_text(encoding="utf-8-sig").splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(f"{LABEL}: {table} is not a table in UTF-8\nsave it as CSV, UTF-8") from error
    if not rows:
        raise BadInputError(f"{LABEL}: {table} lists no images\nadd rows, or remove the file")
    columns = [c for c in rows[0] if c]
    if "file_name" not in columns:
        raise BadInputError(f"{LABEL}: {table} has no column 'file_name'\ncolumns: {', '.join(columns)}")

    def column(name: str) -> list[str] | None:
        return [(row[name] or "").strip() for row in rows] if name in columns else None

    return Listed(
        files=column("file_name") or [],
        labels=_integers(column("label"), table),
        masks=column("mask_file_name"),
        sources=column("source"),
        centers=column("center"),
    )


def _integers(values: list[str] | None, table: Path) -> list[int] | None:
    if values is None:
        return None
    for row, value in enumerate(values, start=2):
        try:
            int(value)
        except ValueError as error:
            raise BadInputError(
                f"{LABEL}: {table} row {row} has label {value!r}\nlabels are integers; all images have one, or none"
            ) from error
    return [int(value) for value in values]


@generator()
class Folder:
    """Synthetic images that somebody hands over: a folder of png, tif or npy files, with or without metadata.csv.

    Columns of metadata.csv: ``file_name``, and as far as known ``label``, ``mask_file_name`` (empty: no lesion),
    ``center`` and ``source``, the patient whose record conditioned the image. ``fit`` copies the images into the model.
    """

    def __init__(
        self,
        *,
        path: Annotated[Path, Field(description="folder of synthetic images")],
        size: Annotated[
            int | None, Field(ge=8, le=4096, description="resample to size x size pixels; None: as stored")
        ] = None,
    ) -> None:
        self.path = Path(path)
        self.size = size

    def fit(self, data: TrainingData, context: Context) -> None:
        """Read every image and check it against the cohort.

        Raises:
            BadInputError: naming the file and what is wrong with it.
        """
        found = listed(self.path)
        shape = (data.members.channels, *data.members.spatial)
        with (
            write_whole(context.folder / "pixels.npy") as file,
            context.progress.task("reading images", len(found.files)) as step,
        ):
            pixels = np.lib.format.open_memmap(file, "w+", np.float32, (len(found.files), *shape))
            for i, name in enumerate(found.files):
                image = read_picture(self.path / name, LABEL, channels=shape[0], size=self.size)
                self._check(image.shape[1:], shape[1:], name)
                pixels[i] = image
                step()
            pixels.flush()
        if found.masks is not None:
            with write_whole(context.folder / "mask.npy") as file:
                mask = np.lib.format.open_memmap(file, "w+", np.uint8, (len(found.files), *shape[1:]))
                for i, name in enumerate(found.masks):
                    if name:
                        classes = read_mask(self.path / name, LABEL, size=self.size)
                        self._check(classes.shape, shape[1:], name)
                        mask[i] = classes
                mask.flush()
        known = {"label": found.labels, "source": found.sources, "center": found.centers}
        write_text_whole(context.folder / "known.json", json.dumps(known))

    def sample(self, n: int | None, data: TrainingData, model: Path, context: Context) -> ImageSet:  # noqa: ARG002
        """All images in the order listed, or ``n`` random ones.

        Raises:
            BadInputError: if ``n`` is more than there are.
        """
        pixels = np.load(model / "pixels.npy", mmap_mode="r", allow_pickle=False)
        masks = model / "mask.npy"
        known = json.loads((model / "known.json").read_text(encoding="utf-8"))
        images = ImageSet(
            pixels=pixels,
            patient=neutral_names(len(pixels)),
            label=None if known["label"] is None else np.array(known["label"], np.int64),
            mask=np.load(masks, mmap_mode="r", allow_pickle=False) if masks.exists() else None,
            center=None if known["center"] is None else np.array(known["center"], np.str_),
            source=None if known["source"] is None else np.array(known["source"], np.str_),
        )
        if n is None or n == len(images):
            return images
        if n > len(images):
            raise BadInputError(
                f"{LABEL}: {n} samples asked for, the folder has {len(images)}\nask for at most {len(images)}"
            )
        return images.take(np.sort(context.rng("images").choice(len(images), n, replace=False)))

    def _check(self, found: tuple[int, ...], wanted: tuple[int, ...], name: str) -> None:
        if found != wanted:
            raise BadInputError(
                f"{LABEL}: {self.path / name} is {'x'.join(map(str, found))}, "
                f"the cohort's images are {'x'.join(map(str, wanted))}\n"
                "set the generator's option size, or the cohort's"
            )
