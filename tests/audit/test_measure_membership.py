"""Membership scores become figures that others compute too, and no figure where there is none."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from privbench.audit.context import Context
from privbench.audit.gate import judge
from privbench.audit.measures.measured import Truth
from privbench.audit.measures.membership import measure_membership
from privbench.audit.record import Finding
from privbench.audit.types import ImageSet, MembershipScores


def truth_of(members, others, images=3, seed=0):
    rng = np.random.default_rng(seed)
    owner = rng.permutation(np.repeat(np.arange(members + others), images))
    patient = np.array([f"p{i:04d}" for i in owner])
    pixels = np.zeros((len(owner), 1, 2, 2), np.float32)
    candidates = ImageSet(pixels, patient)
    return Truth(candidates, owner < members, patient, candidates.take(slice(0, 0)))


def measured(score, truth):
    return measure_membership(MembershipScores(np.asarray(score, np.float64)), truth, Context())


def reduced(score, truth, how):
    names = truth.candidates.patients
    own = [truth.candidates.patient == name for name in names]
    return np.array([how(score[o]) for o in own]), np.array([truth.member[o][0] for o in own])


@pytest.mark.parametrize("levels", [None, 12], ids=["continuous", "with ties"])
def test_auc_and_tpr_agree_with_scikit_learn(levels):
    truth = truth_of(310, 300)
    score = np.random.default_rng(1).normal(0, 1, len(truth.member)) + 0.5 * truth.member
    score = score if levels is None else np.round(score * levels / 6)
    found = measured(score, truth)
    largest, member = reduced(score, truth, np.max)
    average, _ = reduced(score, truth, np.mean)
    aucs = {e.group: e.value for e in found.estimates if e.name == "auc"}
    assert aucs[""] == pytest.approx(roc_auc_score(member, largest))
    assert aucs["mean of images"] == pytest.approx(roc_auc_score(member, average))
    assert aucs["images"] == pytest.approx(roc_auc_score(truth.member, score))
    fpr, tpr, _ = roc_curve(member, largest, drop_intermediate=False)
    for level in (0.1, 0.01):
        (estimate,) = (e for e in found.estimates if e.name == f"tpr@fpr={level:g}")
        assert estimate.value == pytest.approx(tpr[fpr <= level].max())
    (unresolved,) = (e for e in found.estimates if e.name == "tpr@fpr=0.001")
    assert unresolved.value is None
    assert "not resolvable with 300 holdout patients" in unresolved.note


def test_images_of_one_each_have_no_mean_beside_the_largest():
    found = measured(np.arange(40), truth_of(20, 20, images=1))
    assert [e.group for e in found.estimates if e.name == "auc"] == ["", "images"]


def test_an_inverted_direction_is_said_to_be_a_leak():
    truth = truth_of(40, 40)
    noise = np.random.default_rng(3).normal(0, 1, len(truth.member))
    inverted, upright, nothing = (measured(noise + shift * truth.member, truth) for shift in (-2, 2, 0))
    assert any("members score LOWER than others; this is a leak too" in note for note in inverted.notes)
    assert not upright.notes
    assert not nothing.notes


def test_constant_scores_are_inconclusive_and_never_one_half():
    found = measured(np.full(60, 0.25), truth_of(10, 10))
    assert found.invalid.endswith("constant scores say nothing")
    assert {e.value for e in found.estimates} == {None}
    finding = Finding(
        plugin="any",
        kind="attack",
        family="membership",
        summary="",
        access="SAMPLES",
        status="invalid",
        reason=found.invalid,
        estimates=found.estimates,
    )
    (rule,) = (r for r in judge((finding,)).rules if r.name.startswith("membership"))
    assert rule.outcome == "inconclusive"


def test_nearly_constant_scores_are_no_evidence_that_nothing_leaks():
    truth = truth_of(100, 100, images=1)
    score = np.zeros(200)
    score[np.random.default_rng(0).permutation(200)[:12]] = np.arange(1, 13)
    found = measured(score, truth)
    assert "have tied scores: whatever leaked, the AUC would lie between 0.4" in found.invalid
    told = np.where(truth.member & (np.arange(200) < 40), 1.0 + np.arange(200), 0.0)
    assert not measured(told, truth).invalid, "what is found is found, ties or not"


def test_some_ties_are_stated():
    truth = truth_of(50, 50, images=1)
    found = measured(np.random.default_rng(0).integers(0, 4, 100), truth)
    assert not found.invalid
    assert any("of all pairs of a member and another patient have tied scores" in note for note in found.notes)


@pytest.mark.parametrize(("members", "others"), [(3, 3), (1, 30), (0, 10), (10, 0)])
def test_with_too_few_patients_there_is_no_auc(members, others):
    truth = truth_of(members, others)
    found = measured(np.arange(len(truth.member)), truth)
    assert [e.value for e in found.estimates] == [None]
    assert f"with {members} members and {others} others even complete separation could be chance" in found.notes[0]


def test_four_on_each_side_are_enough_to_tell():
    truth = truth_of(4, 4)
    (auc, *_) = measured(truth.member.astype(float) + np.arange(24) / 100, truth).estimates
    assert auc.value == 1
    assert auc.p_value <= 0.05


def test_only_the_order_of_scores_counts_for_the_patient():
    truth = truth_of(30, 30)
    score = np.random.default_rng(5).normal(0, 1, len(truth.member))
    first, second = (measured(s, truth).estimates[0] for s in (score, np.exp(score)))
    assert (first.value, first.p_value) == (second.value, second.p_value)
    renamed = replace(truth, candidates=replace(truth.candidates, patient=np.char.add("x", truth.candidates.patient)))
    assert measured(score, renamed).estimates[0].value == first.value
