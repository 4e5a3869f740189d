"""Membership scores -> ROC AUC, TPR at FPR, ROC curve, by patient and by image."""

import math

import numpy as np
from numpy.typing import NDArray

from ..context import Context
from ..record import Estimate, Plot, Series
from ..statistics.auc import auc_detectable, auc_interval, auc_without_blocks
from ..statistics.stats import (
    SIGNIFICANCE,
    proportion_interval,
    reduce_by_patient,
    resolvable,
    roc_auc,
    roc_curve,
    tpr_at_fpr,
)
from ..types import FloatArray, MembershipScores, Names
from .measured import Measured, Truth

FPRS = (0.1, 0.01, 0.001)
CURVE_POINTS = 400
TIED = 0.8  # of all pairs: beyond that no leak could move the AUC out of 0.4 to 0.6, where the verdict lets it pass
SOME_TIED = 0.1  # of all pairs: worth a note
NULL = 0.5
MEAN = "mean of images"


def measure_membership(scores: MembershipScores, truth: Truth, context: Context) -> Measured:
    """A patient's score is the largest of its images'; their mean and image-level results stand beside it.

    Returns:
        ``auc`` (group "" by patient; "mean of images" by patient, where patients have several; "images" by image; all
        two-sided) and ``tpr@fpr`` by patient. Invalid where scores are tied so often that they say nothing.
    """
    patients, by_patient = reduce_by_patient(scores.score, truth.candidates.patient)
    is_member, _ = truth.of_patients(patients)
    members, others, names = by_patient[is_member], by_patient[~is_member], truth.names(patients)
    if 2 / math.comb(len(patients), len(members)) > SIGNIFICANCE:
        few = _too_few(len(members), len(others))
        return Measured((few,), notes=(*scores.notes, few.note))
    largest = _by_patient(by_patient, is_member, names, context.confidence, "largest")
    tied = _tied(members, others)
    if tied == 1:
        return Measured((_lost(largest, "constant scores say nothing"),), notes=scores.notes, invalid=_constant(scores))
    estimates = [largest]
    if len(scores.score) > len(patients):
        owner = np.searchsorted(patients, truth.candidates.patient)
        average = np.bincount(owner, scores.score) / np.bincount(owner)
        estimates.append(_by_patient(average, is_member, names, context.confidence, "mean"))
    estimates.append(_by_image(scores.score, truth, context.confidence))
    estimates.extend(_tpr(members, others, fpr, context.confidence) for fpr in FPRS)
    significant = largest.p_value is not None and largest.p_value <= SIGNIFICANCE
    said = f"{tied:.0%} of all pairs of a member and another patient have tied scores"
    notes = list(scores.notes)
    if largest.value is not None and largest.value < NULL and significant:
        notes.append(
            "direction inverted: members score LOWER than others; this is a leak too, for the answer only has to be "
            "turned around (TPR at FPR is not turned)"
        )
    if tied > SOME_TIED:
        notes.append(f"{said}, which count one half")
    invalid = ""
    if tied > TIED and not significant:
        invalid = f"{said}: whatever leaked, the AUC would lie between {tied / 2:.2f} and {1 - tied / 2:.2f}"
    return Measured(tuple(estimates), (_roc(members, others),), tuple(notes), invalid)


def _by_patient(score: FloatArray, is_member: NDArray[np.bool_], names: Names, confidence: float, how: str) -> Estimate:
    """The AUC of one score a patient."""
    from scipy.stats import mannwhitneyu

    members, others = score[is_member], score[~is_member]
    interval = auc_interval(members, others, (names[is_member], names[~is_member]), confidence)
    return Estimate(
        name="auc",
        group="" if how == "largest" else MEAN,
        value=roc_auc(members, others),
        low=interval.low,
        high=interval.high,
        null=NULL,
        n=len(names),
        unit="patient",
        worse="both",
        detectable=auc_detectable(len(members), len(others)),
        p_value=float(mannwhitneyu(members, others, alternative="two-sided").pvalue),
        method=f"{how} score of each patient's images; DeLong variance, logit, Student's t; Mann-Whitney",
        blocks=auc_without_blocks(score, is_member, names),
    )


def _by_image(score: FloatArray, truth: Truth, confidence: float) -> Estimate:
    members, others = score[truth.member], score[~truth.member]
    owners = (truth.candidates.patient[truth.member], truth.candidates.patient[~truth.member])
    interval = auc_interval(members, others, owners, confidence)
    return Estimate(
        name="auc",
        group="images",
        value=roc_auc(members, others),
        low=interval.low,
        high=interval.high,
        null=NULL,
        n=len(score),
        unit="image",
        worse="both",
        method="Obuchowski variance by patient, logit, Student's t",
        blocks=auc_without_blocks(score, truth.member, truth.patient),
    )


def _too_few(members: int, others: int) -> Estimate:
    """No AUC: even members who all score higher than all others could be chance."""
    return Estimate(
        name="auc",
        value=None,
        null=NULL,
        n=members + others,
        unit="patient",
        worse="both",
        note=f"with {members} members and {others} others even complete separation could be chance (p > 0.05); "
        "four of each are the fewest that can tell",
    )


def _tied(members: FloatArray, others: FloatArray) -> float:
    """The share of pairs of a member and another patient with one score."""
    values, counts = np.unique(others, return_counts=True)
    at = np.minimum(np.searchsorted(values, members), len(values) - 1)
    return float(np.where(values[at] == members, counts[at], 0).sum() / (len(members) * len(others)))


def _lost(estimate: Estimate, note: str) -> Estimate:
    """``estimate`` without a number."""
    return estimate.model_copy(
        update={
            "value": None,
            "low": None,
            "high": None,
            "p_value": None,
            "detectable": None,
            "blocks": (),
            "note": note,
        }
    )


def _constant(scores: MembershipScores) -> str:
    return f"all patients of {len(scores.score)} candidate images have the same score: constant scores say nothing"


def _roc(members: FloatArray, others: FloatArray) -> Plot:
    fpr, tpr = roc_curve(members, others)
    keep = np.unique(np.linspace(0, len(fpr) - 1, CURVE_POINTS).astype(int))
    return Plot(
        name="ROC by patient",
        kind="roc",
        x_label="false positive rate (holdout patients called members)",
        y_label="true positive rate (members recognised)",
        series=(Series(label="attack", x=tuple(fpr[keep].tolist()), y=tuple(tpr[keep].tolist())),),
    )


def _tpr(members: FloatArray, others: FloatArray, fpr: float, confidence: float) -> Estimate:
    name = f"tpr@fpr={fpr:g}"
    if not resolvable(fpr, len(others), confidence):
        return Estimate(
            name=name,
            value=None,
            null=fpr,
            n=len(others),
            unit="patient",
            worse="higher",
            note=f"not resolvable with {len(others)} holdout patients",
        )
    caught, _ = tpr_at_fpr(members, others, fpr)
    interval = proportion_interval(caught, len(members), confidence, "wilson")
    return Estimate(
        name=name,
        value=caught / len(members),
        low=interval.low,
        high=interval.high,
        null=fpr,
        n=len(members),
        unit="patient",
        worse="higher",
        method="threshold whose empirical FPR does not exceed the target; Wilson, given the threshold",
    )
