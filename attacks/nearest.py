"""Memorization distance in several spaces."""

from typing import Annotated

from pydantic import AfterValidator, Field

from ..audit.context import Arrays, Auxiliary
from ..audit.errors import BadInputError
from ..audit.plugin import attack
from ..audit.target import Target
from ..audit.types import CANDIDATE_RANKS, ImageSet, MemorizationScores, Ranking, SpaceDistances
from .partition import cells_of
from .searched import NAMES, Extractor, Searched, Settings, named, searched


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
    spaces: Annotated[
        str,
        AfterValidator(named),
        Field(
            description="spaces to search, with commas between them: pixels, patch-max, aligned, embedding, "
            "foreground, boundary, background; all: as many as can be"
        ),
    ] = "all",
    extractor: Annotated[
        Extractor,
        Field(description="a pretrained network whose features are one more space; its weights must be there"),
    ] = "none",
    tile: Annotated[int, Field(ge=2, description="side in pixels of the tiles of patch-max")] = 8,
    shift: Annotated[int, Field(ge=0, le=8, description="pixels by which 'aligned' may move an image")] = 3,
    steps: Annotated[
        int, Field(ge=0, description="training steps of the copy detector; 0 leaves 'embedding' out")
    ] = 200,
    batch: Annotated[int, Field(ge=4, description="patients in a training batch of the copy detector")] = 32,
) -> MemorizationScores:
    """Memorization distance: how close each synthetic image comes to each patient, in spaces that see altered copies.

    Whole images: ``pixels`` (root mean square difference), ``patch-max`` (the same in the tile that differs most),
    ``aligned`` (blind to brightness and contrast, after the best shift of up to ``shift`` pixels, the best turn of up
    to 8 degrees or the best flip along either axis or both; turned or flipped, shifted half as far) and ``embedding``
    (a copy detector trained by contrast on the reference patients; Dar et al., arXiv:2402.01054).

    Regions, where samples and candidates have masks: ``foreground`` (the lesions alone, laid upon one another turned by
    any angle, mirrored or not, whatever their size and brightness), ``boundary`` (likewise a ring around the lesion's
    border) and ``background`` (the pixels off both lesions). Search is exact in each.

    Raises:
        BadInputError: if nothing was released.
        SkippedError: if the extractor's weights, or masks for the only spaces wanted, are missing.
    """
    if not len(target.samples):
        raise BadInputError("attack 'nearest': there are no released images to compare\nrelease at least one image")
    wanted = NAMES if spaces == "all" else tuple(spaces.split(","))
    settings = Settings(wanted, extractor, tile, shift, steps, batch)
    chosen, notes = searched(target.samples, candidates, aux, settings)
    found: list[SpaceDistances] = []
    with aux.context.progress.task("searching nearest images", total=len(chosen)) as step:
        for space in chosen:
            found.append(_distances(space, aux, tile, shift))
            step(1, space.name)
    return MemorizationScores(tuple(found), notes)


def _distances(space: Searched, aux: Auxiliary, tile: int, shift: int) -> SpaceDistances:
    def among() -> Arrays:
        ranking = space.ranking(space.candidates, ranks=CANDIDATE_RANKS, siblings=False)
        return {"distance": ranking.distance, "patient": ranking.patient, "image": ranking.image}

    kept = aux.context.kept(f"{space.name} among candidates", among, space.candidates, tile, shift)
    cells = None
    if space.reference is not None:
        cells = cells_of(space.reference, (space.samples, space.candidates), aux.context, space.name)
    return SpaceDistances(
        space=space.name,
        patients=space.candidates.patients,
        samples=space.ranking(space.samples),
        candidates=Ranking(**kept),
        cells=cells,
    )
