"""Frechet Inception distance."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from ..audit.context import Context
from ..audit.errors import SkippedError
from ..audit.inception import activations, inception, weights_file
from ..audit.plugin import metric
from ..audit.record import Measurement
from ..audit.types import ImageSet, Split
from .comparison import Comparison, Features, chosen_images


@metric(paper="Heusel et al. 2017, arXiv:1706.08500", patients={"members": 2, "holdout": 2})
def fid(
    samples: ImageSet,
    split: Split,
    context: Context,
    *,
    weights: Annotated[Path | None, Field(description="file of pytorch-fid's weights; None: torch's cache")] = None,
    images: Annotated[int, Field(ge=2, description="most images of each set, by whole patients")] = 10_000,
    resamples: Annotated[int, Field(ge=20, description="bootstrap resamples of the patients")] = 100,
) -> Measurement:
    """FID of the synthetic images to the real holdout (pytorch-fid's Inception), beside members to holdout.

    Few resamples, since each takes the singular values of a matrix as large as the smaller of images and 2048.

    Raises:
        SkippedError: if extra or weights are missing, or images are not 2-D grey or colour.
    """
    if len(split.holdout.spatial) != 2 or split.holdout.channels not in {1, 3}:
        raise SkippedError(f"needs 2-D images of 1 or 3 channels, not {split.holdout.pixels.shape[1:]}")
    model = inception(weights_file(weights), context.device)
    chosen = chosen_images(samples, split, images, context)
    with context.progress.task("computing Inception features", total=sum(map(len, chosen.values()))) as step:
        features = {
            part: Features(activations(model, kept, context.device, step), kept.patient, kept.center)
            for part, kept in chosen.items()
        }
    compared = Comparison(**features)
    note = (
        f"{len(chosen['synthetic'])} synthetic against {len(chosen['real'])} real images: fewer images raise FID "
        "(Chong and Forsyth 2020, arXiv:1911.07023), so read it against the control, not against "
        "figures from 50,000 images"
    )
    return Measurement(estimates=tuple(compared.frechet("fid", context, resamples, note)))
