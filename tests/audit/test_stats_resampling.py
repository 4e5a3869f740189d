"""The bootstrap against scikit-learn's weighted AUC, the exact distribution of resamples, and its edges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from privbench.audit.statistics import resampling
from privbench.audit.statistics.resampling import bootstrap, draws, resampled_auc

SCORES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=20).map(np.array)
OWNERS = np.repeat(["a", "b", "c", "d"], [1, 2, 3, 4])


@given(SCORES, SCORES, st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_a_resampled_auc_is_scikit_learns_with_multiplicities_as_weights(member, other, seed):
    rng = np.random.default_rng(seed)
    w_member, w_other = rng.integers(0, 4, (3, len(member))), rng.integers(0, 4, (3, len(other)))
    truth = np.r_[np.ones(len(member)), np.zeros(len(other))]
    for found, ours, theirs in zip(resampled_auc(member, other)(w_member, w_other), w_member, w_other, strict=True):
        if ours.any() and theirs.any():
            expected = roc_auc_score(truth, np.r_[member, other], sample_weight=np.r_[ours, theirs])
            assert found == pytest.approx(expected, abs=1e-9)
        else:
            assert np.isnan(found)


def test_a_resample_draws_as_many_patients_and_all_images_of_each():
    drawn = draws(OWNERS)(np.random.default_rng(0), 500)
    firsts = drawn[:, [0, 1, 3, 6]]
    assert (firsts.sum(axis=1) == 4).all()
    assert (drawn == np.repeat(firsts, [1, 2, 3, 4], axis=1)).all()
    assert firsts.mean(axis=0) == pytest.approx(1, abs=0.15)


def test_blocks_change_no_resample_but_the_last_bits(monkeypatch):
    """A statistic sees every resample once, whatever fits into a block."""
    seen = []

    def count(drawn):
        seen.append(len(drawn))
        return drawn.mean(axis=1)

    monkeypatch.setattr(resampling, "BLOCK", 70)
    bootstrap(count, (OWNERS,), np.random.default_rng(0), 0.95, 100)
    assert sum(seen) == 100
    assert max(seen) == 7


def test_the_same_seed_gives_the_same_interval():
    value = np.arange(10.0)
    first, second = (
        bootstrap(lambda w: w @ value / w.sum(axis=1), (OWNERS,), np.random.default_rng(3), 0.95) for _ in range(2)
    )
    assert first == second


def test_the_interval_of_a_mean_of_many_patients_is_the_normal_one():
    rng = np.random.default_rng(0)
    value, owner = rng.normal(0, 1, 2000), np.arange(2000).astype(str)
    found = bootstrap(lambda w: w @ value / w.sum(axis=1), (owner,), np.random.default_rng(1), 0.95, 4000)
    half = 1.96 * value.std() / np.sqrt(2000)
    assert found.low == pytest.approx(value.mean() - half, abs=half / 10)
    assert found.high == pytest.approx(value.mean() + half, abs=half / 10)


def test_with_few_patients_it_is_as_wide_as_students_and_wider_than_the_plain_percentiles():
    from scipy.stats import t

    rng = np.random.default_rng(0)
    value, owner = rng.normal(0, 1, 12), np.arange(12).astype(str)

    def mean(w):
        return w @ value / w.sum(axis=1)

    found = bootstrap(mean, (owner,), np.random.default_rng(1), 0.95, 20_000)
    student = 2 * t.ppf(0.975, 11) * value.std(ddof=1) / np.sqrt(12)
    assert found.high - found.low == pytest.approx(student, rel=0.06)


def test_a_statistic_that_is_never_defined_has_no_interval():
    found = bootstrap(lambda w: np.full(len(w), np.nan), (OWNERS,), np.random.default_rng(0), 0.95)
    assert np.isnan([found.low, found.high]).all()
