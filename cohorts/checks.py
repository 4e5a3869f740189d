"""What every real image must be before an audit may rest on it. Messages name files, never patients or pixels."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..audit.errors import BadInputError


def require_folder(path: Path, cohort: str) -> None:
    """Refuse a path that is no folder.

    Raises:
        BadInputError: if it is missing or a file.
    """
    if not path.is_dir():
        what = "is a file, not a folder" if path.exists() else "does not exist"
        raise BadInputError(f"cohort '{cohort}': path {path} {what}\ngive the folder that holds the images")


def require_content(pixels: NDArray[Any], cohort: str, file: str) -> None:
    """Refuse pixels that show nothing.

    Raises:
        BadInputError: if there are none, one is NaN or infinite, or all are the same.
    """
    if not pixels.size:
        raise BadInputError(f"cohort '{cohort}': {file} has no pixels (shape {pixels.shape})\nremove or replace it")
    bad = int(pixels.size - np.count_nonzero(np.isfinite(pixels)))
    if bad:
        raise BadInputError(
            f"cohort '{cohort}': {file} has {bad} NaN or infinite pixel{'s' * (bad > 1)}\nremove or repair it"
        )
    if pixels.min() == pixels.max():
        raise BadInputError(f"cohort '{cohort}': {file} is constant, all its pixels are equal\nremove or replace it")


def unreadable(error: Exception, cohort: str, file: str) -> BadInputError:
    """What to raise for a file that its library could not read."""
    if isinstance(error, FileNotFoundError):
        return BadInputError(f"cohort '{cohort}': {file} is listed but missing\nadd the file or drop it from the list")
    return BadInputError(
        f"cohort '{cohort}': {file} cannot be read ({type(error).__name__})\n"
        "it is truncated or of another format; replace or remove it"
    )
