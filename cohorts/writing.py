"""Images of one part of a split, written to disk as they come, so that a part never sits in memory."""

from collections.abc import Sequence
from io import BufferedWriter
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray

from ..audit.types import ImageSet, Masks, Pixels


class ArrayFile:
    """An .npy file of known shape that is appended to row by row.

    Writing through a memory map instead would count every written page as this process's memory.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self.path, self.shape, self.dtype, self.rows = path, shape, np.dtype(dtype), 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file: BufferedWriter = path.open("wb")
        npy.write_array_header_1_0(
            self.file, {"descr": npy.dtype_to_descr(self.dtype), "fortran_order": False, "shape": shape}
        )

    def add(self, rows: NDArray[np.generic]) -> None:
        """Append ``rows`` ``(k, ...)``."""
        assert rows.shape[1:] == self.shape[1:], f"rows are {rows.shape[1:]}, the file's {self.shape[1:]}"
        self.file.write(np.ascontiguousarray(rows, self.dtype).tobytes())
        self.rows += len(rows)

    def close(self) -> NDArray[np.generic]:
        """The finished array as a read-only memory map."""
        self.file.close()
        assert self.rows == self.shape[0], f"{self.rows} rows written of {self.shape[0]}"
        array: NDArray[np.generic] = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return array


class PartWriter:
    """Collects one part of a split: pixels and masks go to ``<part>.npy`` and ``<part>-mask.npy``.

    Args:
        folder: where the files are written.
        part: the part's name.
        shape: ``(n, channels, *spatial)`` of its images.
        masked: whether each image has a mask.
    """

    def __init__(self, folder: Path, part: str, shape: tuple[int, ...], *, masked: bool) -> None:
        self.pixels = ArrayFile(folder / f"{part}.npy", shape, np.float32)
        self.mask = ArrayFile(folder / f"{part}-mask.npy", (shape[0], *shape[2:]), np.uint8) if masked else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pixels.file.close()
        if self.mask is not None:
            self.mask.file.close()

    def add(self, pixels: Pixels, mask: Masks | None = None) -> None:
        """Write the next images ``(k, channels, *spatial)`` in [0, 1] and their masks ``(k, *spatial)``."""
        self.pixels.add(pixels)
        if self.mask is not None:
            assert mask is not None
            self.mask.add(mask)

    def finish(
        self,
        patient: Sequence[str],
        label: Sequence[int] | None = None,
        center: Sequence[str] | None = None,
        visit: Sequence[int] | None = None,
    ) -> ImageSet:
        """The finished part, its pixels and masks memory-mapped."""
        pixels, mask = self.pixels.close(), None if self.mask is None else self.mask.close()
        return ImageSet(
            pixels=pixels,  # type: ignore[arg-type]
            patient=np.array(patient, dtype=np.str_),
            label=None if label is None else np.array(label, dtype=np.int64),
            mask=mask,  # type: ignore[arg-type]
            center=None if center is None else np.array(center, dtype=np.str_),
            visit=None if visit is None else np.array(visit, dtype=np.int64),
        )
