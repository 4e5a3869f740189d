"""Released images beside the training images that they come closest to: for the owner of the data alone."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from .errors import BadInputError
from .making import ALL_MEMBERS
from .outputs import SAMPLES_MARK, on_grid
from .persist import load_images, load_split
from .record import AuditRecord, Finding
from .runs import load_record
from .store import DONE, default_store
from .types import ImageSet, Index, Pixels

MOST = 12
_KEY = re.compile(r"[0-9a-f]{32}")
_AGAIN = "run the audit again with the same store, then report again"


@dataclass(frozen=True, eq=False, slots=True)
class RealPairs:
    """The released images that are closest to a member, beside that member's image. No names, centres or classes.

    Attributes:
        released: k released images, the most suspicious first.
        real: ``(k)`` the training image that each comes closest to.
        distance: of each to that patient, as the attack measured it.
        control: of each to the closest patient that the generator never met.
        spaces: in which space each was measured.
    """

    released: ImageSet
    real: ImageSet
    distance: tuple[float, ...]
    control: tuple[float, ...]
    spaces: tuple[str, ...]


def real_pairs(run: Path, *, store: Path | None = None) -> RealPairs:
    """The twelve pairs of a finished run that are closest, against the distance to patients who are no members.

    Everything is read from the run folder and the store; nothing is computed again.

    Args:
        run: the run folder.
        store: where the run's cohort stands; by default ``$PRIVBENCH_STORE`` or the user's cache folder.

    Raises:
        BadInputError: if no attack left distances, if the store no longer holds cohort or samples, or if either is not
            what the run was made from.
    """
    record = load_record(run)
    rows = _closest(run, record)
    root = store or default_store()
    members = _members(root, record, run)
    samples = _samples(root, run)
    chosen = np.array([row.image for row in rows])
    if chosen.max(initial=-1) >= len(samples):
        raise BadInputError(f"the distances in '{run / 'confidential'}' are of another release\n{_AGAIN}")
    for i in chosen.tolist():
        _unchanged(run / "samples" / "images" / f"{i:06d}.png", samples.take(slice(i, i + 1)))
    real = [_nearest_of(members, row, samples.pixels[row.image], run) for row in rows]
    return RealPairs(
        released=_bare(samples, chosen),
        real=_bare(members, np.array(real)),
        distance=tuple(row.distance for row in rows),
        control=tuple(row.control for row in rows),
        spaces=tuple(row.space for row in rows),
    )


def _members(root: Path, record: AuditRecord, run: Path) -> ImageSet:
    """The members of the run's cohort, which its fingerprints identify whatever version of privbench stored it."""
    asked = {mark.part: mark.sha256 for mark in record.data}
    if ALL_MEMBERS in asked:  # a generator trained on some of them
        asked["members"] = asked.pop(ALL_MEMBERS)
    # Up to version 4 a record named the members that were trained on, not all of whom these may be a part.
    before = {"members": ""} if record.schema_version < 5 else {}
    for done in sorted((root / "cohort").glob(f"*/{DONE}")):
        split, marks = load_split(done.parent)
        found = {mark.part: mark.sha256 for mark in marks}
        if found == asked or (before and found | before == asked | before):
            return split.members
    raise BadInputError(f"store '{root}' does not hold the cohort of '{run}', or no longer\n{_AGAIN}")


def _samples(root: Path, run: Path) -> ImageSet:
    """The released images as they stand in the store."""
    mark = run / "samples" / SAMPLES_MARK
    key = mark.read_text(encoding="utf-8").strip() if mark.is_file() else ""
    if not _KEY.fullmatch(key):
        raise BadInputError(f"'{run}' does not hold the released images of a finished run\n{_AGAIN}")
    folder = root / "samples" / key
    if not (folder / DONE).is_file():
        raise BadInputError(f"store '{root}' does not hold the released images of '{run}', or no longer\n{_AGAIN}")
    return load_images(folder, "samples")


@dataclass(frozen=True, slots=True)
class _Row:
    """A released image and the member it is closest to, in the space where that is most striking."""

    image: int
    space: str
    patient: str
    distance: float
    control: float


def _closest(run: Path, record: AuditRecord) -> list[_Row]:
    """The most striking rows of all attacks that left distances, one an image."""
    attacks = [f for f in record.findings if f.family == "memorization" and f.kind == "attack"]
    best: dict[int, _Row] = {}
    for attack in attacks:
        for row in _rows(run, attack):
            known = best.get(row.image)
            if known is None or _striking(row) < _striking(known):
                best[row.image] = row
    if not best:
        raise BadInputError(
            f"'{run}' holds no distances to training images\nrun it with --attack nearest; its confidential folder "
            "must be there"
        )
    return sorted(best.values(), key=_striking)[:MOST]


def _striking(row: _Row) -> float:
    return row.distance / row.control if row.control > 0 else row.distance


def _rows(run: Path, attack: Finding) -> list[_Row]:
    file = run / "confidential" / f"{attack.plugin}.csv"
    if not file.is_file():
        return []
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            read = list(csv.DictReader(line for line in lines if not line.startswith("#")))
        spaces = [name.removesuffix("_member_patient") for name in read[0] if name.endswith("_member_patient")]
        return [
            _Row(int(r["image"]), s, r[f"{s}_member_patient"], float(r[f"{s}_member"]), float(r[f"{s}_holdout"]))
            for r in read
            for s in spaces
            if r[f"{s}_member_patient"]
        ]
    except (KeyError, ValueError, IndexError, TypeError):
        raise BadInputError(f"'{file}' does not hold distances as privbench writes them\n{_AGAIN}") from None


def _unchanged(file: Path, released: ImageSet) -> None:
    """Refuse a file that is not the one released image that stands in the store."""
    try:
        with Image.open(file) as image:
            stored = np.asarray(image)
    except OSError:
        raise BadInputError(f"'{file}' cannot be read\n{_AGAIN}") from None
    levels = 65535 if released.channels == 1 else 255
    expected = np.rint(np.asarray(on_grid(released).pixels[0]) * levels)
    if not np.array_equal(stored[None] if stored.ndim == 2 else np.moveaxis(stored, -1, 0), expected):
        raise BadInputError(f"'{file}' is not the image that was released: it changed\n{_AGAIN}")


def _nearest_of(members: ImageSet, row: _Row, released: Pixels, run: Path) -> int:
    """Which image of the patient is closest to the released one, pixel by pixel."""
    own = np.flatnonzero(members.patient == row.patient)
    if not len(own):
        raise BadInputError(f"the distances in '{run / 'confidential'}' are of other patients\n{_AGAIN}")
    differences = [np.square(np.asarray(members.pixels[i], np.float64) - released).mean() for i in own.tolist()]
    return int(own[int(np.argmin(differences))])


def _bare(images: ImageSet, chosen: Index) -> ImageSet:
    """Pixels alone: nothing that says who it is."""
    return ImageSet(np.asarray(images.take(chosen).pixels), np.array([str(i) for i in range(len(chosen))]))
