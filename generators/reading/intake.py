"""Reading the images of a listing into memory maps, block by block; a killed reading goes on where it was."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...audit.context import Context, Step
from ...audit.errors import BadInputError
from ...audit.whole import write_text_whole, write_whole
from .growing import GrowingArray
from .listing import Listing
from .stacks import Reader, Stack

MARK = "read.json"
BLOCK_BYTES, BLOCK_IMAGES = 2**25, 1024
MOST_NAMED = 5  # unusable files before reading is given up


@dataclass(frozen=True)
class Mark:
    """How far reading has come.

    Attributes:
        key: of the files and of how they are read.
        file: how many are read to the end.
        image: how many images of the next one are read too.
        rows: how many images are on disk.
        left_out: how many slices show nothing.
        masked: whether the images have masks; None before the first.
        done: whether all is read and stands under its final name.
    """

    key: str
    file: int = 0
    image: int = 0
    rows: int = 0
    left_out: int = 0
    masked: bool | None = None
    done: bool = False


def read_mark(folder: Path) -> Mark:
    """What the reading into ``folder`` came to."""
    return Mark(**json.loads((folder / MARK).read_text(encoding="utf-8")))


def take_in(found: Listing, reader: Reader, context: Context) -> None:
    """Write ``pixels.npy`` and, as far as known, ``mask``, ``label``, ``source`` and ``center`` ``.npy``.

    Memory holds a block of 32 MiB, one DICOM or NIfTI file, and some 100 bytes for each file of the listing.

    Args:
        found: the files.
        reader: how they are read.
        context: its folder takes the arrays; its progress counts files.

    Raises:
        BadInputError: naming the first file that cannot be used, why, and up to four more.
    """
    folder = context.folder
    key = hashlib.sha256(f"{found.fingerprint()} {reader}".encode()).hexdigest()
    mark = read_mark(folder) if (folder / MARK).is_file() else Mark(key)
    arrays = ("pixels", "origin", *(["mask"] if mark.masked else []))
    if mark.key != key or not (mark.done or all((folder / f"{name}.npy.part").is_file() for name in arrays)):
        mark = Mark(key)
    if mark.done:
        return
    with ExitStack() as files:
        intake = _Intake(found, reader, folder, files, mark)
        with context.progress.task("reading images", total=len(found.files)) as step:
            if mark.file:
                step(mark.file)
            intake.read(step)
        intake.finish()


class _Intake:
    """A reading under way."""

    def __init__(self, found: Listing, reader: Reader, folder: Path, files: ExitStack, mark: Mark) -> None:
        self.found, self.reader, self.folder, self.files, self.mark = found, reader, folder, files, mark
        self.block = min(BLOCK_IMAGES, max(1, BLOCK_BYTES // (4 * prod(reader.shape))))
        self.arrays: dict[str, GrowingArray] = {}
        self._array("pixels", reader.shape, np.float32)
        self._array("origin", (), np.int64)  # which file each image is from
        if mark.masked:
            self._array("mask", reader.shape[1:], np.uint8)

    def read(self, step: Step) -> None:
        """Read every file that is still to be read."""
        spoilt: list[tuple[str, BadInputError]] = []
        begun = self.mark.image
        for i in range(self.mark.file, len(self.found.files)):
            name = self.found.files[i]
            mask = self.found.masks[i] if self.found.masks is not None else ""
            try:
                with self.reader.open(self.found.folder / name, self.found.folder / mask if mask else None) as stack:
                    self._read_stack(stack, i, begun, step, keep=not spoilt)
            except BadInputError as error:
                spoilt.append((Path(name).name, error))
                if len(spoilt) == MOST_NAMED:
                    break
            begun = 0
            step()
        if spoilt:
            raise _together(spoilt)

    def _read_stack(self, stack: Stack, i: int, begun: int, step: Step, *, keep: bool) -> None:
        masked = stack.masks is not None or self.found.masks is not None
        name = Path(self.found.files[i]).name
        if self.mark.masked is None and stack.count:
            self.mark = replace(self.mark, masked=masked)
            if masked:
                self._array("mask", self.reader.shape[1:], np.uint8)
        elif stack.count and masked != self.mark.masked:
            raise BadInputError(
                f"{self.reader.label}: {name} has {'masks' if masked else 'no masks'}, those before it "
                f"{'none' if masked else 'have'}\ngive all images a mask (empty where there is no lesion), or none"
            )
        for start in range(begun, stack.count, self.block):
            stop = min(start + self.block, stack.count)
            pixels = stack.pixels(start, stop)
            masks = stack.masks(start, stop) if stack.masks else np.zeros((len(pixels), *pixels.shape[2:]), np.uint8)
            if not keep:
                continue
            self.arrays["pixels"].append(pixels)
            self.arrays["origin"].append(np.full(len(pixels), i))
            if masked:
                self.arrays["mask"].append(masks)
            if self.arrays["pixels"].rows - self.mark.rows >= self.block:
                self._save(file=i, image=stop)
                step(0, f"{self.mark.rows:,} images")
        self.mark = replace(self.mark, left_out=self.mark.left_out + stack.left_out)

    def finish(self) -> None:
        """Give the arrays their names and write what is known of each image."""
        if not self.arrays["pixels"].rows:
            raise BadInputError(f"{self.reader.label}: no image shows anything\nall slices of all files are constant")
        origin = self.arrays.pop("origin")
        origin.finish()
        for name, column in self._columns(np.load(origin.path, mmap_mode="r", allow_pickle=False)):
            with write_whole(self.folder / f"{name}.npy") as temporary, temporary.open("wb") as file:
                np.save(file, column, allow_pickle=False)
        rows = self.arrays["pixels"].rows
        for array in self.arrays.values():
            array.finish()
        self.mark = replace(self.mark, file=len(self.found.files), image=0, rows=rows, done=True)
        write_text_whole(self.folder / MARK, json.dumps(asdict(self.mark)))
        origin.path.unlink()

    def _columns(self, origin: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[Any]]]:
        """Label, source and centre of each image, from the table or from the archives."""
        inside: dict[str, list[NDArray[Any]]] = {"label": [], "source": [], "center": []}
        for name in self.found.files:
            if name.lower().endswith(".npz"):
                with self.reader.open(self.found.folder / name) as stack:
                    for column, values in stack.known.items():
                        inside[column].append(values)
        for column, parts in inside.items():
            listed = getattr(self.found, column)
            count = sum(map(len, parts))
            if count and (listed is not None or count != len(origin)):
                where = "in metadata.csv" if listed is not None else f"for {count} of {len(origin)} images only"
                raise BadInputError(
                    f"{self.reader.label}: '{column}' is given in npz archives and {where}\n"
                    "give it for all images in one of the two ways, or not at all"
                )
            if listed is not None:
                yield column, listed[origin]
            elif count:
                yield column, _typed(np.concatenate(parts), column, self.reader.label)

    def _array(self, name: str, shape: tuple[int, ...], kind: type[np.generic]) -> None:
        array = GrowingArray(self.folder / f"{name}.npy", shape, kind, self.mark.rows)
        self.arrays[name] = self.files.enter_context(array)

    def _save(self, file: int, image: int) -> None:
        for array in self.arrays.values():
            array.flush()
        self.mark = replace(self.mark, file=file, image=image, rows=self.arrays["pixels"].rows)
        write_text_whole(self.folder / MARK, json.dumps(asdict(self.mark)))


def _typed(values: NDArray[Any], column: str, label: str) -> NDArray[Any]:
    """Labels as integers, names as text."""
    if column != "label":
        return values.astype(np.str_)
    if values.dtype.kind not in "bui":
        raise BadInputError(f"{label}: labels in npz archives are {values.dtype}\nstore integers, one for each image")
    return values.astype(np.int64)


def _together(spoilt: list[tuple[str, BadInputError]]) -> BadInputError:
    """The first error, with the names of the other files."""
    first, others = spoilt[0][1], [name for name, _ in spoilt[1:]]
    what, _, mend = str(first).partition("\n")
    if others:
        end = ", and perhaps more" if len(spoilt) == MOST_NAMED else ""
        what += f"; nor can be used {', '.join(others)}{end}"
    return BadInputError(f"{what}\n{mend}" if mend else what)
