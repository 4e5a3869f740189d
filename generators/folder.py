"""The generator that somebody else ran: only its images are at hand."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from pydantic import Field

from ..audit.context import Context
from ..audit.errors import BadInputError
from ..audit.plugin import generator
from ..audit.record import Declaration
from ..audit.types import ImageSet, Index, TrainingData
from .reading.intake import read_mark, take_in
from .reading.listing import listed
from .reading.stacks import Reader
from .real import neutral_names

LABEL = "generator 'folder'"
BLOCK = 256


@generator()
class Folder:
    """Synthetic images that somebody hands over: png, tif, npy, npz, DICOM or NIfTI, with or without metadata.csv.

    A folder is read with its sub-folders (hidden ones excepted); a npy or npz file may hold a stack ``(n, c, h, w)``,
    ``(n, h, w, c)`` or ``(n, h, w)``, a DICOM file several frames, a NIfTI volume counts as its slices. The arrays
    ``label``, ``mask``, ``source`` and ``center`` of a npz archive tell of each of its images; its others are images.

    Columns of metadata.csv: ``file_name``, and as far as known ``label``, ``mask_file_name`` (empty: no lesion),
    ``center`` and ``source``, the patient whose record conditioned the image. ``fit`` copies the images into the model.

    Numbers are scaled as in the cohorts: integers of 8 and 16 bits by their type, floats are in [0, 1] already, DICOM
    and NIfTI between the 0.5 and 99.5 percentile of each file unless ``black`` and ``white`` are given. Give real and
    synthetic images one scale: a copy in another brightness looks like no copy.
    """

    def __init__(
        self,
        *,
        path: Annotated[Path, Field(description="folder of synthetic images, or one file that holds them all")],
        size: Annotated[
            int | None, Field(ge=8, le=4096, description="resample to size x size pixels; None: as stored")
        ] = None,
        axis: Annotated[
            Literal["axial", "coronal", "sagittal"], Field(description="which way the slices of a NIfTI volume lie")
        ] = "axial",
        black: Annotated[
            float | None,
            Field(description="DICOM and NIfTI: what becomes 0, e.g. -160 HU; None: each file's 0.5 percentile"),
        ] = None,
        white: Annotated[
            float | None,
            Field(description="DICOM and NIfTI: what becomes 1, e.g. 240 HU; None: each file's 99.5 percentile"),
        ] = None,
    ) -> None:
        self.path = Path(path)
        self.size = size
        self.axis = axis
        self.black, self.white = black, white

    def fit(self, data: TrainingData, context: Context) -> None:
        """Read every image and check it against the cohort; a fit that was killed goes on where it was.

        Raises:
            BadInputError: naming the file and what is wrong with it.
        """
        values = None if self.black is None or self.white is None else (self.black, self.white)
        if (self.black is None) != (self.white is None) or (values and values[0] >= values[1]):
            raise BadInputError(
                f"{LABEL}: black={self.black}, white={self.white}\ngive both, the smaller one as black, or neither"
            )
        shape = (data.members.channels, *data.members.spatial)
        take_in(listed(self.path, LABEL), Reader(LABEL, shape, self.size, self.axis, values), context)
        empty = read_mark(context.folder).left_out
        if empty:
            context.progress.message(f"{LABEL}: {empty} slices show nothing: left out")

    def sample(self, n: int | None, data: TrainingData, model: Path, context: Context) -> ImageSet:  # noqa: ARG002
        """All images in the order listed, or ``n`` random ones; never all of them in memory.

        Raises:
            BadInputError: if ``n`` is more than there are.
        """
        arrays = {
            name: np.load(model / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ("pixels", "mask", "label", "center", "source")
            if (model / f"{name}.npy").is_file()
        }
        total = len(arrays["pixels"])
        if n is not None and n > total:
            raise BadInputError(f"{LABEL}: {n} samples asked for, the folder has {total}\nask for at most {total}")
        if n is not None and n < total:
            chosen = np.sort(context.rng("images").choice(total, n, replace=False))
            arrays = {
                name: _picked(array, chosen, context.folder / f"drawn.{name}.npy") for name, array in arrays.items()
            }
        small = {name: np.array(array) for name, array in arrays.items() if name not in {"pixels", "mask"}}
        return ImageSet(patient=neutral_names(len(arrays["pixels"])), **arrays | small)

    def declare(self, samples: ImageSet, data: TrainingData, model: Path, context: Context) -> Declaration:  # noqa: ARG002
        """What could not be tested, for want of the model or of what is known about its images."""
        return Declaration(notes=(*_untested(samples, data.members), *_suspicious(samples, data.members)))


def _untested(samples: ImageSet, members: ImageSet) -> Iterator[str]:
    yield (
        "only the images are at hand, not the model: attacks that question its denoiser or read its weights were not "
        "run, and whoever has the model may learn more than this audit shows"
    )
    if samples.source is None:
        yield (
            "no image names its source patient (column 'source'): whether an image leads back to the patient whose "
            "record conditioned it was not measured"
        )
    for name, known, lost in (
        ("masks", "mask", "copies of lesions alone were not searched for, and Dice was not measured"),
        ("labels", "label", "ROC-AUC was not measured"),
    ):
        there, real = getattr(samples, known) is not None, getattr(members, known) is not None
        if not (there and real):
            whose = (
                "neither the images nor the cohort have"
                if not (there or real)
                else ("the images have no" if real else "the cohort has no")
            )
            yield f"{whose} {name}: {lost}"
    if samples.center is None and members.center is not None:
        yield "no image names its centre (column 'center'): results were not compared across centres"


def _suspicious(samples: ImageSet, members: ImageSet) -> Iterator[str]:
    """What would make the audit blind or the table wrong."""
    if samples.source is not None:
        strange = np.count_nonzero(~np.isin(samples.source, [*members.patients, ""]))
        if strange:
            yield f"{strange} of {len(samples)} images name a source that is no patient of the members"
    ours, theirs = _brightness(samples), _brightness(members)
    if ours[1] < theirs[0] or theirs[1] < ours[0]:
        yield (
            f"the images' mean brightness is {ours[0]:.2f} to {ours[1]:.2f}, that of the members {theirs[0]:.2f} to "
            f"{theirs[1]:.2f}: if real and synthetic images were scaled differently, a copy looks like no copy"
        )


def _brightness(images: ImageSet) -> tuple[float, float]:
    """Between which values the means of 90% of (at most 1,000) images lie."""
    chosen = np.unique(np.linspace(0, len(images) - 1, min(len(images), 1000)).astype(int))
    means = [float(images.pixels[i].mean()) for i in chosen]
    low, high = np.quantile(means, [0.05, 0.95])
    return float(low), float(high)


def _picked(array: NDArray[np.generic], chosen: Index, path: Path) -> NDArray[np.generic]:
    """The rows ``chosen`` of ``array``, in a memory map at ``path``."""
    picked = open_memmap(path, "w+", array.dtype, (len(chosen), *array.shape[1:]))
    for start in range(0, len(chosen), BLOCK):
        picked[start : start + BLOCK] = array[chosen[start : start + BLOCK]]
    picked.flush()
    return picked
