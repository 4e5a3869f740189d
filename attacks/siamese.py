"""Re-identification by a trained verifier."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..audit.context import Auxiliary
from ..audit.errors import InvalidError
from ..audit.plugin import attack
from ..audit.target import Target
from ..audit.types import ImageSet, LinkageScores, Names, PairScores, Pixels
from .verifier import ALTERED, Schedule, Verifier, trained, views_of

STOPPING, TESTING = 0.15, 0.25  # shares of the reference patients
PAIRS = 50_000  # of two patients that are kept at most


@attack(
    family="reidentification",
    paper="doi:10.1038/s41598-022-19045-3",
    patients={"reference": 8},
    standard={"steps": 3000, "width": 24},
    full={"steps": 10000, "width": 32},
)
def siamese(
    target: Target,
    candidates: ImageSet,
    aux: Auxiliary,
    *,
    steps: Annotated[int, Field(ge=1, description="optimiser steps at most")] = 600,
    batch: Annotated[int, Field(ge=2, description="patients in a batch, two images each")] = 32,
    rate: Annotated[float, Field(gt=0, description="highest learning rate")] = 3e-3,
    patience: Annotated[
        int, Field(ge=1, description="checks, every 25 steps, without improvement before it stops")
    ] = 24,
    width: Annotated[int, Field(ge=4, multiple_of=4, description="channels of the first layer")] = 16,
) -> LinkageScores:
    """A verifier trained to tell whether two images show one patient links synthetic images to real patients.

    Packhaeuser et al., Scientific Reports 2022. The reference patients are divided: most train the verifier, some stop
    it, and the rest, unseen, show its power on real pairs and on altered copies before anything is said of synthetic
    images.

    Raises:
        InvalidError: if too few reference patients are left to show any power.
    """
    context = aux.context
    reference = aux.reference
    order = context.rng("division").permutation(reference.patients)
    stop, test = (max(2, round(share * len(order))) for share in (STOPPING, TESTING))
    if len(order) < stop + test + 2:
        raise InvalidError(
            f"siamese: {len(order)} reference patients cannot train, stop and test a verifier; "
            f"at least {stop + test + 2} needed"
        )
    testing, stopping, training = (
        reference.take(np.isin(reference.patient, names))
        for names in (order[:test], order[test : test + stop], order[test + stop :])
    )
    verifier = trained(training, stopping, width, Schedule(steps, batch, rate, patience), context)
    notes = [f"verifier trained on {len(training.patients)} reference patients, power shown on {test} others"]
    if len(training.patients) == len(training):
        notes.append("one image a patient: same-patient pairs for training are altered views of one image")
    power = _power(verifier, testing, aux)
    if all(p.name != "unseen patients" for p in power):
        notes.append("one image a patient: no power on real pairs could be shown, only on altered copies")
    return LinkageScores(
        similarity=verifier.scores(target.samples.pixels, candidates.pixels, context.device),
        strangers=verifier.scores(testing.pixels, candidates.pixels, context.device),
        power=power,
        notes=tuple(notes),
    )


def _power(verifier: Verifier, images: ImageSet, aux: Auxiliary) -> tuple[PairScores, ...]:
    """What the verifier says of real pairs (where a patient has two images) and of altered copies."""
    context = aux.context
    views = views_of(images.pixels, ALTERED, context.torch_rng("altered copies"))
    once = np.triu(np.ones((len(images), len(images)), bool), 1)
    same = images.patient[:, None] == images.patient[None]
    rng = context.rng("different pairs")
    found = []
    if (same & once).any():
        scores = verifier.scores(images.pixels, images.pixels, context.device)
        found.append(_pairs("unseen patients", scores, same & once, ~same & once, images.patient, rng))
    scores = verifier.scores(views, images.pixels, context.device)
    found.append(_pairs("perturbed copies", scores, np.eye(len(images), dtype=bool), ~same, images.patient, rng))
    return tuple(found)


def _pairs(
    name: str,
    scores: Pixels,
    same: NDArray[np.bool_],
    different: NDArray[np.bool_],
    patient: Names,
    rng: np.random.Generator,
) -> PairScores:
    genuine, impostor = np.argwhere(same), np.argwhere(different)
    if len(impostor) > PAIRS:
        impostor = impostor[np.sort(rng.choice(len(impostor), PAIRS, replace=False))]
    return PairScores(
        name=name,
        same=scores[tuple(genuine.T)].astype(np.float64),
        different=scores[tuple(impostor.T)].astype(np.float64),
        same_patient=patient[genuine[:, 0]],
        different_patient=patient[impostor[:, 0]],
    )
