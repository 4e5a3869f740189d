"""Re-identification by trained verifiers."""

from typing import Annotated

import numpy as np
from pydantic import Field

from ..audit.context import Auxiliary, Context
from ..audit.errors import InvalidError
from ..audit.plugin import attack
from ..audit.target import Target
from ..audit.types import ImageSet, LinkageScores
from .ensemble import Ensemble, averaged
from .verifier import Schedule, trained
from .verifier_power import power_of

STOPPING, TESTING = 0.15, 0.25  # shares of the reference patients


@attack(
    family="reidentification",
    paper="doi:10.1038/s41598-022-19045-3",
    patients={"reference": 8},
    standard={"steps": 3000, "width": 24, "verifiers": 3},
    full={"steps": 10000, "width": 32, "verifiers": 5},
)
def siamese(
    target: Target,
    candidates: ImageSet,
    aux: Auxiliary,
    *,
    verifiers: Annotated[
        int, Field(ge=1, le=20, description="networks trained from different seeds; their mean links")
    ] = 1,
    steps: Annotated[int, Field(ge=1, description="optimiser steps at most")] = 600,
    batch: Annotated[int, Field(ge=2, description="patients in a batch, two images each")] = 32,
    rate: Annotated[float, Field(gt=0, description="highest learning rate")] = 3e-3,
    patience: Annotated[
        int, Field(ge=1, description="checks, every 25 steps, without improvement before it stops")
    ] = 24,
    width: Annotated[int, Field(ge=4, multiple_of=4, description="channels of the first layer")] = 16,
) -> LinkageScores:
    """Verifiers trained to tell whether two images show one patient link synthetic images to real patients.

    Packhaeuser et al., Scientific Reports 2022. The reference patients are divided: most train the verifiers, some stop
    them, and the rest, unseen, show their power on real pairs and on altered copies before anything is said of
    synthetic images. Scores are in standard deviations of pairs that show two patients.

    Raises:
        InvalidError: if too few reference patients are left to show any power.
    """
    context = aux.context
    training, stopping, testing = _divided(aux.reference, context)
    schedule = Schedule(steps, batch, rate, patience)
    seeds = [context, *(context.under(f"verifier {i}") for i in range(2, verifiers + 1))]
    networks = [trained(training, stopping, width, schedule, own) for own in seeds]
    ensemble = Ensemble.of(networks, testing, context.device)
    shown = power_of(ensemble, testing, context)
    gallery = ensemble.vectors(candidates.pixels)
    similarity = ensemble.each(ensemble.vectors(target.samples.pixels), gallery)
    strangers = ensemble.each(ensemble.vectors(testing.pixels), gallery)
    each = tuple(LinkageScores(s, t, (p,)) for s, t, p in zip(similarity, strangers, shown.each, strict=True))
    return LinkageScores(
        similarity=averaged(similarity),
        strangers=averaged(strangers),
        power=shown.pairs,
        notes=_notes(training, testing, verifiers),
        searches=shown.searches,
        verifiers=each if verifiers > 1 else (),
    )


def _divided(reference: ImageSet, context: Context) -> list[ImageSet]:
    """Patients for training, for stopping, and for showing power."""
    order = context.rng("division").permutation(reference.patients)
    stop, test = (max(2, round(share * len(order))) for share in (STOPPING, TESTING))
    if len(order) < stop + test + 2:
        raise InvalidError(
            f"siamese: {len(order)} reference patients cannot train, stop and test a verifier; "
            f"at least {stop + test + 2} needed"
        )
    parts = order[test + stop :], order[test : test + stop], order[:test]
    return [reference.take(np.isin(reference.patient, names)) for names in parts]


def _notes(training: ImageSet, testing: ImageSet, verifiers: int) -> tuple[str, ...]:
    who = "a verifier was" if verifiers == 1 else f"{verifiers} verifiers were"
    notes = [f"{who} trained on {len(training.patients)} reference patients; {len(testing.patients)} others show power"]
    if len(training.patients) == len(training):
        notes.append("one image a patient: same-patient pairs for training are altered views of one image")
    if len(testing.patients) == len(testing):
        notes.append(
            "one image a patient: whether another image of the same person would be recognised could not be shown, "
            "only that altered copies are"
        )
    elif testing.visit is None:
        notes.append("no examinations are stated: whether patients are recognised at another one was not asked")
    return tuple(notes)
