"""The checks of a cohort."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from ..audit.context import Context
from ..audit.errors import BadInputError
from ..audit.persist import fingerprint, load_split, save_split
from ..audit.types import Split
from .attack_contract import require_facts
from .audits import resolved
from .conformance import Check, UnmetError, checked, require, run_all
from .purity import global_seed, require_no_global_rng
from .watching import written_outside

NOTHING: Mapping[str, str] = {}
BLOCK = 256


def check_cohort(cohort: object, *, leave_out: Mapping[str, str] = NOTHING, **options: object) -> None:
    """Make every check of a cohort; see ``cohort_checks`` for the arguments.

    Raises:
        ConformanceError: listing every failed check, what was seen and what to do.
        unittest.SkipTest: if nothing failed, but the cohort cannot be had here.
    """
    run_all(_label(cohort), cohort_checks(cohort, leave_out=leave_out, **options))


def cohort_checks(cohort: object, *, leave_out: Mapping[str, str] = NOTHING, **options: object) -> Iterator[Check]:
    """Every check of a cohort by name, for ``pytest.mark.parametrize``. It is read about eight times.

    Args:
        cohort: the decorated function.
        leave_out: checks not to be made, each with the reason.
        options: the cohort's own, such that it is small.

    Raises:
        TypeError: if it is no cohort.
    """
    _, values = resolved(cohort, "cohort", options)
    source = Source(cohort, values)
    checks: dict[str, Callable[[], None]] = {
        "describes itself and its options": partial(require_facts, cohort),
        "gives a split disjoint by patient": partial(_with_split, source, _disjoint),
        "shows no image under two patients": partial(_with_split, source, _no_image_twice),
        "gives images of one shape, finite and in [0, 1]": partial(_with_split, source, _valid_pixels),
        "knows the same of every part": partial(_with_split, source, _same_fields),
        "keeps a patient at one centre": partial(_with_split, source, _one_center),
        "gives the same split under the same seed": partial(_repeats, source),
        "gives a valid split under another seed": partial(_other_seed, source),
        "touches no global generator": partial(_leaves_global_rngs, source),
        "writes only into its folder": partial(_writes_inside, source),
        "can be stored and read again": partial(_stored, source),
    }
    yield from checked(_label(cohort), checks, leave_out)


@dataclass(frozen=True, eq=False)
class Source:
    """A cohort under examination.

    Attributes:
        cohort: the decorated function.
        options: all its options.
    """

    cohort: object
    options: Mapping[str, object] = field(default_factory=dict)

    def split(self, folder: str | Path, seed: int = 0) -> Split:
        """The split; large arrays lie under ``folder``."""
        assert callable(self.cohort)
        context = Context(seed=seed, path=("cohort", "checked"), folder=Path(folder))
        return cast("Split", self.cohort(context, **self.options))

    def marks(self, seed: int = 0) -> dict[str, str]:
        """A digest of each part."""
        with tempfile.TemporaryDirectory() as folder:
            return {part: fingerprint(part, images).sha256 for part, images in self.split(folder, seed).parts()}


def _with_split(source: Source, check: Callable[[Split], None], seed: int = 0) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            split = source.split(folder, seed)
        except BadInputError as error:
            fix = "correct the options of the check, or divide by patient, never by image"
            raise UnmetError(f"it raised BadInputError: {error}".replace("\n", "; "), fix) from error
        require(isinstance(split, Split), f"it returned {type(split).__name__}", "return a Split")
        check(split)


def _disjoint(split: Split) -> None:
    """``Split`` refuses overlap when it is made; names that differ in case or blanks alone are one patient too."""
    owner: dict[str, str] = {}
    for part, images in split.parts():
        require(
            len(images) or part in {"public", "reserve"},
            f"part {part!r} has no images",
            "give every part some patients",
        )
        for patient in images.patients.tolist():
            folded = patient.strip().casefold()
            require(folded, f"part {part!r} has a patient without a name", "name every patient")
            seen = owner.setdefault(folded, part)
            require(seen == part, f"a patient is in both {seen!r} and {part!r}", "divide by patient, never by image")


def _no_image_twice(split: Split) -> None:
    owner: dict[bytes, tuple[str, str]] = {}
    twice = 0
    where = ""
    for part, images in split.parts():
        for pixels, patient in zip(images.pixels, images.patient.tolist(), strict=True):
            first = owner.setdefault(hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).digest(), (part, patient))
            if first[1] != patient:
                twice += 1
                where = f"{first[0]} and {part}"
    require(not twice, f"{twice} images are shown under two patients, e.g. in {where}", "give one person one name")


def _valid_pixels(split: Split) -> None:
    shapes = {part: images.pixels.shape[1:] for part, images in split.parts()}
    require(len(set(shapes.values())) == 1, f"parts have images of shapes {shapes}", "bring all images to one size")
    for part, images in split.parts():
        for block in images.batches(BLOCK):
            fine = np.isfinite(block.pixels).all() and block.pixels.min() >= 0 and block.pixels.max() <= 1
            require(
                fine, f"part {part!r} has pixels that are not finite or not in [0, 1]", "scale every image to [0, 1]"
            )


def _same_fields(split: Split) -> None:
    types = {"label": "i8", "mask": "u1", "visit": "i8"}
    for name in ("label", "mask", "center", "visit"):
        parts = {part: getattr(images, name) for part, images in split.parts()}
        having = [part for part, value in parts.items() if value is not None]
        lacking = [part for part in ("members", "holdout", "reference") if part not in having]
        require(
            not having or not lacking,
            f"{name} is known of {', '.join(having)}, but not of {', '.join(lacking)}",
            "give it for members, holdout and reference, or for none",
        )
        for part in having:
            kind = parts[part].dtype
            if name in types:
                require(kind == np.dtype(types[name]), f"{part}: {name} is {kind}", f"make it {np.dtype(types[name])}")
            else:
                require(kind.kind == "U", f"{part}: {name} is {kind}", "make it a NumPy array of str")
    for part, images in split.parts():
        require(
            images.patient.dtype.kind == "U", f"{part}: patient is {images.patient.dtype}", "make it an array of str"
        )
        require(images.source is None, f"{part} states a source", "real images have none")


def _one_center(split: Split) -> None:
    for part, images in split.parts():
        if images.center is not None:
            pairs = set(zip(images.patient.tolist(), images.center.tolist(), strict=True))
            moved = len(pairs) - len(images.patients)
            require(
                moved == 0,
                f"part {part!r}: {moved} patients are at more than one centre",
                "give a patient one centre: nulls are made by exchanging patients within centres",
            )


def _repeats(source: Source) -> None:
    marks = []
    for seed in (1, 2):
        with global_seed(seed):
            marks.append(source.marks())
    changed = [part for part in marks[0] if marks[0][part] != marks[1].get(part)]
    require(
        marks[0] == marks[1],
        f"the second time other images came: {', '.join(changed) or 'other parts'}",
        "draw from context.rng; sort what a folder lists; depend on no clock",
    )


def _other_seed(source: Source) -> None:
    for check in (_disjoint, _valid_pixels, _same_fields):
        _with_split(source, check, seed=1)


def _leaves_global_rngs(source: Source) -> None:
    require_no_global_rng(source.marks)


def _writes_inside(source: Source) -> None:
    # Paths among the options may be relative to where the check was started.
    with tempfile.TemporaryDirectory() as folder, written_outside(Path(folder), stay=True) as outside:
        source.split(folder)
    require(not outside, f"it wrote {', '.join(map(str, outside[:3]))}", "write under context.folder only")


def _stored(source: Source) -> None:
    with tempfile.TemporaryDirectory() as folder:
        split = source.split(folder)
        before = {part: fingerprint(part, images).sha256 for part, images in split.parts()}
        save_split(split, Path(folder))
        again, _ = load_split(Path(folder))
        after = {part: fingerprint(part, images).sha256 for part, images in again.parts()}
    require(before == after, "stored and read again, the split is another", "use plain NumPy arrays or whole .npy maps")


def _label(cohort: object) -> str:
    return f"cohort {getattr(cohort, '__name__', cohort)!r}"
