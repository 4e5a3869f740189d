"""Real volumes in the layout of the Medical Segmentation Decathlon.

``images/x.nii.gz`` and ``labels/x.nii.gz`` (or ``imagesTr``, ``labelsTr``). A volume counts as a patient: where two
volumes may show one person, as in the Decathlon's hippocampus set, results are by volume, and somebody with a volume
on either side of the split makes membership look harder to tell than it is.
"""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from ..audit.context import Context
from ..audit.errors import BadInputError
from ..audit.plugin import cohort
from ..audit.reading.volumes import AXES, ENDINGS, cut, normalised, read_shape, read_volume, stem
from ..audit.types import ImageSet, Labels, Split
from .checks import require_folder
from .splitting import Shares, split_patients
from .volumes import in_plane, resampled, resampled_mask
from .writing import PartWriter

NAME = "nifti"
LABEL = f"cohort '{NAME}'"
Axis = Literal["axial", "coronal", "sagittal"]


@dataclass(frozen=True)
class Case:
    """A volume with a lesion.

    Attributes:
        image: its file.
        mask: the file of its mask.
        slices: which slices are taken.
        channels: how many images there are of each slice.
        extent: mm, the longer side of a slice.
        burden: mm³ that the mask covers.
    """

    image: Path
    mask: Path
    slices: tuple[int, ...]
    channels: int
    extent: float
    burden: float


@cohort()
def nifti(
    context: Context,
    *,
    path: Annotated[Path, Field(description="folder with images/ and labels/")],
    size: Annotated[int, Field(ge=16, le=512, description="pixels along each side of a slice")] = 64,
    slices: Annotated[int, Field(ge=1, description="slices of each volume, evenly over those with a mask")] = 4,
    axis: Annotated[Axis, Field(description="which way slices lie")] = "axial",
    spacing: Annotated[
        float | None, Field(gt=0, description="mm between pixels; default: the largest slice just fits")
    ] = None,
    channel: Annotated[int | None, Field(ge=0, description="of a 4-D volume; default: all are channels")] = None,
    label: Annotated[
        Literal["none", "volume"], Field(description="none, or 1 where the mask is larger than the median volume's")
    ] = "none",
    members: Annotated[float, Field(gt=0, lt=1, description="share that generators are trained on")] = 0.3,
    holdout: Annotated[float, Field(gt=0, lt=1, description="share that no generator sees")] = 0.3,
    reference: Annotated[float, Field(gt=0, lt=1, description="share that the attacker owns")] = 0.25,
    reserve: Annotated[float, Field(ge=0, lt=1, description="share kept for known answers")] = 0.15,
) -> Split:
    """Real MRI or CT volumes with masks, in Medical Decathlon layout (images/, labels/)."""
    require_folder(path, NAME)
    files = _files(path)
    cases: list[Case] = []
    with context.progress.task("reading masks", total=len(files)) as step:
        for image, mask in files:
            case = _survey(image, mask, axis, slices, channel)
            cases += [case] if case else []
            step()
    if len(cases) < len(files):
        context.progress.message(f"cohort '{NAME}': {len(files) - len(cases)} volumes have an empty mask: left out")
    _require_channels(cases)
    classes = _labels(cases, label)
    strata = [("", int(c)) for c in (np.zeros(len(cases), int) if classes is None else classes)]
    parts = split_patients(strata, Shares(members, holdout, reference, reserve), context.rng("split"), NAME)
    step_mm = spacing or max(case.extent for case in cases) / size
    written: dict[str, ImageSet] = {}
    with context.progress.task("cutting slices", total=sum(map(len, parts.values()))) as step:
        for part, chosen in parts.items():
            counts = [len(cases[i].slices) for i in chosen]
            shape = (sum(counts), cases[0].channels, size, size)
            with PartWriter(context.folder, part, shape, masked=True) as writer:
                for i in chosen:
                    _write(writer, cases[i], axis, size, step_mm, channel)
                    step(1, part)
                written[part] = writer.finish(
                    [stem(cases[i].image) for i in np.repeat(chosen, counts)],
                    label=None if classes is None else classes[np.repeat(chosen, counts)].tolist(),
                )
    return Split(**written)


def _files(path: Path) -> list[tuple[Path, Path]]:
    """Every image with its mask."""
    ending = next((end for end in ("", "Tr") if (path / f"images{end}").is_dir()), None)
    if ending is None:
        raise BadInputError(f"cohort '{NAME}': {path} has no folder images/ or imagesTr/\ngive the folder above them")
    images, labels = f"images{ending}", f"labels{ending}"
    found = sorted(f for f in (path / images).iterdir() if f.name.endswith(ENDINGS) and f.name[0] != ".")
    if not found:
        raise BadInputError(f"cohort '{NAME}': {path / images} holds no volume\nit must hold .nii.gz or .nii files")
    missing = [f.name for f in found if not (path / labels / f.name).is_file()]
    if missing:
        raise BadInputError(
            f"cohort '{NAME}': {len(missing)} of {len(found)} images have no mask in {labels}/, first {missing[0]}\n"
            "a mask has the same name as its image"
        )
    return [(f, path / labels / f.name) for f in found]


def _survey(image: Path, mask: Path, axis: Axis, slices: int, channel: int | None) -> Case | None:
    """Choose the slices of a volume; None where its mask is empty."""
    lesion, voxel = read_volume(mask, LABEL)
    shape = read_shape(image, LABEL)
    if lesion.shape != shape[:3]:
        raise BadInputError(
            f"cohort '{NAME}': {image.name} is {shape[:3]}, its mask {lesion.shape}\nboth must be of one size"
        )
    depth = shape[3] if len(shape) == 4 else 1
    if channel is not None and channel >= depth:
        raise BadInputError(f"cohort '{NAME}': {image.name} has no channel {channel}\nit has 0 to {depth - 1}")
    shown = np.flatnonzero((lesion > 0).any(tuple(i for i in range(3) if i != AXES[axis])))
    if not shown.size:
        return None
    count = min(slices, len(shown))
    chosen = shown[((np.arange(count) + 0.5) * len(shown) / count).astype(int)]  # the middle of equal stretches
    height, width = in_plane((lesion.shape[0], lesion.shape[1], lesion.shape[2]), axis)
    tall, wide = in_plane(voxel, axis)
    return Case(
        image=image,
        mask=mask,
        slices=tuple(chosen.tolist()),
        channels=depth if channel is None else 1,
        extent=max(height * tall, width * wide),
        burden=float(np.count_nonzero(lesion) * prod(voxel)),
    )


def _require_channels(cases: list[Case]) -> None:
    if not cases:
        raise BadInputError(f"cohort '{NAME}': every mask is empty\nslices are taken where the mask is not")
    found = sorted({case.channels for case in cases})
    if len(found) > 1:
        raise BadInputError(
            f"cohort '{NAME}': some volumes have {found[0]} channels, some {found[-1]}\nchoose one with channel=0"
        )


def _labels(cases: list[Case], label: str) -> Labels | None:
    """The class of each volume."""
    if label == "none":
        return None
    burdens = np.array([case.burden for case in cases])
    larger: Labels = (burdens > np.median(burdens)).astype(np.int64)
    return larger


def _write(writer: PartWriter, case: Case, axis: Axis, size: int, spacing: float, channel: int | None) -> None:
    """Cut, normalise and write the slices of one volume."""
    array, voxel = read_volume(case.image, LABEL)
    if channel is not None and array.ndim == 4:
        array = array[..., channel]
    volume, lesion = normalised(array, LABEL, case.image.name), read_volume(case.mask, LABEL)[0]
    plane = in_plane(voxel, axis)
    for k in case.slices:
        channels = [resampled(cut(volume[..., c], axis, k), plane, size, spacing) for c in range(volume.shape[-1])]
        mask = resampled_mask(cut(lesion, axis, k), plane, size, spacing)
        writer.add(np.stack(channels)[None], mask[None])
