"""Verifier similarities -> power on real pairs first, then linked images and patients against holdout, and mAP@R."""

import numpy as np
from numpy.typing import NDArray

from .auc import auc_interval
from .clustered import mean_interval
from .context import Context
from .excess import PERMUTATIONS, Recognise, evidence, image_excess, patient_excess
from .measured import Measured, Truth, histogram
from .record import Estimate
from .stats import (
    average_precision_at_r,
    chance_map_at_r,
    permutation_p_value,
    roc_auc,
    shuffle_within,
)
from .types import FloatArray, Index, LinkageScores, Names, PairScores, Pixels, Ranking

FALSE_IDENTIFICATION_RATE = 0.02
POWER_AUC = 0.9
TINY = 1e-9


def measure_linkage(scores: LinkageScores, truth: Truth, context: Context) -> Measured:
    """Nothing is claimed from a verifier that cannot re-identify real pairs: then only its power is reported.

    A released image counts as linked if its best match among the members' images is better than that of all but 2% of
    strangers (real images of patients who are no candidates): one search in a gallery, not one pair, is the unit of a
    false match. The same is counted against as many holdout patients.

    Returns:
        ``verifier_auc`` by kind of real pair; ``linked_excess`` (share of released images that match a member, beyond
        the share that match a holdout patient), ``linked_patients``, ``map@r`` and ``map@r_lift``.
    """
    power = [_verifier_auc(pairs, context) for pairs in scores.power]
    first = power[0]
    assert first.value is not None
    if first.value < POWER_AUC:
        reason = f"the verifier's AUC on real pairs ({first.group}) is {first.value:.2f}, below {POWER_AUC}"
        return Measured(tuple(power), (), scores.notes, invalid=f"{reason}: it could not have found a linkage")

    strangers, threshold = _threshold(scores, truth)
    power += [_recall(pairs, threshold, context.confidence) for pairs in scores.power]
    if max(e.low or 0.0 for e in power if e.name == "verifier_recall") <= FALSE_IDENTIFICATION_RATE:
        reason = "at the threshold for linkage the verifier recognises hardly a real pair or altered copy"
        return Measured(tuple(power), (), scores.notes, invalid=f"{reason}: it could not have found a linkage")
    member, strata = truth.of_patients(truth.candidates.patients)
    ranking = Ranking.of(-scores.similarity, truth.candidates.patient)
    rng = context.rng("permutations")
    recognise = links_under(scores, truth)

    def surplus(division: NDArray[np.bool_]) -> float:
        ours, theirs = recognise(division)
        return float(ours.sum() - theirs.sum())

    null = np.array([surplus(member[shuffle_within(strata, rng)]) for _ in range(PERMUTATIONS)])
    p_value = permutation_p_value(surplus(member), null)
    estimates = [
        _linked_excess(ranking, member, -threshold, p_value, context.confidence),
        _linked_patients(ranking, member, -threshold, context.confidence),
        *_retrieval(scores.similarity, truth, context),
        *power,
    ]
    groups = {
        "synthetic to best member": -ranking.nearest_in(member)[0],
        "synthetic to best holdout": -ranking.nearest_in(~member)[0],
        "strangers to best of either": strangers.astype(np.float64),
    }
    plot = histogram("similarity", "verifier score (higher: more likely one patient)", groups)
    return Measured(tuple(estimates), (plot,), scores.notes)


def links_under(scores: LinkageScores, truth: Truth) -> Recognise:
    """Each sample's evidence of showing a patient of either side, for any division of the candidate patients.

    Beyond the threshold the strangers' best matches thin out exponentially, so evidence rises with the distance to it,
    in units of what strangers exceed it by on average.
    """
    strangers, threshold = _threshold(scores, truth)
    beyond = strangers[strangers > threshold] - threshold
    unit = max(float(beyond.mean()) if len(beyond) else float(strangers.std()), TINY)
    ranking = Ranking.of(-scores.similarity, truth.candidates.patient)

    def tail(distance: FloatArray) -> FloatArray:
        return FALSE_IDENTIFICATION_RATE * np.exp(np.minimum((threshold + distance) / unit, 0.0))

    def recognise(member: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
        near = ranking.nearest_in(member)[0], ranking.nearest_in(~member)[0]
        ours, theirs = (evidence(tail(side), FALSE_IDENTIFICATION_RATE) for side in near)
        return ours, theirs

    return recognise


def _threshold(scores: LinkageScores, truth: Truth) -> tuple[Pixels, float]:
    """The best match of each stranger in either gallery, and the score that 98% of them do not exceed."""
    strangers = np.concatenate([scores.strangers[:, side].max(axis=1) for side in (truth.member, ~truth.member)])
    return strangers, float(np.quantile(strangers, 1 - FALSE_IDENTIFICATION_RATE, method="higher"))


def _verifier_auc(pairs: PairScores, context: Context) -> Estimate:
    owners = (pairs.same_patient, pairs.different_patient)
    interval = auc_interval(pairs.same, pairs.different, owners, context.confidence)
    return Estimate(
        name="verifier_auc",
        group=pairs.name,
        value=roc_auc(pairs.same, pairs.different),
        low=interval.low,
        high=interval.high,
        null=0.5,
        n=len(pairs.same) + len(pairs.different),
        unit="pair",
        worse="none",
        method="real pairs of unseen patients; Obuchowski variance by patient, logit, Student's t",
    )


def _recall(pairs: PairScores, threshold: float, confidence: float) -> Estimate:
    """The share of pairs of one patient that would be linked: ranking pairs is not yet finding one in a gallery."""
    found, n = int((pairs.same > threshold).sum()), len(pairs.same)
    interval = mean_interval((pairs.same > threshold).astype(np.float64), pairs.same_patient, confidence)
    return Estimate(
        name="verifier_recall",
        group=pairs.name,
        value=found / n,
        low=interval.low,
        high=interval.high,
        null=FALSE_IDENTIFICATION_RATE,
        n=n,
        unit="pair",
        worse="none",
        method="real pairs of one unseen patient above the threshold for linkage; Wilson, by patient",
    )


def _linked(ranking: Ranking, member: NDArray[np.bool_], reach: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which images match a member, and which a holdout patient."""
    return ranking.nearest_in(member)[0] < reach, ranking.nearest_in(~member)[0] < reach


def _linked_excess(
    ranking: Ranking, member: NDArray[np.bool_], reach: float, p_value: float, confidence: float
) -> Estimate:
    hits = _linked(ranking, member, reach)
    what = f"matches at {FALSE_IDENTIFICATION_RATE:.0%} false identifications of strangers; "
    matched = ranking.nearest_in(~member)[1]
    estimate = image_excess("linked_excess", "", hits, p_value, confidence, what, matched)
    linked, control = (int(side.sum()) for side in hits)
    note = f"{linked} of {len(hits[0])} released images match a member, {control} a holdout patient"
    return estimate.model_copy(update={"note": note})


def _linked_patients(ranking: Ranking, member: NDArray[np.bool_], reach: float, confidence: float) -> Estimate:
    def linked(group: NDArray[np.bool_]) -> int:
        distance, column = ranking.nearest_in(group)
        return len(np.unique(column[distance < reach]))

    what = "best match of each released image; "
    return patient_excess("linked_patients", linked(member), linked(~member), member, confidence, what)


def _retrieval(similarity: Pixels, truth: Truth, context: Context) -> list[Estimate]:
    """mAP@R of the source patient's images among all members' images, where samples state their source."""
    source = truth.samples.source
    gallery = truth.patient[truth.member]
    known = np.zeros(len(similarity), dtype=bool) if source is None else np.isin(source, gallery)
    if source is None or not known.any():
        note = "no released image states the patient whose record conditioned it"
        unknown = Estimate(name="map@r", value=None, n=0, unit="image", worse="higher", note=note)
        return [unknown]
    queries = source[known]
    names, counts = np.unique(gallery, return_counts=True)
    relevant = counts[np.searchsorted(names, queries)]
    scores = similarity[known][:, truth.member]
    top = np.argsort(-scores, axis=1, kind="stable")[:, : int(counts.max())]
    ranked = gallery[top]

    def precision(asked: Names) -> FloatArray:
        match = ranked == asked[:, None]
        sizes = counts[np.searchsorted(names, asked)]
        return np.array([average_precision_at_r(row[:r]) for row, r in zip(match, sizes, strict=True)])

    each = precision(queries)
    chance = float(np.mean([chance_map_at_r(len(gallery), int(r)) for r in relevant]))
    value = float(each.mean())
    interval = mean_interval(each, queries, context.confidence)
    center = truth.samples.center
    strata = np.full(len(queries), "") if center is None else center[known]
    rng = context.rng("map@r", "permutations")
    null = np.array([precision(queries[shuffle_within(strata, rng)]).mean() for _ in range(199)])
    gallery_note = f"gallery of {len(gallery)} member images, R = {_span(relevant)}"
    n = len(queries)
    return [
        Estimate(
            name="map@r",
            n=n,
            unit="image",
            worse="higher",
            value=value,
            low=interval.low,
            high=interval.high,
            null=chance,
            p_value=permutation_p_value(value, null),
            method="Wilson, by source patient; sources permuted within centres",
            note=f"{gallery_note}; sources shuffled within centres give {null.mean():.4f}",
        ),
        Estimate(
            name="map@r_lift",
            n=n,
            unit="image",
            worse="higher",
            value=value / chance,
            low=interval.low / chance,
            high=interval.high / chance,
            null=1.0,
            method="mAP@R over its exact expectation for a random ranking",
            note=gallery_note,
        ),
    ]


def _span(counts: Index) -> str:
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low}-{high}"
