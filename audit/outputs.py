"""The run folder: what an audit leaves for people. One run at a time writes to it; every file is whole."""

import csv
import hashlib
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from PIL import Image

from .errors import BadInputError
from .matrix import expand
from .persist import load_images, save_images
from .record import AuditRecord, AuditSpec, GuardCertificate, Model
from .runs import RECORD, SPEC
from .spec import read_toml
from .store import Store, unwritable
from .types import ImageSet, Pixels
from .whole import write_text_whole, write_whole

GUARD, SAMPLES_MARK = "guard.json", ".complete"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run folder that this process has to itself.

    Attributes:
        path: the folder.
    """

    path: Path

    @classmethod
    @contextmanager
    def open(cls, out: Path | str | None, spec: AuditSpec) -> Iterator["RunFolder"]:
        """The folder for ``spec``, locked and checked.

        Raises:
            BadInputError: if another run has it, if it holds another audit, or if it cannot be written.
        """
        path = run_path(out, spec)
        lock = FileLock(path / ".lock")
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout:
            raise BadInputError(
                f"another run is writing to '{path}'\nwait until it has finished, or choose another folder with --out"
            ) from None
        except OSError as error:
            raise unwritable("output", path, error) or error from error
        try:
            _claim(path, spec)
            yield cls(path)
        except OSError as error:
            raise unwritable("output", path, error) or error from error
        finally:
            lock.release()

    def write_record(self, record: AuditRecord) -> None:
        """``record.json``."""
        write_text_whole(self.path / RECORD, record.model_dump_json(indent=1))

    def write_report(self, text: str, name: str) -> None:
        """A report, e.g. ``report.html``."""
        write_text_whole(self.path / name, text)

    def write_gallery(self, gallery: ImageSet | None) -> None:
        """The images that a report may show, so that it can be written again in another format."""
        shutil.rmtree(self.path / "gallery", ignore_errors=True)
        if gallery is not None:
            save_images(gallery, self.path / "gallery", "gallery")

    def write_traceback(self, plugin: str, details: str) -> None:
        """The traceback of a crashed plugin; a file of its own, for it may hold anything."""
        path = self.path / "confidential" / f"{plugin}.traceback.txt"
        if details:
            write_text_whole(path, details)
        else:
            path.unlink(missing_ok=True)

    def write_confidential(self, name: str, text: str) -> None:
        """What only the owner of the data may see; no file where there is nothing."""
        path = self.path / "confidential" / f"{name}.csv"
        if text:
            write_text_whole(path, text)
        else:
            path.unlink(missing_ok=True)

    def copy_confidential(self, plugin: str, source: Path) -> None:
        """Per-record scores of one attack, if it left any."""
        if source.is_file():
            self.write_confidential(plugin, source.read_text(encoding="utf-8"))

    def write_guard(self, certificate: GuardCertificate | None) -> None:
        """``guard.json``: what the guard certifies, and the SHA-256 of every released file that it holds for."""
        path = self.path / GUARD
        if certificate is None:
            path.unlink(missing_ok=True)
            return
        manifest = GuardManifest(certificate=certificate, files=hashes(self.path / "samples"))
        write_text_whole(path, manifest.model_dump_json(indent=1))

    def write_samples(self, samples: ImageSet, key: str, *, shown: bool) -> None:
        """The released images as PNG with ``metadata.csv``, as the cohort and generator ``folder`` read them.

        Args:
            samples: what the generator released.
            key: of their stage; written once only.
            shown: False for real images of real people, which are not copied out of the store.
        """
        folder = self.path / "samples"
        mark = folder / SAMPLES_MARK
        if not shown or (mark.is_file() and mark.read_text(encoding="utf-8") == key):
            return
        shutil.rmtree(folder, ignore_errors=True)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        fields = [name for name in ("label", "center") if getattr(samples, name) is not None]
        writer.writerow(["file_name", *(["mask_file_name"] if samples.mask is not None else []), *fields])
        for i in range(len(samples)):
            name = f"{i:06d}.png"
            _write_png(_to_integers(samples.pixels[i]), folder / "images" / name)
            row = [f"images/{name}"]
            if samples.mask is not None:
                _write_png(samples.mask[i], folder / "masks" / name)
                row.append(f"masks/{name}")
            writer.writerow([*row, *(getattr(samples, field)[i] for field in fields)])
        write_text_whole(folder / "metadata.csv", text.getvalue())
        write_text_whole(mark, key)


class GuardManifest(Model):
    """``guard.json``: a guard's certificate, and which files it certifies.

    Attributes:
        certificate: of the guard.
        files: SHA-256 of each released image by its name under ``samples``.
    """

    certificate: GuardCertificate
    files: dict[str, str]


def hashes(samples: Path) -> dict[str, str]:
    """SHA-256 of every released image file under ``samples``, by its name there, sorted."""
    found = {}
    for file in sorted((samples / "images").glob("*")):
        with file.open("rb") as stream:
            found[f"images/{file.name}"] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def load_spec(path: Path) -> AuditSpec:
    """The spec of a run folder, finished or not, or of a TOML file.

    Raises:
        BadInputError: if there is none, if it is not one, or if the file asks for several audits.
    """
    if not path.is_dir():
        specs = expand(read_toml(path))
        if len(specs) > 1:
            raise BadInputError(f"'{path}' asks for {len(specs)} audits\ngive the run folder of one of them")
        return specs[0]
    file = path / SPEC
    try:
        return AuditSpec.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise BadInputError(f"'{path}' holds no {SPEC}\ngive a folder that privbench run has written") from None
    except ValueError as error:
        raise BadInputError(f"'{file}' is not a spec of privbench: {str(error).splitlines()[0]}") from None


def load_gallery(path: Path) -> ImageSet | None:
    """The images that a report of this run may show, if any."""
    folder = path / "gallery"
    return load_images(folder, "gallery") if (folder / "gallery.json").is_file() else None


def run_path(out: Path | str | None, spec: AuditSpec) -> Path:
    """Where an audit of ``spec`` (resolved) leaves its files."""
    return Path(out) if out else Path("runs") / run_name(spec)


def run_name(spec: AuditSpec) -> str:
    """What the run folder of ``spec`` (resolved) is called where nobody names it."""
    return f"{spec.cohort.name}-{spec.generator.name}-{Store.key(_identity(spec))[:8]}"


def _identity(spec: AuditSpec) -> dict[str, object]:
    """What makes an audit another one; how closely its power is measured does not."""
    return spec.model_dump(mode="json", exclude={"certificate"})


def _claim(path: Path, spec: AuditSpec) -> None:
    """Refuse a folder of another audit; write this one's spec into an empty one, or over one that came to nothing."""
    file = path / SPEC
    if not (path / RECORD).exists():
        if not file.exists() and next(path.glob(f"*/{SPEC}"), None):
            raise BadInputError(
                f"'{path}' is a folder around other runs; this one needs its own\n"
                f"name one in it, e.g. --out {path / 'NAME'}"
            )
        shutil.rmtree(path / "confidential", ignore_errors=True)
        write_text_whole(file, spec.model_dump_json(indent=1))
        return
    try:
        other = AuditSpec.model_validate_json(file.read_text(encoding="utf-8"))
    except ValueError:
        raise BadInputError(f"'{file}' is not a spec of privbench\nchoose another folder with --out") from None
    there, here = _identity(other), _identity(spec)
    if there != here:
        differing = next(key for key in here if here[key] != there[key])
        raise BadInputError(
            f"'{path}' holds another audit ('{differing}' differs)\nchoose another with --out, or delete this one"
        )


def on_grid(images: ImageSet) -> ImageSet:
    """``images`` with the values that their files will hold: 16 bits for one channel, 8 bits for 2 to 4."""
    levels = np.float32(_levels(images.channels))
    return replace(images, pixels=np.rint(np.asarray(images.pixels) * levels) / levels)


def _levels(channels: int) -> int:
    return 65535 if channels == 1 else 255


def _to_integers(image: Pixels) -> NDArray[np.integer]:
    """(channels, h, w) in [0, 1] -> (h, w) uint16 for one channel, (h, w, channels) uint8 for 2-4."""
    if len(image) == 1:
        return np.asarray(np.rint(image[0] * _levels(1)), dtype=np.uint16)
    return np.ascontiguousarray(np.moveaxis(np.rint(image * _levels(len(image))).astype(np.uint8), 0, -1))


def _write_png(pixels: NDArray[np.integer], path: Path) -> None:
    with write_whole(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")
