"""Metrics without each block of test patients: recomputed from the other patients alone."""

import hashlib

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from privbench.audit.context import Context
from privbench.metrics.comparison import CONTROL, Comparison, Features
from privbench.metrics.dice import ARMS
from privbench.metrics.fairness import dice_estimates
from privbench.metrics.roc_auc import _estimates


def blocks(patient):
    return np.array([int(hashlib.sha256(name.encode()).hexdigest(), 16) % 20 for name in patient.tolist()])


@pytest.fixture(scope="module")
def unseen(toy):
    return toy("h", 140, 0, size=8)


def left_out(patient):
    """The blocks with three patients or more."""
    block = blocks(np.unique(patient))
    return [k for k in range(20) if (block == k).sum() >= 3]


def found_in(estimates):
    return {(e.name, e.group): e for e in estimates}


def test_dice_of_the_patients_who_stay(unseen):
    scores = np.random.default_rng(0).random((len(unseen), len(ARMS)))
    found = found_in(dice_estimates(scores, ARMS, unseen, Context(), 100))
    within = found["dice-gain", "center A"]
    in_center = left_out(unseen.patient[unseen.center == "A"])
    for k in left_out(unseen.patient):
        stay = blocks(unseen.patient) != k
        assert found["dice", "synthetic"].blocks[k] == pytest.approx(scores[stay, 1].mean(), rel=1e-8)
        gain = (scores[stay, 2] - scores[stay, 0]).mean()
        assert found["dice-gain", ""].blocks[k] == pytest.approx(gain, rel=1e-8)
        here = stay & (unseen.center == "A")
        gain = (scores[here, 2] - scores[here, 0]).mean()
        assert within.blocks[k] == pytest.approx(gain if k in in_center else within.value, rel=1e-8)
    assert len(in_center) < len(left_out(unseen.patient))
    for name in ("dice-worst-center", "dice-spread"):
        assert found[name, "synthetic"].blocks == (), "a block may have one patient in the worst centre"


def test_a_centre_with_few_patients_has_no_blocks(toy):
    few = toy("h", 100, 0, size=8)
    found = found_in(dice_estimates(np.ones((len(few), 3)), ARMS, few, Context(), 100))
    assert found["dice-gain", ""].blocks
    assert not found["dice-gain", "center A"].blocks


def test_roc_auc_of_the_patients_who_stay(unseen):
    scores = np.random.default_rng(0).random((len(unseen), 2, 2))
    found = found_in(_estimates(scores, np.array([0, 1]), unseen, Context(), 100))
    patients = np.unique(unseen.patient)
    own = [unseen.patient == name for name in patients]
    label = np.array([unseen.label[o][0] for o in own])
    score = np.array([scores[o, :, 1].mean(axis=0) for o in own])
    for k in left_out(patients):
        stay = blocks(patients) != k
        real, synthetic = (roc_auc_score(label[stay], score[stay, arm]) for arm in range(2))
        assert found["roc-auc", "real"].blocks[k] == pytest.approx(real, rel=1e-8)
        assert found["roc-auc-difference", ""].blocks[k] == pytest.approx(synthetic - real, rel=1e-7)


def test_only_what_is_averaged_over_real_patients_can_be_paired(unseen):
    rng = np.random.default_rng(0)
    real, synthetic, control = (
        Features(rng.normal(0, 1, (140, 4)), np.array([f"{prefix}{i}" for i in range(140)]), None) for prefix in "hsm"
    )
    found = found_in(Comparison(real, synthetic, control).manifold("x", Context(), 50, 5))
    for name, paired in (("recall", True), ("coverage", True), ("precision", False), ("density", False)):
        for group in ("", CONTROL):
            assert bool(found[f"{name}-x", group].blocks) == paired
    assert not any(e.blocks for e in Comparison(real, synthetic, control).kid("x", Context(), 5))
