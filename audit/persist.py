"""Image sets and splits on disk: one .npy a field and a JSON index; nothing is pickled, pixels are memory-mapped."""

import hashlib
import json
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .record import Fingerprint
from .types import ImageSet, Split
from .whole import write_text_whole, write_whole

BLOCK = 256


def save_images(images: ImageSet, folder: Path, name: str) -> None:
    """Write ``images`` under ``folder``; an array already mapped from there stays where it is."""
    folder.mkdir(parents=True, exist_ok=True)
    index: dict[str, str] = {}
    for field in fields(ImageSet):
        value = getattr(images, field.name)
        if value is None:
            continue
        index[field.name] = _own_file(value, folder) or f"{name}.{field.name}.npy"
        if isinstance(value, np.memmap) and _own_file(value, folder):
            value.flush()
            continue
        with write_whole(folder / index[field.name]) as temporary, temporary.open("wb") as file:
            np.save(file, np.asarray(value), allow_pickle=False)
    write_text_whole(folder / f"{name}.json", json.dumps(index, indent=1))


def load_images(folder: Path, name: str) -> ImageSet:
    """What ``save_images`` wrote; pixels and masks are read-only memory maps."""
    index = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return ImageSet(
        **{
            field: np.load(folder / file, mmap_mode="r" if field in {"pixels", "mask"} else None, allow_pickle=False)
            for field, file in index.items()
        }
    )


def save_split(split: Split, folder: Path) -> None:
    """Write every part of ``split`` and its fingerprints under ``folder``."""
    for part, images in split.parts():
        save_images(images, folder, part)
    marks = [fingerprint(part, images).model_dump() for part, images in split.parts()]
    write_text_whole(folder / "split.json", json.dumps(marks, indent=1))


def load_split(folder: Path) -> tuple[Split, tuple[Fingerprint, ...]]:
    """What ``save_split`` wrote."""
    marks = tuple(Fingerprint(**mark) for mark in json.loads((folder / "split.json").read_text(encoding="utf-8")))
    return Split(**{mark.part: load_images(folder, mark.part) for mark in marks}), marks


def fingerprint(part: str, images: ImageSet) -> Fingerprint:
    """What identifies a set of images without showing any."""
    digest = hashlib.sha256()
    for field in fields(ImageSet):
        value = getattr(images, field.name)
        if value is None:
            continue
        digest.update(f"{field.name} {value.dtype} {value.shape}".encode())
        for start in range(0, len(value), BLOCK):
            digest.update(np.ascontiguousarray(value[start : start + BLOCK]).tobytes())
    return Fingerprint(
        part=part,
        images=len(images),
        patients=len(images.patients),
        shape=images.pixels.shape[1:],
        centers=0 if images.center is None else len(np.unique(images.center)),
        sha256=digest.hexdigest(),
    )


def _own_file(value: NDArray[np.generic], folder: Path) -> str | None:
    """The name of the .npy under ``folder`` that ``value`` maps from its start, if it does."""
    if not isinstance(value, np.memmap) or value.filename is None:
        return None
    path = Path(value.filename)
    if path.parent.resolve() != folder.resolve() or path.suffix != ".npy":
        return None
    whole = np.load(path, mmap_mode="r", allow_pickle=False)
    return path.name if whole.shape == value.shape and whole.dtype == value.dtype else None
