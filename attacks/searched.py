"""What ``nearest`` searches: each space with the images as they are compared there, or why it was left out."""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from ..audit.context import Auxiliary
from ..audit.errors import BadInputError, SkippedError
from ..audit.inception import activations, inception, weights_file
from ..audit.types import RANKS, ImageSet, Pixels, Ranking
from . import spaces
from .embedding import copy_detector, embedded
from .lesions import Region, common_look, described, turned_over
from .search import Compare, patient_ranking
from .streaming import vector_ranking

PLAIN, ALIGNED, LEARNED = ("pixels", "patch-max"), "aligned", "embedding"
REGIONS: tuple[Region, ...] = ("foreground", "boundary")
MASKED = (*REGIONS, "background")
NAMES = (*PLAIN, ALIGNED, LEARNED, *MASKED)

Extractor = Literal["none", "inception"]


@dataclass(frozen=True)
class Settings:
    """How the spaces are made.

    Attributes:
        wanted: names in ``NAMES``.
        extractor: a pretrained network whose features are one more space.
        tile: side in pixels of the tiles of patch-max.
        shift: pixels by which ``aligned`` may move an image.
        steps: training steps of the copy detector; 0 leaves ``embedding`` out.
        batch: patients in a batch of its training.
    """

    wanted: tuple[str, ...]
    extractor: Extractor
    tile: int
    shift: int
    steps: int
    batch: int


@dataclass(frozen=True, eq=False)
class Searched:
    """One space.

    Attributes:
        name: of the space.
        samples: released images, as they are compared.
        candidates: likewise.
        compare: their distances; a number: Euclidean distances times that.
        device: where they are computed.
        reference: the attacker's images likewise, where a partition of the space is learned; else None.
    """

    name: str
    samples: ImageSet
    candidates: ImageSet
    compare: Compare | float
    device: str
    reference: ImageSet | None = None

    def ranking(self, queries: ImageSet, *, ranks: int = RANKS, siblings: bool = True) -> Ranking:
        """The candidate patients nearest to ``queries``."""
        if callable(self.compare):
            return patient_ranking(queries, self.candidates, self.compare, ranks=ranks, siblings=siblings)
        return vector_ranking(
            queries, self.candidates, ranks=ranks, siblings=siblings, scale=self.compare, device=self.device
        )


def named(text: str) -> str:
    """``all``, or names of spaces with commas between them.

    Raises:
        ValueError: naming what is none.
    """
    for name in text.split(","):
        if text != "all" and name not in NAMES:
            raise ValueError(f"unknown space '{name}'; spaces: all, or some of {', '.join(NAMES)} with commas between")
    return text


def searched(
    samples: ImageSet, candidates: ImageSet, aux: Auxiliary, settings: Settings
) -> tuple[list[Searched], tuple[str, ...]]:
    """The spaces in the order of ``NAMES``, and a note on those that were wanted and cannot be.

    Raises:
        BadInputError: if no space is left.
        SkippedError: if the extractor, or masks for the only spaces wanted, are missing.
    """
    weights = _weights(candidates, settings)
    device = aux.context.device
    lost = without_masks(samples, candidates, settings.wanted)
    compares: dict[str, Compare | float] = {
        "pixels": 1 / math.sqrt(candidates.pixels[0].size),
        "patch-max": partial(spaces.patch_max, device=device, side=settings.tile),
        ALIGNED: partial(spaces.moved, device=device, shift=settings.shift),
        "background": partial(spaces.background, device=device),
    }
    found: list[Searched] = []
    for name in (name for name in NAMES if name in settings.wanted and not (lost and name in MASKED)):
        if name in REGIONS:
            damp = common_look(aux.reference, aux.context, name)
            a, b = (described(x, name, damp) for x in (samples, candidates))
            found.append(Searched(name, a, b, partial(turned_over, device=device), device))
        elif name in compares:
            reference = aux.reference if name == "pixels" else None
            found.append(Searched(name, samples, candidates, compares[name], device, reference))
        elif settings.steps:
            network = copy_detector(aux.reference, aux.shared, steps=settings.steps, batch=settings.batch)
            vectors = [embedded(network, x.pixels, device) for x in (samples, candidates, aux.reference)]
            found.append(_of_vectors(name, (samples, candidates, aux.reference), vectors, device))
    if weights is not None:
        found.append(_extracted(weights, (samples, candidates, aux.reference), aux))
    if not found and lost:
        raise SkippedError(lost)
    if not found:
        raise BadInputError("attack 'nearest': no space is left to search\nset steps above 0, or name other spaces")
    return found, (lost,) * bool(lost)


def without_masks(samples: ImageSet, candidates: ImageSet, wanted: tuple[str, ...]) -> str:
    """Which of the spaces wanted need masks, and who has none; "" where nothing is lost."""
    bare = [name for name, x in (("released images", samples), ("candidates", candidates)) if x.mask is None]
    lost = [name for name in wanted if name in MASKED]
    if not bare or not lost:
        return ""
    return (
        f"no masks: {', '.join(lost)} could not be searched, for the {' and the '.join(bare)} have none; a lesion "
        "pasted on another background would not be found"
    )


def _weights(candidates: ImageSet, settings: Settings) -> Path | None:
    if settings.extractor == "none":
        return None
    if len(candidates.spatial) != 2 or candidates.channels not in {1, 3}:
        raise SkippedError(
            f"extractor=inception needs 2-D images of 1 or 3 channels, not {candidates.pixels.shape[1:]}"
        )
    return weights_file(None)


Three = tuple[ImageSet, ImageSet, ImageSet]


def _of_vectors(name: str, images: Three, vectors: list[Pixels], device: str) -> Searched:
    samples, candidates, reference = (spaces.vectors(x, v) for x, v in zip(images, vectors, strict=True))
    return Searched(name, samples, candidates, 1.0, device, reference)


def _extracted(weights: Path, images: Three, aux: Auxiliary) -> Searched:
    device = aux.context.device
    model = inception(weights, device)
    with aux.context.progress.task("computing Inception features", total=sum(map(len, images))) as step:
        vectors = [activations(model, x, device, step).astype(np.float32) for x in images]
    return _of_vectors("inception", images, vectors, device)
