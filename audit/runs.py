"""Finished runs on disk: reading them needs nothing of what computed them, not even numpy."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from .errors import BadInputError
from .record import SCHEMA_VERSION, AuditRecord

RECORD, SPEC = "record.json", "spec.json"
DEPTH = 3
"""How far below a folder its runs are looked for."""


def load_record(path: Path) -> AuditRecord:
    """The record of a run folder, or a record file itself.

    Raises:
        BadInputError: if there is none, if it is not whole, or if a newer privbench wrote it.
    """
    file = path / RECORD if path.is_dir() else path
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise BadInputError(f"'{path}' holds no {RECORD}\ngive a folder that privbench run has written") from None
    return parse_record(text, str(file))


def parse_record(text: str, file: str) -> AuditRecord:
    """The record that ``text`` holds; ``file`` is what errors call it.

    Raises:
        BadInputError: if it is not whole, if a newer privbench wrote it, or if it is no record.
    """
    try:
        return AuditRecord.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        why = ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise BadInputError(
            f"'{file}' is not a record of privbench: it is truncated or not JSON\nrun the audit again, or restore it"
        ) from None
    version = content.get("schema_version") if isinstance(content, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise BadInputError(
            f"'{file}' has schema version {version}, this privbench reads up to {SCHEMA_VERSION}\n"
            "update privbench, or write the record again with this version"
        )
    raise BadInputError(f"'{file}' is not a record of privbench: {why}\nrun the audit again, or restore it")


def find_runs(folder: Path) -> Iterator[Path]:
    """Every run folder at or below ``folder``, up to three levels deep, in order of name; a link is not followed."""
    yield from _below(folder, DEPTH)


def _below(folder: Path, depth: int) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        inside = sorted(entries, key=lambda entry: entry.name)
    if any(entry.name == RECORD and entry.is_file(follow_symlinks=False) for entry in inside):
        yield folder
        return
    if depth:
        for entry in inside:
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                yield from _below(Path(entry.path), depth - 1)
