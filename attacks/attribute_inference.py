"""What a release tells of a patient that the patient's image alone does not."""

from functools import partial
from typing import Annotated

import numpy as np
from pydantic import Field

from ..audit.attributes import ATTRIBUTES, WORDS, Values, attribute_of, lesion_area
from ..audit.context import Arrays, Auxiliary
from ..audit.errors import SkippedError
from ..audit.plugin import attack
from ..audit.target import Target
from ..audit.types import AttributeGuesses, AttributeScores, FloatArray, ImageSet, Names
from . import spaces
from .embedding import copy_detector, embedded
from .inference import Matches, Near, closeness, nearest_image, told_by_looks
from .search import Compare


@attack(
    family="attribute",
    paper="arXiv:2211.10459",
    patients={"reference": 8},
    standard={"steps": 1000},
    full={"steps": 3000},
)
def attribute_inference(
    target: Target,
    candidates: ImageSet,
    aux: Auxiliary,
    *,
    level: Annotated[
        float, Field(gt=0, lt=1, description="share of strangers about whom a released image is believed as well")
    ] = 0.01,
    classes: Annotated[int, Field(ge=2, le=10, description="size classes of a lesion, equally large")] = 3,
    steps: Annotated[int, Field(ge=1, description="training steps of the copy detector")] = 200,
    batch: Annotated[int, Field(ge=4, description="patients in a training batch of the copy detector")] = 32,
) -> AttributeScores:
    """A patient's class, centre or lesion size is read off the released image that most resembles the patient.

    After Giomi et al. (A unified framework for quantifying privacy risk in synthetic data, PoPETs 2023,
    arXiv:2211.10459): the hidden attribute is that of the nearest synthetic record, in pixels or in the embedding of a
    copy detector (Dar et al., arXiv:2402.01054), whichever is surer. Unlike there it is only believed where it comes
    nearer than to all but ``level`` of the reference patients; for everybody else the attacker stays with the guess
    from general knowledge, a ridge classifier of looks trained on the reference patients, whose attributes are known.
    So what is true of everybody counts as known, and what differs between the two guesses is due to single images.

    Where each reference patient has one value, all images of a candidate are taken together, the surest speaking for
    all. Of a mask the size of the lesion is asked, in classes of equally many reference images.

    Raises:
        SkippedError: if there is no attribute that both the release and the reference show.
    """
    samples, reference = target.samples, aux.reference
    wanted, notes = _attributes(samples, reference, classes)
    if not wanted:
        raise SkippedError(f"there is no attribute to infer: {'; '.join(notes)}")
    matches = _matches(samples, candidates, aux, steps, batch, level)
    found = []
    with aux.context.progress.task("guessing attributes", total=len(wanted)) as step:
        for attribute, edges in wanted.items():
            known, told = attribute_of(reference, attribute, edges), attribute_of(samples, attribute, edges)
            assert known is not None
            assert told is not None
            pooled = _one_a_patient(known, reference.patient)

            def by_looks(known: Values = known, pooled: bool = pooled) -> Arrays:
                names, code = np.unique(known, return_inverse=True)
                looks = told_by_looks(reference, code, candidates, pooled=pooled)
                return {"class": looks, "classes": np.arange(len(names))}

            looks = aux.context.kept(f"{attribute} by looks", by_looks, candidates, reference, float(classes))
            prior = np.unique(known)[looks["class"]]
            image, believed = matches.believed(candidates.patient, reference.patient, level, pooled=pooled)
            guess = prior.astype(np.result_type(prior, told))
            guess[believed] = told[image[believed]]
            found.append(AttributeGuesses(attribute, guess, prior, believed, edges))
            step(1, attribute)
    return AttributeScores(tuple(found), tuple(notes))


def _attributes(samples: ImageSet, reference: ImageSet, classes: int) -> tuple[dict[str, tuple[float, ...]], list[str]]:
    """What can be asked, with the edges of its classes, and why the rest cannot."""
    wanted: dict[str, tuple[float, ...]] = {}
    notes = []
    for attribute in ATTRIBUTES:
        edges: tuple[float, ...] = ()
        if attribute == "mask" and reference.mask is not None:
            shares = np.arange(1, classes) / classes
            edges = tuple(np.unique(np.quantile(lesion_area(reference.mask), shares)).tolist())
        known = attribute_of(reference, attribute, edges)
        if known is None or getattr(samples, attribute) is None:
            who = "reference patients" if known is None else "released images"
            notes.append(f"{WORDS[attribute]}: the {who} have none")
        elif len(np.unique(known)) < 2:
            notes.append(f"{WORDS[attribute]}: all reference patients are of one class")
        else:
            wanted[attribute] = edges
    return wanted, notes


def _one_a_patient(values: Values, patient: Names) -> bool:
    """Whether no patient has two values."""
    names, codes = np.unique(patient, return_inverse=True)[1], np.unique(values, return_inverse=True)[1]
    pairs = np.unique(np.stack([names, codes]), axis=1)
    return len(pairs[0]) == int(names.max()) + 1


def _matches(samples: ImageSet, candidates: ImageSet, aux: Auxiliary, steps: int, batch: int, level: float) -> Matches:
    """The released image that each candidate most resembles, compared with what strangers resemble."""
    device = aux.context.device
    network = copy_detector(aux.reference, aux.shared, steps=steps, batch=batch)

    def vectors(images: ImageSet) -> ImageSet:
        return spaces.vectors(images, embedded(network, images.pixels, device))

    plain = (samples, candidates, aux.reference)
    compared: list[tuple[str, tuple[ImageSet, ...], Compare]] = [
        ("pixels", plain, partial(spaces.pixels, device=device)),
        ("embedding", tuple(vectors(images) for images in plain), partial(spaces.between_vectors, device=device)),
    ]
    found: list[tuple[Near, FloatArray, FloatArray]] = []
    for space, (released, asked, known), compare in compared:

        def usual(asked: ImageSet = asked, known: ImageSet = known, compare: Compare = compare) -> Arrays:
            return {
                "candidates": nearest_image(asked, known, compare).distance,
                "reference": nearest_image(known, known, compare, siblings=False).distance,
            }

        ordinary = aux.context.kept(f"{space} to reference", usual, asked, known)
        near = nearest_image(asked, released, compare)
        strangers = nearest_image(known, released, compare)
        found.append(
            (
                near,
                closeness(near.distance, ordinary["candidates"]),
                closeness(strangers.distance, ordinary["reference"]),
            )
        )
    return Matches.of(found, level)
