"""The images that a run's page may show: synthetic ones, from files that are what they seem."""

import json
from pathlib import Path, PurePath

from ...audit.outputs import load_gallery
from ...audit.record import AuditRecord
from ...audit.types import ImageSet
from .folder import content

GALLERY = "gallery"


def gallery_of(folder: Path, record: AuditRecord) -> ImageSet | None:
    """The gallery of a run, if it may be shown.

    None where the generator releases real images, and where what lies there is not what an audit writes: a folder with
    an index that names plain files beside it.
    """
    inside = folder / GALLERY
    if record.releases_real or not inside.is_dir() or inside.is_symlink():
        return None
    try:
        index = json.loads(content(inside / f"{GALLERY}.json"))
        plain = isinstance(index, dict) and all(_plain(inside, name) for name in index.values())
        return load_gallery(folder) if plain else None
    except (
        OSError,
        ValueError,
        TypeError,
        EOFError,
        RecursionError,
    ):  # half written, or no gallery: the report stands without
        return None


def _plain(folder: Path, name: object) -> bool:
    if not isinstance(name, str) or "\0" in name or PurePath(name).name != name:
        return False
    file = folder / name
    return file.is_file() and not file.is_symlink()
