"""A file written whole, or one line that says why not."""

from pathlib import Path

from ..errors import BadInputError
from ..whole import write_text_whole


def write_or_say(path: Path, text: str) -> None:
    """Write ``text`` to ``path``.

    Raises:
        BadInputError: if the place cannot be written to.
    """
    try:
        write_text_whole(path, text)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise BadInputError(f"'{path}' cannot be written: {why}\nchoose another file with --out") from None
