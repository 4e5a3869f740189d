"""A guard's certificate proved again, from the released files and the members alone."""

from pathlib import Path

import numpy as np
from PIL import Image

from .checks.guard import about_distances, about_members
from .context import Progress, Silent
from .errors import BadInputError
from .outputs import GUARD, GuardManifest, hashes
from .persist import fingerprint
from .record import Model
from .runner import settle_device
from .runs import load_record
from .spec import resolve
from .stages import Stages
from .store import Store, default_store
from .types import ImageSet, Pixels


class Proof(Model):
    """Whether a guard's certificate holds.

    Attributes:
        holds: every line below is a success.
        closest: the smallest distance of a released file to a member, or None where files or members are others.
        lines: what was checked, and with what result.
    """

    holds: bool
    closest: float | None
    lines: tuple[str, ...]


def verify(run: Path | str, *, store: Path | str | None = None, progress: Progress | None = None) -> Proof:
    """Prove the certificate of a guarded run again.

    Args:
        run: the run folder.
        store: where the cohort stands, or is made again; by default ``$PRIVBENCH_STORE`` or the user's cache folder.
        progress: where to show long work; by default nowhere.

    Raises:
        BadInputError: if the run has no guard, or its released images are not in the folder.
    """
    folder = Path(run)
    record = load_record(folder)
    if record.guard is None or record.spec.guard is None or not (folder / GUARD).is_file():
        raise BadInputError(f"'{run}' was not guarded\nrun it with --guard min-distance; nothing can be proved of it")
    try:
        manifest = GuardManifest.model_validate_json((folder / GUARD).read_text(encoding="utf-8"))
    except ValueError:
        raise BadInputError(f"'{folder / GUARD}' is not a certificate of privbench\nrun the audit again") from None
    if not manifest.files:
        raise BadInputError(
            f"'{run}' holds no released images: they are real ones and stay in the store\n"
            "only releases of synthetic images, or of simulated people, can be proved from their files"
        )
    progress = progress or Silent()
    resolved, plugins = resolve(record.spec)
    resolved = resolved.model_copy(update={"device": settle_device("cpu")})
    stages = Stages(resolved, plugins, Store(Path(store) if store else default_store(), progress), progress)
    members = stages.cohort()[0].members
    certificate = manifest.certificate
    lines, holds = [], True

    def check(met: object, success: str, failure: str) -> None:
        nonlocal holds
        holds &= bool(met)
        lines.append(success if met else f"NOT so: {failure}")

    known = about_members(certificate, fingerprint("members", members).sha256)
    check(known.met, known.kept, known.broken)
    found = hashes(folder / "samples")
    check(
        certificate == record.guard and found == manifest.files and len(found) == certificate.released,
        f"the {len(found)} released files are those that the certificate lists",
        _difference(found, manifest.files),
    )
    images = ImageSet(
        np.stack([_read(folder / "samples" / name) for name in found]), np.array(list(found), dtype=np.str_)
    )
    distances = stages.proved(images, members)
    for promise in about_distances(certificate, distances):
        check(promise.met, promise.kept, promise.broken)
    return Proof(holds=holds, closest=float(distances.min()), lines=tuple(lines))


def _difference(found: dict[str, str], listed: dict[str, str]) -> str:
    """In words, how the files differ from the listed ones."""
    changed = sum(found[name] != listed[name] for name in found.keys() & listed.keys())
    more, fewer = len(found.keys() - listed.keys()), len(listed.keys() - found.keys())
    said = [f"{changed} changed"] * (changed > 0) + [f"{more} not listed"] * (more > 0)
    said += [f"{fewer} missing"] * (fewer > 0)
    return f"of the released files {', '.join(said)}" if said else "the certificate is not the record's"


def _read(path: Path) -> Pixels:
    """``(channels, h, w)`` float32 in [0, 1] of a released PNG."""
    with Image.open(path) as image:
        stored = np.asarray(image)
    channels = stored[None] if stored.ndim == 2 else np.moveaxis(stored, -1, 0)
    return channels.astype(np.float32) / np.float32(np.iinfo(stored.dtype).max)
