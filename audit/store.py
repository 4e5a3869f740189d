"""A content-addressed store: every stage stands under a hash of all it depends on, whole or not at all."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from filelock import FileLock, Timeout
from platformdirs import user_cache_path
from pydantic import BaseModel

from .context import Progress
from .errors import BadInputError
from .whole import write_text_whole

DONE: Final = "stage.json"

Progressed = Literal["open", "underway", "done"]
"""How far a stage is: nobody works at it, some process does, or it stands there complete."""


def default_store() -> Path:
    """``$PRIVBENCH_STORE``, or ``privbench`` in the user's cache folder."""
    return Path(os.environ.get("PRIVBENCH_STORE") or user_cache_path("privbench"))


class Store:
    """Finished stages under one folder.

    A stage is computed in ``<kind>/<key>.partial``; when it is complete and on disk the folder is renamed. A killed
    run leaves a partial folder, which the next run takes up; two runs never compute one stage at once.
    """

    def __init__(self, root: Path, progress: Progress) -> None:
        self.root = root
        self.progress = progress

    def stage(
        self, kind: str, inputs: dict[str, object], compute: Callable[[Path], None], *, helper: bool = False
    ) -> Path:
        """The folder of the stage that ``inputs`` determine, computed now if it is not there.

        Args:
            kind: what the stage is, e.g. ``samples``.
            inputs: everything the result depends on; JSON values.
            compute: fills the folder it is given; may find there what a killed run left.
            helper: only take part in ``compute``, at the same time as the process that has the stage; what is returned
                need not be there yet.

        Raises:
            BadInputError: if the store cannot be written (read-only, full).
        """
        final = self.root / kind / self.key(inputs)
        if (final / DONE).is_file():
            return final
        partial = final.with_suffix(".partial")
        try:
            partial.mkdir(parents=True, exist_ok=True)
            if helper:
                compute(partial)
                return final
            with self._locked(final):
                if not (final / DONE).is_file():
                    partial.mkdir(exist_ok=True)
                    compute(partial)
                    write_text_whole(partial / DONE, json.dumps({"kind": kind, "inputs": inputs}, indent=1))
                    _flush(partial)
                    if final.exists():
                        shutil.rmtree(final)
                    partial.replace(final)
                    _flush_folder(final.parent)
        except OSError as error:
            clear = unwritable("store", self.root, error)
            if clear is None:
                raise
            raise clear from error
        return final

    def progressed(self, kind: str, inputs: dict[str, object]) -> Progressed:
        """How far the stage is at this moment; another process may begin or end it at the next."""
        final = self.root / kind / self.key(inputs)
        if (final / DONE).is_file():
            return "done"
        lock = FileLock(final.with_suffix(".lock"))
        if not final.parent.is_dir():
            return "open"
        try:
            with lock.acquire(timeout=0):
                return "open"
        except Timeout:
            return "underway"

    @staticmethod
    def key(inputs: dict[str, object]) -> str:
        """32 hexadecimal digits that any change of ``inputs`` changes."""
        canonical = json.dumps(inputs, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:32]

    @contextmanager
    def _locked(self, final: Path) -> Iterator[None]:
        lock = FileLock(final.with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self.progress.message(f"waiting for another run that is computing the same {final.parent.name}")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()


def unwritable(what: str, path: Path, error: OSError) -> BadInputError | None:
    """A clear error where ``error`` says that ``path`` cannot be written, else None."""
    reasons = {errno.EROFS: "read-only", errno.EACCES: "not writable", errno.EPERM: "not writable"}
    reasons |= {errno.ENOSPC: "on a full disk", errno.EDQUOT: "over its quota", errno.ENOTDIR: "not a folder"}
    reasons |= {errno.EEXIST: "a file, not a folder"}
    elsewhere = isinstance(error.filename, str) and not Path(error.filename).absolute().is_relative_to(path.absolute())
    if error.errno not in reasons or elsewhere:
        return None
    flag = "--out" if what == "output" else "--store"
    return BadInputError(f"{what} folder '{path}' is {reasons[error.errno]}\nchoose another with {flag}, or make room")


def content_hash(path: Path) -> str:
    """A hash of a file's bytes, or of all files under a folder with their relative names.

    Raises:
        BadInputError: if a file cannot be read.
    """
    digest = hashlib.sha256()
    for file in _files(path) if path.is_dir() else [path]:
        try:
            with file.open("rb") as stream:
                part = hashlib.file_digest(stream, "sha256").digest()
        except OSError as error:
            raise BadInputError(f"'{file}' cannot be read: {error.strerror}") from None
        digest.update(str(file.relative_to(path)).encode() + b"\0" + part)
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """All files under ``folder`` in an order that only their names decide; one folder's names at a time in memory."""
    for root, inner, names in os.walk(folder):
        inner.sort()
        yield from (path for name in sorted(names) if (path := Path(root, name)).is_file())


def with_contents(options: BaseModel) -> dict[str, object]:
    """Options as key material: every existing path is replaced by a hash of what lies there."""
    values: dict[str, object] = options.model_dump(mode="json")
    for name in type(options).model_fields:
        value = getattr(options, name)
        if isinstance(value, Path) and value.exists():
            values[name] = {"content": content_hash(value)}
    return values


def _flush(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    _flush_folder(folder)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
