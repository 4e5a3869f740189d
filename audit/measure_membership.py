"""Membership scores -> ROC AUC, TPR at FPR, ROC curve, by patient and by image."""

import numpy as np

from .auc import auc_detectable, auc_interval
from .context import Context
from .measured import Measured, Truth
from .record import Estimate, Plot, Series
from .stats import (
    proportion_interval,
    reduce_by_patient,
    resolvable,
    roc_auc,
    roc_curve,
    tpr_at_fpr,
)
from .types import FloatArray, MembershipScores

FPRS = (0.1, 0.01, 0.001)
CURVE_POINTS = 400


def measure_membership(scores: MembershipScores, truth: Truth, context: Context) -> Measured:
    """A patient's score is the largest of its images'; image-level results stand beside it.

    Returns:
        ``auc`` (group "" by patient, "images" by image; two-sided) and ``tpr@fpr`` by patient.
    """
    from scipy.stats import mannwhitneyu

    patients, by_patient = reduce_by_patient(scores.score, truth.candidates.patient)
    is_member, _ = truth.of_patients(patients)
    members, others = by_patient[is_member], by_patient[~is_member]
    own = (patients[is_member], patients[~is_member])
    interval = auc_interval(members, others, own, context.confidence)
    estimates = [
        Estimate(
            name="auc",
            value=roc_auc(members, others),
            low=interval.low,
            high=interval.high,
            null=0.5,
            n=len(patients),
            unit="patient",
            worse="both",
            detectable=auc_detectable(len(members), len(others)),
            p_value=float(mannwhitneyu(members, others, alternative="two-sided").pvalue),
            method="largest score of each patient; DeLong variance, logit, Student's t; Mann-Whitney",
        )
    ]
    image_members, image_others = scores.score[truth.member], scores.score[~truth.member]
    owners = (truth.candidates.patient[truth.member], truth.candidates.patient[~truth.member])
    interval = auc_interval(image_members, image_others, owners, context.confidence)
    estimates.append(
        Estimate(
            name="auc",
            group="images",
            value=roc_auc(image_members, image_others),
            low=interval.low,
            high=interval.high,
            null=0.5,
            n=len(scores.score),
            unit="image",
            worse="both",
            method="Obuchowski variance by patient, logit, Student's t",
        )
    )
    estimates.extend(_tpr(members, others, fpr, context.confidence) for fpr in FPRS)
    fpr, tpr = roc_curve(members, others)
    keep = np.unique(np.linspace(0, len(fpr) - 1, CURVE_POINTS).astype(int))
    plot = Plot(
        name="ROC by patient",
        kind="roc",
        x_label="false positive rate (holdout patients called members)",
        y_label="true positive rate (members recognised)",
        series=(Series(label="attack", x=tuple(fpr[keep].tolist()), y=tuple(tpr[keep].tolist())),),
    )
    return Measured(tuple(estimates), (plot,), scores.notes)


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
