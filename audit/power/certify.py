"""Certifies an attack: plants leaks of known kind and share, and asks the attack's own test for them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..candidates import without_attributes
from ..context import Context
from ..errors import SkippedError
from ..making import Opened
from ..measures.links import links_under
from ..measures.measured import Truth
from ..measures.memorization import copies_under
from ..record import Measurement
from ..statistics.stats import reduce_by_patient
from ..types import (
    AttackScores,
    AttributeScores,
    ImageSet,
    LinkageScores,
    MembershipScores,
    MemorizationScores,
    Names,
    Split,
    concatenate,
)
from .certificate import Depth, certificate_of
from .curve import PowerCurve
from .planting import Planted, plant
from .simulated_audits import by_counting, by_overfitting, by_running
from .simulated_guards import Guarded, by_guarding
from .simulated_guesses import by_guessing

Attack = Callable[[ImageSet, ImageSet, Opened | None], AttackScores]
"""The attack with its options: on released images, candidates and an opened model where it needs one."""
Overfit = Callable[[ImageSet], Opened]
"""Trains the audited generator on a few patients only, for long."""

UNKNOWN_FOR_KNOWN = 2


def certify_on_samples(
    attack: Attack,
    family: str | None,
    truth: Truth,
    split: Split,
    depth: Depth,
    context: Context,
    guarded: Guarded | None = None,
) -> Measurement:
    """How small a share of altered copies among the released images the attack detects, for every kind.

    Memorization and re-identification attacks score every image on its own, so one run on released and planted images
    together serves all simulated audits; a membership attack runs again for each share of each kind. If the release was
    guarded, members also lie in holes of it, which is a leak of its own: see ``by_guarding``. An attack that looks for
    those alone has nothing to say of copies.

    Args:
        attack: with its options.
        family: of the attack.
        truth: of the audit; who really was a member is not used, only how many.
        split: for the backgrounds that lesions are pasted on: public images, else the reference patients'.
        depth: how closely to measure.
        context: randomness and progress.
        guarded: for a membership attack on a guarded release.

    Raises:
        SkippedError: if the attack has nothing to say of any leak.
    """
    confidence = context.confidence
    context = context.under("certificate")
    backgrounds = split.reference if split.public is None else split.public
    each = len(truth.candidates.patients) if family in {"membership", "attribute"} else depth.each
    planted = plant(truth.candidates, backgrounds, truth.samples, each, context)
    if family == "membership":

        def membership(samples: ImageSet) -> MembershipScores:
            scores = attack(samples, truth.candidates, None)
            assert isinstance(scores, MembershipScores)
            return scores

        holes = by_guarding(guarded, truth, context) if guarded else {}
        try:
            copies = by_running(membership, truth, planted, depth, context)
        except SkippedError:
            if not holes:
                raise
            return certificate_of(holes, "patient", confidence)
        found = [certificate_of(copies, "image", confidence)]
        found += [certificate_of(holes, "patient", confidence)] if holes else []
        return Measurement(
            estimates=tuple(e for part in found for e in part.estimates),
            plots=tuple(p for part in found for p in part.plots),
        )
    if family == "attribute":
        hidden = without_attributes(truth.candidates)

        def guesses(samples: ImageSet) -> AttributeScores:
            scores = attack(samples, hidden, None)
            assert isinstance(scores, AttributeScores)
            return scores

        return certificate_of(by_guessing(guesses, truth, planted, depth, context), "image", confidence)
    return certificate_of(_counted(attack, truth, planted, depth, context), "image", confidence)


def _counted(attack: Attack, truth: Truth, planted: Planted, depth: Depth, context: Context) -> dict[str, PowerCurve]:
    both = concatenate(truth.samples, planted.images)
    scores = attack(both, truth.candidates, None)
    joined = replace(truth, samples=both)
    if isinstance(scores, MemorizationScores):
        return by_counting(copies_under(scores, joined), truth, planted, depth, context)
    assert isinstance(scores, LinkageScores)
    return by_counting(links_under(scores, joined), truth, planted, depth, context)


def certify_on_denoiser(attack: Attack, overfit: Overfit, truth: Truth, depth: Depth, context: Context) -> Measurement:
    """How many member patients a model must be overfitted to until the attack detects it.

    Args:
        attack: with its options.
        overfit: trains the generator on known patients.
        truth: of the audit; who really was a member is not used, only how many.
        depth: how closely to measure.
        context: randomness and progress.
    """
    confidence = context.confidence
    context = context.under("certificate")
    candidates = truth.candidates
    patients = np.unique(candidates.patient)
    member, strata = truth.of_patients(patients)
    wanted = max(2, round(depth.known * len(patients)))
    # Not the attack's own place in the tree of seeds: all of an audit's attacks are asked about the same patients, so
    # that one model is overfitted for all of them.
    order = _evenly(strata, replace(context, path=("certificate",)).rng("known"))
    known = np.isin(candidates.patient, patients[order[:wanted]])
    asked = np.isin(candidates.patient, patients[order[: (1 + UNKNOWN_FOR_KNOWN) * wanted]])
    opened = overfit(candidates.take(known))
    questions = candidates.take(asked)
    scores = attack(truth.samples, questions, opened)
    assert isinstance(scores, MembershipScores)
    names, score = reduce_by_patient(scores.score, questions.patient)
    seen = np.isin(names, patients[order[:wanted]])
    sizes = int(member.sum()), int((~member).sum())
    found = certificate_of(by_overfitting(score, seen, sizes, context), "patient", confidence)
    note = f"power: the generator was overfitted to {wanted} patients and asked about {len(names)}"
    return found.model_copy(update={"notes": (note,)})


def _evenly(strata: Names, rng: np.random.Generator) -> NDArray[np.intp]:
    """A random order in which every first part holds the strata in their proportions, as nearly as can be."""
    order = rng.permutation(len(strata))
    place = np.empty(len(strata))
    for stratum in np.unique(strata):
        own = order[strata[order] == stratum]
        place[own] = (np.arange(len(own)) + rng.random()) / len(own)
    return np.argsort(place, kind="stable")
