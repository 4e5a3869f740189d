"""Memorization distance in several spaces."""

from functools import partial
from typing import Annotated

from pydantic import Field

from ..audit.context import Arrays, Auxiliary
from ..audit.plugin import attack
from ..audit.target import Target
from ..audit.types import CANDIDATE_RANKS, ImageSet, MemorizationScores, Ranking, SpaceDistances
from . import spaces
from .embedding import copy_detector, embedded
from .partition import cells_of
from .search import Compare, patient_ranking


@attack(
    family="memorization",
    paper="arXiv:2402.01054",
    patients={"reference": 8},
    standard={"steps": 1000},
    full={"steps": 3000},
)
def nearest(
    target: Target,
    candidates: ImageSet,
    aux: Auxiliary,
    *,
    tile: Annotated[int, Field(ge=2, description="side in pixels of the tiles of patch-max")] = 8,
    shift: Annotated[int, Field(ge=0, le=8, description="pixels by which 'aligned' may move an image")] = 3,
    steps: Annotated[
        int, Field(ge=0, description="training steps of the copy detector; 0 leaves 'embedding' out")
    ] = 200,
    batch: Annotated[int, Field(ge=4, description="patients in a training batch of the copy detector")] = 32,
) -> MemorizationScores:
    """Memorization distance: how close each synthetic image comes to each patient, in spaces that see altered copies.

    Spaces: ``pixels`` (root mean square difference), ``patch-max`` (the same in the tile that differs most),
    ``aligned`` (after the best shift, small rotation or mirroring, blind to brightness and contrast), ``embedding`` (a
    copy detector trained by contrast on the reference patients; Dar et al., arXiv:2402.01054) and, where samples and
    candidates have masks, ``foreground`` (the lesions alone, laid upon one another). Search is exact in each.
    """
    device, progress = aux.context.device, aux.context.progress
    pairs: list[tuple[str, ImageSet, ImageSet, Compare]] = [
        ("pixels", target.samples, candidates, partial(spaces.pixels, device=device)),
        ("patch-max", target.samples, candidates, partial(spaces.patch_max, device=device, side=tile)),
        ("aligned", target.samples, candidates, partial(spaces.moved, device=device, shift=shift)),
    ]
    notes: list[str] = []
    if steps:
        network = copy_detector(aux.reference, aux.shared, steps=steps, batch=batch)
        samples, known = (spaces.vectors(x, embedded(network, x.pixels, device)) for x in (target.samples, candidates))
        pairs.append(("embedding", samples, known, partial(spaces.between_vectors, device=device)))
    if target.samples.mask is not None and candidates.mask is not None:
        pairs.append(("foreground", target.samples, candidates, partial(spaces.foreground, device=device)))
    else:
        notes.append("no masks: a lesion pasted on another background would not be found")
    vectors = {"pixels": aux.reference}
    if steps:
        vectors["embedding"] = spaces.vectors(aux.reference, embedded(network, aux.reference.pixels, device))
    found: list[SpaceDistances] = []
    with progress.task("searching nearest images", total=len(pairs)) as step:
        for space, queries, images, compare in pairs:

            def among(images: ImageSet = images, compare: Compare = compare) -> Arrays:
                ranking = patient_ranking(images, images, compare, ranks=CANDIDATE_RANKS, siblings=False)
                return {"distance": ranking.distance, "patient": ranking.patient, "image": ranking.image}

            real = vectors.get(space)
            found.append(
                SpaceDistances(
                    space=space,
                    patients=images.patients,
                    samples=patient_ranking(queries, images, compare),
                    candidates=Ranking(**aux.context.kept(f"{space} among candidates", among, images, tile, shift)),
                    cells=None if real is None else cells_of(real, (queries, images), aux.context, space),
                )
            )
            step(1, space)
    return MemorizationScores(tuple(found), tuple(notes))
