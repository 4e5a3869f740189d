"""Reading metadata.csv: what is known about each image, before any image is opened."""

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..audit.errors import BadInputError

FILE = "metadata.csv"
PARTS = ("members", "holdout", "reference", "public", "reserve")


@dataclass(frozen=True)
class Listing:
    """The columns of a metadata.csv, one entry a row.

    Attributes:
        files: the images.
        patients: whom each shows.
        labels: class codes: the integers as given, or the position among the sorted distinct words.
        centers: where each was taken.
        masks: the mask of each, None where the row has none.
        splits: the part each belongs to.
    """

    files: list[Path]
    patients: list[str]
    labels: list[int] | None
    centers: list[str] | None
    masks: list[Path | None] | None
    splits: list[str] | None


def read_metadata(folder: Path, cohort: str) -> Listing:
    """Read and check ``metadata.csv`` of ``folder``.

    Raises:
        BadInputError: if it is missing, empty or not text, lacks a column or a value, lists a file twice, a file that
            is missing or one outside the folder, or names an unknown part of the split.
    """
    columns, rows = _rows(folder, cohort)

    def column(name: str) -> list[str] | None:
        if name not in columns:
            return None
        values = [(row[name] or "").strip() for row in rows]
        empty = [i for i, value in enumerate(values) if not value]
        if empty:
            raise BadInputError(
                f"cohort '{cohort}': {FILE} has {len(empty)} rows without '{name}', first line {empty[0] + 2}\n"
                "fill them in, or leave the column out where it is optional"
            )
        return values

    names, patients = column("file_name"), column("patient")
    assert names is not None
    assert patients is not None
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise BadInputError(f"cohort '{cohort}': {FILE} lists {twice} twice\nlist every image once")
    splits = column("split")
    unknown = sorted(set(splits or ()) - set(PARTS))
    if unknown:
        raise BadInputError(f"cohort '{cohort}': {FILE} has the split '{unknown[0]}'\nuse one of {', '.join(PARTS)}")
    labels = column("label")
    masks: list[Path | None] | None = None
    if "mask_file_name" in columns:
        given = [(row["mask_file_name"] or "").strip() for row in rows]
        masks = [_inside(folder, name, cohort) if name else None for name in given]
    return Listing(
        files=[_inside(folder, name, cohort) for name in names],
        patients=patients,
        labels=None if labels is None else _codes(labels),
        centers=column("center"),
        masks=masks,
        splits=splits,
    )


def _rows(folder: Path, cohort: str) -> tuple[list[str], list[dict[str, str | None]]]:
    """The names of the columns, and the rows."""
    path = folder / FILE
    if not path.is_file():
        raise BadInputError(f"cohort '{cohort}': {folder} has no {FILE}\nit lists file_name and patient of each image")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(f"cohort '{cohort}': {FILE} is no comma-separated UTF-8 text\nsave it as such") from error
    for needed in ("file_name", "patient"):
        if needed not in columns:
            raise BadInputError(
                f"cohort '{cohort}': {FILE} has no column '{needed}'\ncolumns: {', '.join(columns) or 'none'}"
            )
    if not rows:
        raise BadInputError(f"cohort '{cohort}': {FILE} lists no images\nadd a row for each image")
    return columns, rows


def _inside(folder: Path, name: str, cohort: str) -> Path:
    """The file that a row names, which must be in the folder, whatever links and dots say."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BadInputError(f"cohort '{cohort}': {FILE} names {name}, outside its folder\ncopy the file into it")
    if not path.is_file():
        raise BadInputError(f"cohort '{cohort}': {name} is listed in {FILE} but missing\nadd the file or drop its row")
    return path


def _codes(labels: list[str]) -> list[int]:
    """Class codes: integers as they are, words by their alphabetical order."""
    try:
        return [int(label) for label in labels]
    except ValueError:
        order = {word: code for code, word in enumerate(sorted(set(labels)))}
        return [order[label] for label in labels]
