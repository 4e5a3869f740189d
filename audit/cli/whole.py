"""A file written whole, or one line that says why not."""

from collections.abc import Iterable
from pathlib import Path

from ..errors import BadInputError
from ..runs import RECORD
from ..whole import write_text_whole


def write_or_say(path: Path, text: str, keep: Iterable[Path] = ()) -> None:
    """Write ``text`` to ``path``.

    Args:
        path: of the file.
        text: that it shall hold.
        keep: files that it was made from, and folders of runs: none is overwritten.

    Raises:
        BadInputError: if the place cannot be written to, or holds what the text was made from.
    """
    for kept in keep:
        file = kept / RECORD if kept.is_dir() else kept
        if file.exists() and path.exists() and file.samefile(path):
            raise BadInputError(f"'{path}' is what is read and would be overwritten\nchoose another file with --out")
    try:
        write_text_whole(path, text)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise BadInputError(f"'{path}' cannot be written: {why}\nchoose another file with --out") from None
