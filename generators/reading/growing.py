"""An array on disk that grows row by row, never lies whole in memory, and goes on where a killed process left it."""

import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray


class GrowingArray:
    """A .npy file under construction, ``<name>.part`` beside ``path`` until it is finished.

    NumPy leaves room in a header for the number of rows to grow, so the header is written first for none and once more
    in the end.

    Args:
        path: where the finished array shall be.
        shape: of one row.
        kind: of its numbers.
        rows: how many rows an earlier process has written for sure; what lies behind them is cut off.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], kind: type[np.generic], rows: int = 0) -> None:
        self.path = path
        self.part = path.with_name(f"{path.name}.part")
        self.shape, self.kind = shape, np.dtype(kind)
        self.rows = rows
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.part.open("r+b" if rows else "w+b")
        self._header()
        self.file.truncate(self.file.tell() + rows * self.kind.itemsize * int(np.prod(shape)))
        self.file.seek(0, os.SEEK_END)

    def append(self, block: NDArray[Any]) -> None:
        """Add the rows of ``block``."""
        self.file.write(np.ascontiguousarray(block, self.kind).data)
        self.rows += len(block)

    def flush(self) -> None:
        """See that what was appended is on disk."""
        self.file.flush()
        os.fsync(self.file.fileno())

    def finish(self) -> None:
        """Complete the file and give it its name."""
        self.file.seek(0)
        self._header()
        self.flush()
        self.part.replace(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()

    def _header(self) -> None:
        about = {"descr": npy.dtype_to_descr(self.kind), "fortran_order": False, "shape": (self.rows, *self.shape)}
        npy.write_array_header_1_0(self.file, about)
