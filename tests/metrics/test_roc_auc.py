from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from privbench.audit.context import Context
from privbench.audit.errors import SkippedError
from privbench.audit.types import Split
from privbench.metrics.roc_auc import _estimates, roc_auc, weighted_auc

QUICK = {"steps": 80, "batch": 8, "resamples": 200}


def by_name(m):
    return {(e.name, e.group): e for e in m.estimates}


def test_the_area_agrees_with_scikit_learn_with_ties_and_weights():
    rng = np.random.default_rng(0)
    score, positive = rng.integers(0, 6, 40).astype(float), rng.random(40) < 0.4
    weights = rng.integers(0, 4, (5, 40)).astype(float)
    expected = [roc_auc_score(positive, score, sample_weight=w) for w in weights]
    assert weighted_auc(score, positive, weights) == pytest.approx(expected)


def test_several_classes_are_averaged_one_against_the_rest(toy):
    test = toy("h", 12, 0, each=1)
    test = replace(test, label=np.arange(12) % 3)
    probability = np.random.default_rng(1).dirichlet(np.ones(3), 12)
    scores = np.stack([probability, probability], axis=1)
    found = _estimates(scores, np.arange(3), test, Context(), 100)
    order = np.argsort(test.patient)
    expected = roc_auc_score(test.label[order], probability[order], multi_class="ovr", average="macro")
    assert found[0].value == pytest.approx(expected)


def test_a_readable_label_is_learned_and_swapped_labels_invert_it(split, fresh):
    m = by_name(roc_auc(fresh, split, Context(), **QUICK))
    assert m["roc-auc", "real"].value > 0.9
    assert m["roc-auc", "real"].n == 16
    swapped = by_name(roc_auc(replace(fresh, label=1 - fresh.label), split, Context(), **QUICK))
    assert swapped["roc-auc", "synthetic"].value < 0.1
    assert swapped["roc-auc-difference", ""].high < 0


def test_images_identical_to_the_members_make_no_difference_and_repeat_to_the_bit(split):
    first = roc_auc(split.members, split, Context(seed=1), **QUICK)
    difference = by_name(first)["roc-auc-difference", ""]
    assert difference.low == difference.value == difference.high == 0
    assert first == roc_auc(split.members, split, Context(seed=1), **QUICK)


def test_masks_are_not_needed(split, fresh):
    bare = Split(*(replace(p, mask=None) for p in (split.members, split.holdout, split.reference)))
    assert roc_auc(replace(fresh, mask=None), bare, Context(), **{**QUICK, "steps": 4}).estimates


def test_missing_and_single_labels_are_skipped_with_a_reason(split, fresh):
    with pytest.raises(SkippedError, match="synthetic images have none"):
        roc_auc(replace(fresh, label=None), split, Context())
    with pytest.raises(SkippedError, match="only label 1"):
        roc_auc(fresh.take(fresh.label == 1), split, Context())
