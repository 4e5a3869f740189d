"""Frechet and kernel distance on features that need no download."""

from typing import Annotated

from pydantic import Field

from ..audit.context import Context
from ..audit.plugin import metric
from ..audit.record import Measurement
from ..audit.types import ImageSet, Split
from .comparison import Comparison, Features, chosen_images
from .randconv import NAME, RandomConvolutions


@metric(
    paper="Heusel et al. 2017, arXiv:1706.08500; Binkowski et al. 2018, arXiv:1801.01401",
    patients={"members": 7, "holdout": 7, "reference": 2},
)
def frechet(
    samples: ImageSet,
    split: Split,
    context: Context,
    *,
    images: Annotated[int, Field(ge=2, description="most images of each set, by whole patients")] = 2000,
    resamples: Annotated[int, Field(ge=20, description="bootstrap resamples of the patients")] = 200,
    k: Annotated[int, Field(ge=1, description="neighbours of precision, recall, density and coverage")] = 5,
) -> Measurement:
    """Frechet distance, KID, precision, recall, density, coverage on random convolutions, beside members to holdout.

    Not FID, and not comparable with it: each estimate carries the extractor's name. See ``randconv`` for why.
    """
    extract = RandomConvolutions(split.reference)
    features = {
        part: Features(extract(kept), kept.patient, kept.center)
        for part, kept in chosen_images(samples, split, images, context).items()
    }
    compared = Comparison(**features)
    note = "fewer images raise the distance: read it against the control of the same number of real images"
    estimates = [
        *compared.frechet(f"fd-{NAME}", context, resamples, note),
        *compared.kid(f"kid-{NAME}", context, resamples),
        *compared.manifold(NAME, context, resamples, k),
    ]
    return Measurement(estimates=tuple(estimates))
