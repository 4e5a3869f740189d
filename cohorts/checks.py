"""What a folder of real images must be. Messages name folders, never patients."""

from pathlib import Path

from ..audit.errors import BadInputError


def require_folder(path: Path, cohort: str) -> None:
    """Refuse a path that is no folder.

    Raises:
        BadInputError: if it is missing or a file.
    """
    if not path.is_dir():
        what = "is a file, not a folder" if path.exists() else "does not exist"
        raise BadInputError(f"cohort '{cohort}': path {path} {what}\ngive the folder that holds the images")
