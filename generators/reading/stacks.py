"""Files of one image or many, opened so that a block of images at a time is read from them."""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ...audit.errors import BadInputError, unreadable
from ...audit.reading.pictures import SUFFIXES, read_mask, read_picture, resized, resized_mask
from ...audit.reading.scale import Range, by_type, require_content
from ...audit.reading.scans import is_nifti, is_scan, read_scan, read_scan_mask, recoloured
from ...audit.types import Masks, Pixels

KNOWN = {"label": "label", "labels": "label", "source": "source", "sources": "source"}
KNOWN |= {"center": "center", "centers": "center", "mask": "mask", "masks": "mask"}
BROKEN = (OSError, EOFError, ValueError, KeyError, zlib.error, zipfile.BadZipFile, NotImplementedError)
Rows = Callable[[int, int], NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Stack:
    """The images of one file.

    Attributes:
        count: how many there are.
        pixels: ``(start, stop)`` -> those images, ``(k, channels, h, w)`` float32 in [0, 1].
        masks: the same for their masks, ``(k, h, w)`` uint8; None: the file has none.
        known: ``label``, ``source`` and ``center`` of every image, as far as the file tells.
        left_out: how many slices show nothing and do not count.
    """

    count: int
    pixels: Callable[[int, int], Pixels]
    masks: Callable[[int, int], Masks] | None
    known: dict[str, NDArray[Any]]
    left_out: int = 0


@dataclass(frozen=True)
class Reader:
    """How files are read.

    Attributes:
        label: of the generator, for messages.
        shape: ``(channels, h, w)`` that every image shall have.
        size: to which images are resized, or None.
        axis: which way the slices of a volume lie.
        values: what becomes 0 and 1 in DICOM and NIfTI, or None.
    """

    label: str
    shape: tuple[int, ...]
    size: int | None = None
    axis: str = "axial"
    values: Range | None = None

    @contextmanager
    def open(self, path: Path, mask: Path | None = None) -> Iterator[Stack]:
        """The images of ``path`` with the masks of ``mask``, a file of as many.

        Raises:
            BadInputError: naming the file and what is wrong with it; also while images are read.
        """
        ending = path.suffix.lower()
        with ExitStack() as files:
            if ending == ".npz":
                stack = self._archive(path, files)
            elif ending == ".npy":
                stack = self._array(path)
            elif ending not in SUFFIXES and is_scan(path):
                stack = self._scan(path, mask)
            else:
                image = partial(read_picture, path, self.label, channels=self.shape[0], size=self.size)
                stack = Stack(1, lambda _start, _stop: self.checked(image()[None], path.name), None, {})
            if mask is not None and ending == ".npz" and stack.masks is not None:
                raise BadInputError(
                    f"{self.label}: the masks of {path.name} are in it and in {mask.name}\nkeep those of one of the two"
                )
            if mask is not None and stack.masks is None:
                stack = replace(stack, masks=self._masks(mask, stack.count, path.name))
            yield stack

    def checked(self, images: Pixels, file: str) -> Pixels:
        """``images``, ``(k, channels, h, w)``, if they have the shape."""
        if images.shape[1:] != self.shape:
            raise BadInputError(
                f"{self.label}: {file} is {_says(images.shape[1:])}, the cohort's images are {_says(self.shape)}\n"
                "set the generator's option size, or the cohort's; all must be grey or all colour"
            )
        return images

    def _resized(self, images: Pixels) -> Pixels:
        return images if self.size is None else np.stack([resized(image, self.size) for image in images])

    def _masks(self, path: Path, count: int, of: str) -> Callable[[int, int], Masks]:
        """The masks in a file of their own: one of any format, or a stack in npy or NIfTI."""
        if is_nifti(path):
            stored: NDArray[Any] = read_scan_mask(path, self.label, axis=self.axis)
        elif path.suffix.lower() == ".npy" and count > 1:
            stored = self._mapped(path)
        else:
            stored = read_mask(path, self.label)[None]
        if len(stored) != count:
            raise BadInputError(
                f"{self.label}: the mask {path.name} is of {len(stored)} images, {of} has {count}\n"
                "a mask file holds as many masks as its image file has images"
            )
        return self._classes(lambda start, stop: stored[start:stop], path.name)

    def _classes(self, rows: Rows, file: str) -> Callable[[int, int], Masks]:
        def read(start: int, stop: int) -> Masks:
            block = rows(start, stop)
            if block.ndim == 4 and 1 in {block.shape[1], block.shape[-1]}:
                block = block.reshape(len(block), *(n for n in block.shape[1:] if n != 1))
            right = block.ndim == 3 and block.dtype.kind in "bui" and block.min() >= 0 and block.max() <= 255
            masks = np.stack([resized_mask(m.astype(np.uint8), self.size) for m in block]) if right else block
            if not right or masks.shape[1:] != self.shape[1:]:
                raise BadInputError(
                    f"{self.label}: the mask {file} is an array {block.shape[1:]} of {block.dtype}\n"
                    f"store class numbers from 0 (background) to 255, {_says(self.shape[1:])} as the images"
                )
            return masks

        return read

    def _array(self, path: Path) -> Stack:
        """A npy file: one image or a stack of them, mapped, not read."""
        array = self._mapped(path)
        count, rows = self._arranged(array.shape, lambda start, stop: array[start:stop], array.dtype, path.name)
        return Stack(count, rows, None, {})

    def _mapped(self, path: Path) -> NDArray[Any]:
        try:
            return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        except BROKEN as error:
            raise unreadable(error, self.label, path.name) from error

    def _arranged(
        self, shape: tuple[int, ...], rows: Rows, kind: np.dtype[Any], file: str
    ) -> tuple[int, Callable[[int, int], Pixels]]:
        """How many images an array of ``shape`` holds, and how to read some; ``rows`` reads along its first axis."""
        channels = self.shape[0]
        one = len(shape) == 2 or (len(shape) == 3 and channels in {shape[0], shape[-1]})
        inner = shape if one else shape[1:]
        first = len(inner) == 3 and inner[0] == channels
        last = len(inner) == 3 and inner[-1] == channels and not (first and inner[1:] == self.shape[1:])
        if not (first or last or (len(inner) == 2 and channels == 1)) or kind.kind not in "buif":
            grey = ", (n, height, width)" if channels == 1 else ""
            raise BadInputError(
                f"{self.label}: {file} is an array {shape} of {kind}\n"
                f"store numbers of shape (n, {channels}, height, width), (n, height, width, {channels}){grey}, or one"
            )
        if not all(shape):
            raise BadInputError(f"{self.label}: {file} has no pixels (shape {shape})\nremove or replace it")

        def read(start: int, stop: int) -> Pixels:
            block = rows(0, shape[0])[None] if one else rows(start, stop)
            block = np.moveaxis(block, -1, 1) if last else block if first else block[:, None]
            for k, image in enumerate(block):
                require_content(image, self.label, file if one else f"{file}, image {start + k},")
            return self.checked(self._resized(by_type(block, self.label, file)), file)

        return 1 if one else shape[0], read

    def _scan(self, path: Path, mask: Path | None) -> Stack:
        """A DICOM or NIfTI file; slices that show nothing, as at both ends of a volume, are no images."""
        images = recoloured(read_scan(path, self.label, axis=self.axis, values=self.values), self.shape[0])
        shown = np.flatnonzero(np.ptp(images.reshape(len(images), -1), axis=1) > 0)
        masks = None if mask is None else self._masks(mask, len(images), path.name)
        one_each = shown.tolist()

        def pixels(start: int, stop: int) -> Pixels:
            return self.checked(self._resized(images[one_each[start:stop]]), path.name)

        def classes(start: int, stop: int) -> Masks:
            assert masks is not None
            return np.concatenate([masks(k, k + 1) for k in one_each[start:stop]])

        return Stack(len(shown), pixels, None if masks is None else classes, {}, len(images) - len(shown))

    def _archive(self, path: Path, files: ExitStack) -> Stack:
        """A npz archive: its arrays in their order, each one image or a stack, beside what is known of each image."""
        try:
            archive = files.enter_context(zipfile.ZipFile(path))
            parts = {
                name.removesuffix(".npy"): _Member(archive, name, path.name, self.label) for name in archive.namelist()
            }
        except BROKEN as error:
            raise unreadable(error, self.label, path.name) from error
        images, known = [], {}
        for name, part in parts.items():
            files.callback(part.close)
            if name in KNOWN:
                known[KNOWN[name]] = part
            else:
                images.append(self._arranged(part.shape, part.rows, part.kind, f"{path.name}[{name}]"))
        count = sum(n for n, _ in images)
        if not count:
            raise BadInputError(
                f"{self.label}: {path.name} holds no images\nstore an array of images in it, or remove it"
            )
        for name, part in known.items():
            if part.shape[:1] != (count,) or (name != "mask" and len(part.shape) > 1 and part.shape != (count, 1)):
                raise BadInputError(
                    f"{self.label}: {path.name}[{name}] is of shape {part.shape}, there are {count} images\n"
                    "store one value for each image, in the images' order"
                )
        masks = known.pop("mask", None)

        def pixels(start: int, stop: int) -> Pixels:
            found, before = [], 0
            for n, read in images:
                low, high = max(start - before, 0), min(stop - before, n)
                if low < high:
                    found.append(read(low, high))
                before += n
            return np.concatenate(found)

        return Stack(
            count,
            pixels,
            None if masks is None else self._classes(masks.rows, f"{path.name}[mask]"),
            {name: part.rows(0, count).reshape(count) for name, part in known.items()},
        )


class _Member:
    """An array in a zip archive, compressed or not, of which rows are read one after another."""

    def __init__(self, archive: zipfile.ZipFile, name: str, file: str, label: str) -> None:
        self.file, self.label = f"{file}[{name.removesuffix('.npy')}]", label
        self.stream: IO[bytes] = archive.open(name)
        version = npy.read_magic(self.stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        self.shape, self.fortran, self.kind = read(self.stream)
        self.start = self.stream.tell()
        if self.kind.hasobject:
            raise BadInputError(
                f"{label}: {self.file} holds Python objects, which are not loaded\nstore numbers, or texts as <U"
            )

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Rows ``start`` to ``stop``."""
        each = self.kind.itemsize * int(np.prod(self.shape[1:]))
        whole = self.fortran and len(self.shape) > 1  # its rows lie apart: all of it must be read
        first, last = (0, self.shape[0]) if whole else (start, stop)
        try:
            self.stream.seek(self.start + first * each)
            content = self.stream.read((last - first) * each)
            array = np.frombuffer(content, self.kind, (last - first) * int(np.prod(self.shape[1:])))
        except BROKEN as error:
            raise unreadable(error, self.label, self.file) from error
        if whole:
            return array.reshape(self.shape, order="F")[start:stop]
        return array.reshape(last - first, *self.shape[1:])

    def close(self) -> None:
        """Close the stream."""
        self.stream.close()


def _says(shape: tuple[int, ...]) -> str:
    """``32x32``, or with 3 channels ``32x32 with 3 channels``."""
    size = "x".join(map(str, shape[-2:]))
    return size if len(shape) == 2 or shape[0] == 1 else f"{size} with {shape[0]} channels"
