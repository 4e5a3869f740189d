"""Which images a folder holds and what is known of each, kept compact: there may be millions."""

import csv
import hashlib
import os
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import numpy as np

from ...audit.errors import BadInputError
from ...audit.reading.dicom import is_dicom
from ...audit.reading.pictures import SUFFIXES
from ...audit.reading.scans import ENDINGS
from ...audit.types import Labels, Names

TABLE = "metadata.csv"
KINDS = (*SUFFIXES, ".npz", *ENDINGS)
INDEX = "DICOMDIR"  # a table of contents, not an image
MASKS = {"mask", "masks", "label", "labels", "seg", "segmentation", "segmentations"}


@dataclass(eq=False)
class Texts:
    """Texts one after another in one string of bytes: 8 bytes each beside their own."""

    content: bytearray = field(default_factory=bytearray)
    ends: "array[int]" = field(default_factory=lambda: array("q"))

    def extend(self, texts: Iterable[str]) -> None:
        """Append ``texts``."""
        for text in texts:
            self.content += os.fsencode(text)
            self.ends.append(len(self.content))

    def __len__(self) -> int:
        return len(self.ends)

    def __iter__(self) -> Iterator[str]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, i: int) -> str:
        return os.fsdecode(bytes(self.content[self.ends[i - 1] if i else 0 : self.ends[i]]))


@dataclass(eq=False)
class Words:
    """Texts of which many are equal, as numbers of the distinct ones."""

    number: dict[str, int] = field(default_factory=dict)
    codes: "array[int]" = field(default_factory=lambda: array("q"))

    def append(self, text: str) -> None:
        """Append one."""
        self.codes.append(self.number.setdefault(text, len(self.number)))

    def names(self) -> Names:
        """All of them."""
        return np.array(list(self.number), np.str_)[np.array(self.codes, np.intp)]


@dataclass(frozen=True, eq=False)
class Listing:
    """Files and, as far as metadata.csv tells, what is known of each.

    Attributes:
        folder: which the names are relative to.
        files: their names.
        masks: the mask of each, "" where there is no lesion; None: nothing is known of masks.
        label: ``(n,)``, or None.
        source: ``(n,)``, or None.
        center: ``(n,)``, or None.
    """

    folder: Path
    files: Texts
    masks: Texts | None = None
    label: Labels | None = None
    source: Names | None = None
    center: Names | None = None

    def fingerprint(self) -> str:
        """A hash of names, sizes and times of change, by which a fit that goes on knows that nothing changed."""
        digest = hashlib.sha256()
        for names in (self.files, self.masks or Texts()):
            for name in names:
                about = os.stat(self.folder / name) if name else None  # noqa: PTH116 - a Path each would take as long as the call
                digest.update(
                    f"{name}\0{about and (about.st_size, about.st_mtime_ns)}\n".encode(errors="surrogateescape")
                )
        return digest.hexdigest()


def listed(path: Path, label: str) -> Listing:
    """The images at ``path``: one file, the rows of a folder's metadata.csv, or all that lie in it and below.

    Without a table, the files of each folder come by name, then those of its sub-folders; hidden files and folders are
    passed over, links to folders not followed.

    Args:
        path: a folder or a file.
        label: of the reader, for messages.

    Raises:
        BadInputError: if there is nothing at ``path``, no image, or the table is not as it should be.
    """
    if path.is_file():
        alone = Texts()
        alone.extend([path.name])
        return Listing(path.parent, alone)
    if not path.is_dir():
        raise BadInputError(f"{label}: {path} is not a folder\ngive the folder of synthetic images as path=")
    if (path / TABLE).is_file():
        return _table(path, label)
    files = Texts()
    for names in _walk(path, label):
        files.extend(names)
    if not len(files):
        raise BadInputError(f"{label}: no images in {path}\nput {', '.join(KINDS)} files there")
    return Listing(path, files)


def _walk(folder: Path, label: str, below: str = "") -> Iterator[list[str]]:
    """The images of a folder by name, then those of its sub-folders."""
    files: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(folder / below) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif entry.name.lower().endswith(KINDS) or (_unknown(entry.name) and is_dicom(Path(entry.path))):
                    files.append(below + entry.name)
    except OSError as error:
        raise BadInputError(
            f"{label}: {folder / below} cannot be read: {error.strerror}\nallow it, or move it"
        ) from error
    masks = sorted(MASKS & {name.lower() for name in folders})
    if masks:
        raise BadInputError(
            f"{label}: a folder '{masks[0]}' lies beside the images, and nothing says which mask is whose\n"
            f"write a {TABLE} with the columns file_name and mask_file_name, or move the masks away"
        )
    yield sorted(files)
    for name in sorted(folders):
        yield from _walk(folder, label, f"{below}{name}/")


def _unknown(name: str) -> bool:
    """Whether a name ends like those of DICOM files that have no ending of their own: not at all, or in a number."""
    ending = PurePath(name).suffix[1:]
    return name != INDEX and (not ending or ending.isdigit())


def _table(folder: Path, label: str) -> Listing:
    table = folder / TABLE
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            columns = [name.strip() for name in next(reader, [])]
            if "file_name" not in columns:
                named = ", ".join(filter(None, columns)) or "none"
                raise BadInputError(f"{label}: {table} has no column 'file_name'\ncolumns: {named}")
            return _rows(reader, {name: k for k, name in enumerate(columns)}, table, label)
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(f"{label}: {table} is not a table in UTF-8\nsave it as CSV, UTF-8") from error


def _rows(rows: Iterator[list[str]], column: dict[str, int], table: Path, label: str) -> Listing:
    files, masks, labels = Texts(), Texts(), array("q")
    words = {name: Words() for name in ("source", "center") if name in column}
    for line, row in enumerate(rows, start=2):
        if not any(row):
            continue

        def value(name: str, row: list[str] = row) -> str:
            return row[column[name]].strip() if column[name] < len(row) else ""

        files.extend([_inside(value("file_name"), table, line, label)])
        if "mask_file_name" in column:
            mask = value("mask_file_name")
            masks.extend([_inside(mask, table, line, label) if mask else ""])
        if "label" in column:
            labels.append(_integer(value("label"), table, line, label))
        for name, texts in words.items():
            texts.append(value(name))
    if not len(files):
        raise BadInputError(f"{label}: {table} lists no images\nadd rows, or remove the file")
    return Listing(
        table.parent,
        files,
        masks=masks if "mask_file_name" in column else None,
        label=np.array(labels, np.int64) if "label" in column else None,
        **{name: texts.names() for name, texts in words.items()},
    )


def _inside(name: str, table: Path, line: int, label: str) -> str:
    """``name`` if it is that of a file in the folder of the table."""
    if not name or PurePath(name).is_absolute() or os.path.normpath(name).startswith(".."):
        raise BadInputError(f"{label}: {table} row {line} names no file in its folder\nit says {name!r}; copy it there")
    if not (table.parent / name).is_file():
        raise BadInputError(
            f"{label}: {PurePath(name).name} does not exist\nadd the missing file, or drop row {line} of {TABLE}"
        )
    return name


def _integer(value: str, table: Path, line: int, label: str) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise BadInputError(
            f"{label}: {table} row {line} has label {value!r}\nlabels are integers; all images have one, or none"
        ) from error
