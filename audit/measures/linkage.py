"""Verifier similarities -> power on real pairs first, then linked images and patients, and retrieval."""

import numpy as np
from numpy.typing import NDArray

from ..context import Context
from ..record import Estimate, Plot
from ..statistics.stats import permutation_p_value, shuffle_within
from ..types import LinkageScores
from .excess import PERMUTATIONS, image_excess, patient_excess
from .linkage_agreement import measure_agreement
from .linkage_power import no_real_pairs, robustness, verifier_auc, verifier_recall, verifier_retrieval
from .links import FALSE_IDENTIFICATION_RATE, Linkage
from .measured import Measured, Truth, histogram
from .retrieval import measure_retrieval
from .subgroups import Groups, excess_by_group, subgroups

POWER_AUC = 0.9
TAIL = (1, 2, 5)  # released images linked to one patient
ONE_IMAGE = "no reference patient has two images: only altered copies could show power, which is none to tell a person"


def measure_linkage(scores: LinkageScores, truth: Truth, context: Context) -> Measured:
    """Nothing is claimed from a verifier that cannot re-identify real pairs: then only its power is reported.

    A released image counts as linked if its best match among the members' images is better than that of all but 2% of
    strangers (real images of patients who are no candidates): one search in a gallery, not one pair, is the unit of a
    false match. The same is counted against as many holdout patients.

    Where no pair of real images could be shown, altered copies decide whether anything is claimed. What is linked then
    is linked, but having linked nothing is no pass: ``verifier_auc`` of real pairs has no value, which the gate heeds.

    Returns:
        Of the verifier: ``verifier_auc``, ``verifier_recall``, ``verifier_map@r``, ``verifier_precision@1`` by kind of
        pair or search, ``verifier_agreement`` and ``agreed_links``. Of the release: ``linked_excess`` (share of
        released images that match a member, beyond the share that match a holdout patient; also across visits, and of
        each verifier), ``linked_patients`` (also by several images, by centre, by class), and ``map@r``,
        ``r_precision``, ``precision@1`` with their lifts over chance.
    """
    first, *others = scores.power
    decisive = verifier_auc(first, context)
    power = [decisive, *(verifier_auc(pairs, context) for pairs in others if pairs.strength == 1)]
    assert decisive.value is not None
    if first.alteration:
        power.insert(0, no_real_pairs(ONE_IMAGE))
    if decisive.value < POWER_AUC:
        what = f"altered copies ({decisive.group})" if first.alteration else f"real pairs ({decisive.group})"
        reason = f"the verifier's AUC on {what} is {decisive.value:.2f}, below {POWER_AUC}"
        return Measured(tuple(power), (), scores.notes, invalid=f"{reason}: it could not have found a linkage")

    linkage = Linkage.of(scores, truth)
    recall = [verifier_recall(pairs, linkage.threshold, context) for pairs in scores.power]
    documented = [e for e, pairs in zip(recall, scores.power, strict=True) if pairs.strength >= 1] or recall
    power += recall
    if max(e.low or 0.0 for e in documented) <= FALSE_IDENTIFICATION_RATE:
        reason = "at the threshold for linkage the verifier recognises hardly a real pair or altered copy"
        return Measured(tuple(power), (), scores.notes, invalid=f"{reason}: it could not have found a linkage")
    power += [e for search in scores.searches for e in verifier_retrieval(search, context)]

    member, _ = truth.of_patients(truth.candidates.patients)
    estimates = [
        _excess(linkage, member, context, p_value=_p_value(linkage, truth, context)),
        *_across_visits(scores, truth, context),
        *_patients(linkage, member, subgroups(truth, truth.candidates.patients), context),
        *measure_retrieval(scores.similarity, truth, context),
        *power,
        *measure_agreement(scores, truth, member, context),
    ]
    for i, own in enumerate(scores.verifiers):
        estimates.append(_excess(Linkage.of(own, truth), member, context, f"verifier {i + 1}"))
        estimates.append(verifier_auc(own.power[0], context, f"verifier {i + 1}"))
    curve = robustness(scores.power, linkage.threshold)
    plots = (_histogram(linkage, member), *(() if curve is None else (curve,)))
    return Measured(tuple(estimates), plots, scores.notes)


def _p_value(linkage: Linkage, truth: Truth, context: Context) -> float:
    """How often patients permuted within centres give as much evidence against members."""
    member, strata = truth.of_patients(truth.candidates.patients)
    rng = context.rng("permutations")

    def surplus(division: NDArray[np.bool_]) -> float:
        ours, theirs = linkage.recognise(division)
        return float(ours.sum() - theirs.sum())

    null = np.array([surplus(member[shuffle_within(strata, rng)]) for _ in range(PERMUTATIONS)])
    return permutation_p_value(surplus(member), null)


def _excess(
    linkage: Linkage, member: NDArray[np.bool_], context: Context, group: str = "", p_value: float | None = None
) -> Estimate:
    """The share of released images linked to a member, beyond holdout; without a p-value where none was computed."""
    hits = linkage.hits(member)
    what = f"matches at {FALSE_IDENTIFICATION_RATE:.0%} false identifications of strangers; "
    matched = linkage.nearest(~member)[1]
    estimate = image_excess(
        "linked_excess", group, hits, 1.0 if p_value is None else p_value, context.confidence, what, matched
    )
    linked, control = (int(side.sum()) for side in hits)
    note = f"{linked} of {len(hits[0])} released images match a member, {control} a holdout patient"
    update: dict[str, object] = {"note": note}
    if p_value is None:
        update |= {"p_value": None, "method": estimate.method.partition("; p-value")[0]}
    return estimate.model_copy(update=update)


def _across_visits(scores: LinkageScores, truth: Truth, context: Context) -> list[Estimate]:
    """The same where a match must hold in two examinations of the patient; nothing where there are no two."""
    linkage = Linkage.across_visits(scores, truth)
    if linkage is None:
        return []
    member, _ = truth.of_patients(truth.candidates.patients)
    estimate = _excess(linkage, member, context, "across visits")
    note = f"{estimate.note}, in two examinations each"
    return [estimate.model_copy(update={"note": note})]


def _patients(linkage: Linkage, member: NDArray[np.bool_], groups: Groups, context: Context) -> list[Estimate]:
    """How many patients are linked to by one released image or more, by two, by five; by one in each group."""

    def counts(group: NDArray[np.bool_]) -> NDArray[np.intp]:
        hit, column = linkage.nearest(group)
        return np.bincount(column[hit], minlength=len(member))[group]

    ours, theirs = counts(member), counts(~member)
    what = "best match of each released image; "
    found = []
    for least in TAIL:
        exposed, control = (int((side >= least).sum()) for side in (ours, theirs))
        group = "" if least == 1 else f"by {least} images or more"
        found.append(patient_excess("linked_patients", exposed, control, member, context.confidence, what, group=group))
    most = f"{found[0].note}; {int(ours.max(initial=0))} images at most for one member"
    found[0] = found[0].model_copy(update={"note": most})
    linked = np.zeros(len(member), dtype=bool)
    linked[member], linked[~member] = ours >= 1, theirs >= 1
    return [*found, *excess_by_group("linked_patients", linked, member, groups, context.confidence, what)]


def _histogram(linkage: Linkage, member: NDArray[np.bool_]) -> Plot:
    groups = {
        "synthetic to best member": -linkage.ranking.nearest_in(member)[0],
        "synthetic to best holdout": -linkage.ranking.nearest_in(~member)[0],
        "strangers to best of either": linkage.strangers,
    }
    return histogram("similarity", "verifier score (higher: more likely one patient)", groups)
