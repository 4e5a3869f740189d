"""What a call leaves on disk: files outside its folder, pickles inside it."""

import contextlib
import os
import pickletools
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PICKLE_SUFFIXES = {".pkl", ".pickle", ".p", ".pt", ".pth", ".ckpt", ".joblib", ".dill", ".cloudpickle"}
SHORTEST_PICKLE = 4
_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

# Audit hooks cannot be taken away again, so there is one for the process, asleep unless somebody watches.
_watched: list[list[Path]] = []


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if not _watched:
        return
    places: tuple[object, ...] = ()
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITE:
        places = arguments[:1]
    elif event in {"os.mkdir", "os.symlink", "os.link", "os.rename"}:
        places = arguments[1:2] if event != "os.mkdir" else arguments[:1]
    for place in places:
        if isinstance(place, str | bytes | os.PathLike):
            _watched[-1].append(Path(os.path.abspath(os.fsdecode(place))))  # noqa: PTH100 a hook must not touch the disk


_hooked: list[bool] = []


@contextmanager
def written_outside(folder: Path, *, stay: bool = False) -> Iterator[list[Path]]:
    """Inside, note what is written elsewhere than in ``folder``; the list is complete on leaving.

    What Python opens is seen wherever it lies, what a compiled library opens where it lies in the working directory,
    which is an empty folder meanwhile unless it has to ``stay``. Compiled Python files and devices do not count.
    """
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked.append(True)
    seen: list[Path] = []
    outside: list[Path] = []
    home = folder.resolve()
    with tempfile.TemporaryDirectory() as empty, contextlib.chdir(Path.cwd() if stay else empty):
        _watched.append(seen)
        try:
            yield outside
        finally:
            _watched.remove(seen)
        seen.extend(p for p in Path(empty).rglob("*") if p not in seen)
    for path in seen:
        ours = path.is_relative_to(home) or path.is_relative_to(folder) or "__pycache__" in path.parts
        if not ours and path.parts[1:2] != ("dev",) and path not in outside:
            outside.append(path)


def pickles_in(folder: Path) -> list[str]:
    """Files under ``folder`` that hold a pickle, by name or by content. Nothing is unpickled to find out."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return [str(p.relative_to(folder)) for p in files if p.suffix.lower() in PICKLE_SUFFIXES or _holds_pickle(p)]


def _holds_pickle(path: Path) -> bool:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            return any(Path(n).suffix.lower() in PICKLE_SUFFIXES or _parses(archive.read(n)) for n in names)
    content = path.read_bytes()
    return _parses(content)


def _parses(content: bytes) -> bool:
    if content.startswith(b"\x93NUMPY"):
        return b"'descr': '|O'" in content[:256] or b"'O'" in content[:256]
    if len(content) < SHORTEST_PICKLE:
        return False
    try:
        stop = [position for opcode, _, position in pickletools.genops(content) if opcode.name == "STOP"]
    except (ValueError, IndexError, KeyError, UnicodeDecodeError):
        return False
    # A torch file of old is several pickles and then raw storage: the first one ending is enough.
    return bool(stop) and (content[:1] == b"\x80" or stop[0] == len(content) - 1)
