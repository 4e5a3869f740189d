"""Can members be told from holdout without any generator? Then no attack's success means anything.

After Das et al. (Blind Baselines Beat Membership Inference Attacks, arXiv 2406.16201).
"""

import numpy as np
from numpy.typing import NDArray

from ..record import Estimate
from ..statistics.auc import auc_detectable, auc_interval
from ..statistics.stats import permutation_p_value
from ..types import FloatArray, Index
from .inputs import HOW_TO_SPLIT, Comparison, Tested, permuted_members

FOLDS = 5
PERMUTATIONS = 1999  # enough for a p-value that survives the correction for a dozen tests at 1%
MOST = 1000  # patients on each side that the classifiers see
RIDGE = 0.3  # of the kernel's mean diagonal, times the number of patients in training
FARTHEST = 6.0  # standard deviations beyond which a feature counts no further


def check_blind(comparison: Comparison) -> Tested:
    """The better of a linear and a radial-basis kernel ridge classifier that sees real images only."""
    from scipy.stats import rankdata

    if comparison.too_few:
        return Tested(skipped=comparison.too_few)
    rng = comparison.context.rng("blind")
    chosen = _chosen(comparison.member, rng)
    member = comparison.member[chosen]
    looks = comparison.by_patient(comparison.features.all)[chosen]
    fold = _folds(member, rng)
    labels = np.concatenate([member[None], *permuted_members(member, fold, rng, PERMUTATIONS)])
    scores = [_scores(looks, labels, fold, radial=radial) for radial in (False, True)]
    m, n = int(member.sum()), int((~member).sum())
    auc = np.array([((rankdata(s, axis=1) * labels).sum(axis=1) - m * (m + 1) / 2) / (m * n) for s in scores])
    best = int(auc[:, 0].argmax())
    null = auc[:, 1:].max(axis=0)
    value, score = float(auc[best, 0]), scores[best][0]
    who = comparison.patients[chosen]
    interval = auc_interval(
        score[member],
        score[~member],
        (who[member], who[~member]),
        comparison.context.confidence,
    )
    usual = float(null.mean())
    estimate = Estimate(
        name="blind_auc",
        value=value,
        low=interval.low,
        high=interval.high,
        null=usual,
        n=len(member),
        unit="patient",
        worse="higher",
        detectable=auc_detectable(m, n),
        p_value=permutation_p_value(value, null),
        method=f"{('linear', 'radial')[best]} kernel ridge on the mean look of a patient's images, {FOLDS}-fold by "
        f"patient; Obuchowski's variance, logit scale; null and p-value: the better of two classifiers under "
        f"{PERMUTATIONS} exchanges of patients",
    )
    return Tested(
        estimates=(estimate,),
        said=(f"a classifier of real images tells members from holdout, AUC {value:.2f} ({usual:.2f} by chance)",),
        advice=HOW_TO_SPLIT,
        notes=(f"{len(member)} of {len(comparison.member)} patients, drawn at random",)
        if len(member) < len(comparison.member)
        else (),
    )


def _chosen(member: NDArray[np.bool_], rng: np.random.Generator) -> Index:
    """At most ``MOST`` patients of either side."""
    sides = [np.flatnonzero(side) for side in (member, ~member)]
    return np.sort(np.concatenate([rng.permutation(side)[:MOST] for side in sides]))


def _folds(member: NDArray[np.bool_], rng: np.random.Generator) -> Index:
    """A fold for each patient, with equal shares of both sides: labels are exchanged within folds, so these stay."""
    fold = np.empty(len(member), np.intp)
    for side in (member, ~member):
        fold[side] = rng.permutation(np.arange(side.sum()) % FOLDS)
    return fold


def _scores(looks: FloatArray, labels: NDArray[np.bool_], fold: Index, *, radial: bool) -> FloatArray:
    """Cross-validated scores ``(k, p)`` for every row of ``labels`` ``(k, p)``: one solution serves all rows.

    Args:
        looks: ``(p, f)`` features.
        labels: ``(k, p)`` who is a member, observed or permuted.
        fold: ``(p,)``.
        radial: whether the kernel is exp(-d^2 / median d^2), instead of linear.
    """
    scores = np.empty(labels.shape)
    for k in np.unique(fold):
        test, train = fold == k, fold != k
        spread = looks[train].std(axis=0)
        varied = spread > 1e-9 * (1 + np.abs(looks[train]).max(axis=0))
        scaled = np.clip(
            (looks[:, varied] - looks[train][:, varied].mean(axis=0)) / spread[varied], -FARTHEST, FARTHEST
        )
        kernel = _radial(scaled, train) if radial else scaled @ scaled.T / max(scaled.shape[1], 1)
        inner = kernel[np.ix_(train, train)]
        ridge = RIDGE * max(float(np.trace(inner)) / len(inner), 1e-12) * np.eye(len(inner))
        weights = np.linalg.solve(inner + ridge, kernel[np.ix_(train, test)])
        target = labels[:, train].astype(np.float64)
        scores[:, test] = (target - target.mean(axis=1, keepdims=True)) @ weights
    # one precision for all, so that rounding does not order what is equal
    return np.round(scores, 9)


def _radial(scaled: FloatArray, train: NDArray[np.bool_]) -> FloatArray:
    from scipy.spatial.distance import cdist

    squared = cdist(scaled, scaled, "sqeuclidean")
    return np.asarray(np.exp(-squared / max(float(np.median(squared[np.ix_(train, train)])), 1e-12)), np.float64)
