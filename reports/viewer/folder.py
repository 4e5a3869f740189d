"""What stands in the folder of runs right now, found cheaply and without following a link."""

import hashlib
import os
import stat
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...audit.runs import DEPTH, RECORD, SPEC

LARGEST = 64 * 2**20
"""Bytes: what is larger is no record."""

LOCK, LOCKS = ".lock", Path("/proc/locks")

Mark = tuple[int, int, int]
"""Time, size and number of a file: another one means that it was written anew."""


@dataclass(frozen=True, slots=True)
class Found:
    """A run folder.

    Attributes:
        name: its path below the folder of runs, with slashes; "." is that folder itself.
        folder: its path.
        mark: of its record; None where there is none yet.
        busy: an audit is writing to it now.
    """

    name: str
    folder: str
    mark: Mark | None
    busy: bool = False

    @property
    def key(self) -> str:
        """What addresses call it: it tells nothing of the path, and no path is ever made of it."""
        return hashlib.sha256(os.fsencode(self.name)).hexdigest()[:16]

    @property
    def label(self) -> str:
        """The name as it can be shown: a file system's need not be text."""
        return os.fsencode(self.name).decode("utf-8", errors="replace")

    @property
    def path(self) -> Path:
        """The run folder."""
        return Path(self.folder)

    @property
    def record(self) -> Path:
        """Its record."""
        return self.path / RECORD


def find(root: Path, known: Container[str] = ()) -> Iterator[Found]:
    """Every run at or below ``root``, finished or begun, up to three levels deep.

    Args:
        root: where to look.
        known: names of runs that had a record; their folders are not listed again, which is most of the work.
    """
    yield from _at(str(root), "", DEPTH, known)


def _at(folder: str, name: str, depth: int, known: Container[str]) -> Iterator[Found]:
    if name in known and (mark := _mark(folder)):
        yield Found(name, folder, mark)
        return
    try:
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
    except OSError:  # removed meanwhile, or somebody else's
        return
    files = {entry.name for entry in inside if entry.is_file(follow_symlinks=False)}
    if RECORD in files or SPEC in files:
        mark = _mark(folder)
        yield Found(name or ".", folder, mark, mark is None and _busy(folder))
        return
    if depth:
        for entry in inside:
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                yield from _at(entry.path, f"{name}/{entry.name}" if name else entry.name, depth - 1, known)


def _mark(folder: str) -> Mark | None:
    try:
        found = os.lstat(f"{folder}{os.sep}{RECORD}")
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def _busy(folder: str) -> bool:
    """Whether an audit holds the folder's lock, as far as the system tells: trying to take it would get in its way."""
    try:
        lock = os.lstat(f"{folder}{os.sep}{LOCK}")
        held = LOCKS.read_text(encoding="ascii")
    except OSError:
        return False
    return f" {os.major(lock.st_dev):02x}:{os.minor(lock.st_dev):02x}:{lock.st_ino} " in held


def content(file: Path) -> bytes:
    """A file's content, if it is a plain file of a sensible size.

    Raises:
        OSError: if it is a link, a pipe, too large, or cannot be read.
    """
    with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:  # noqa: PTH123 -- a number
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{file.name} is not a plain file")
        if found.st_size > LARGEST:
            raise OSError(f"{file.name} is larger than {LARGEST >> 20} MB")
        return stream.read()
