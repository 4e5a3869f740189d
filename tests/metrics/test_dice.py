from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from privbench.audit.context import Context
from privbench.audit.errors import SkippedError
from privbench.audit.types import Split
from privbench.metrics.dice import ARMS, dice
from privbench.metrics.fairness import dice_estimates
from privbench.metrics.segmenter import segment, train_segmenter
from privbench.metrics.training import Recipe, index_batches, lesion_target

QUICK = {"steps": 60, "batch": 8, "resamples": 200}


class Counting:
    def __init__(self):
        self.steps = 0

    def __call__(self, n=1, detail=""):
        self.steps += n


class Answer(nn.Module):
    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, x):
        return self.logits


def test_a_perfect_segmentation_scores_one_and_an_empty_one_zero(fresh):
    truth = lesion_target(fresh, slice(None), "cpu")
    assert np.all(segment(Answer(2 * truth - 1), fresh, "cpu") == 1)
    assert np.all(segment(Answer(torch.full_like(truth, -1)), fresh, "cpu") == 0)


def test_finding_nothing_where_there_is_nothing_scores_one(fresh):
    healthy = replace(fresh, mask=np.zeros_like(fresh.mask))
    empty = torch.full((32, 1, 24, 24), -1.0)
    assert np.all(segment(Answer(empty), healthy, "cpu") == 1)
    assert np.all(segment(Answer(-empty), healthy, "cpu") == 0)


def test_arms_train_equally_long_whatever_their_number_of_images():
    recipe = Recipe(steps=7, batch=5, rate=1e-3)
    for n in (3, 10, 40):
        batches = list(index_batches(n, recipe, Context()))
        assert [len(b) for b in batches] == [5] * 7
    counts = np.bincount(np.concatenate(list(index_batches(7, recipe, Context()))))
    assert set(counts) == {5}  # every image as often as any other


def test_a_network_learns_the_toy_lesions_and_its_own_images_as_samples_gain_nothing(split):
    samples = replace(split.members)
    m = dice(samples, split, Context(), steps=120, batch=8, resamples=200)
    value = {(e.name, e.group): e for e in m.estimates}
    assert value["dice", "real"].value > 0.8
    assert value["dice", "real"].value == value["dice", "synthetic"].value
    for group in ("", "center A", "center B"):
        gain = value["dice-gain", group]
        assert gain.low <= 0 <= gain.high or abs(gain.value) < 0.02
    assert value["dice-gain", "center A"].n == 8


def test_the_trained_network_does_not_depend_on_the_holdout(split, fresh, toy):
    other = Split(members=split.members, holdout=toy("x", 6, 9), reference=split.reference)
    predictions = []
    for part in (split, other):
        model = train_segmenter(part.members, Recipe(20, 8, 1e-3), Context(), Counting())
        predictions.append(segment(model, fresh, "cpu"))
    assert np.array_equal(*predictions)
    # and through the metric: the same holdout patients score the same beside others
    few = split.holdout.take(np.arange(16))
    half = Split(members=split.members, holdout=few, reference=split.reference)
    seen = []
    for part in (split, half):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("privbench.metrics.dice.dice_estimates", lambda s, *_: seen.append(s) or ())
            dice(fresh, part, Context(), **QUICK)
    assert np.allclose(seen[0][:16], seen[1], atol=1e-6)


def test_the_same_seed_gives_the_same_dice_and_torchs_generator_does_not_move(split, fresh):
    before = torch.get_rng_state()
    first = dice(fresh, split, Context(seed=3), **QUICK)
    assert first == dice(fresh, split, Context(seed=3), **QUICK)
    assert torch.equal(before, torch.get_rng_state())


def test_fairness_is_the_worst_centre_and_the_spread_over_centres(split):
    scores = np.where(split.holdout.center == "A", 0.5, 0.9)[:, None] * np.ones((1, 3))
    value = {(e.name, e.group): e.value for e in dice_estimates(scores, ARMS, split.holdout, Context(), 100)}
    assert value["dice", "real"] == pytest.approx(0.7)
    assert value["dice-worst-center", "real"] == pytest.approx(0.5)
    assert value["dice-spread", "real"] == pytest.approx(np.std([0.5, 0.9], ddof=1))


def test_missing_and_empty_masks_are_skipped_with_a_reason(split, fresh):
    with pytest.raises(SkippedError, match="synthetic images have none"):
        dice(replace(fresh, mask=None), split, Context())
    with pytest.raises(SkippedError, match="every mask of the synthetic images is empty"):
        dice(replace(fresh, mask=np.zeros_like(fresh.mask)), split, Context())
