"""Every statistic against an independent implementation, a closed form, or simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score
from sklearn.metrics import roc_curve as sklearn_roc_curve

from privbench.audit.statistics import stats

SCORES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=30).map(np.array)


def labelled(member, other):
    return np.r_[np.ones(len(member)), np.zeros(len(other))], np.r_[member, other]


@given(SCORES, SCORES)
@settings(max_examples=60, deadline=None)
def test_auc_with_ties_agrees_with_scikit_learn(member, other):
    assert stats.roc_auc(member, other) == pytest.approx(roc_auc_score(*labelled(member, other)), abs=1e-12)


@given(SCORES, SCORES)
@settings(max_examples=60, deadline=None)
def test_auc_is_the_mann_whitney_statistic_and_exchanging_the_sides_mirrors_it(member, other):
    from scipy.stats import mannwhitneyu

    auc = stats.roc_auc(member, other)
    assert auc == pytest.approx(mannwhitneyu(member, other).statistic / (len(member) * len(other)), abs=1e-9)
    assert stats.roc_auc(other, member) == pytest.approx(1 - auc, abs=1e-9)
    assert stats.roc_auc(np.exp(member), np.exp(other)) == auc


@given(SCORES, SCORES)
@settings(max_examples=60, deadline=None)
def test_roc_curve_agrees_with_scikit_learn(member, other):
    fpr, tpr = stats.roc_curve(member, other)
    truth, score = labelled(member, other)
    theirs = sklearn_roc_curve(truth, score, drop_intermediate=False)
    np.testing.assert_allclose(fpr, theirs[0], atol=1e-12)
    np.testing.assert_allclose(tpr, theirs[1], atol=1e-12)


@given(SCORES, SCORES, st.sampled_from([0.0, 0.01, 0.1, 0.3, 0.5, 1.0]))
@settings(max_examples=100, deadline=None)
def test_tpr_at_fpr_is_the_best_whose_empirical_fpr_does_not_exceed_the_target(member, other, fpr):
    caught, threshold = stats.tpr_at_fpr(member, other, fpr)
    levels = [*np.unique(np.r_[member, other]), np.inf]
    best = max((member >= t).sum() for t in levels if (other >= t).mean() <= fpr + 1e-12)
    assert caught == best
    assert (other >= threshold).mean() <= fpr + 1e-12
    assert (member >= threshold).sum() == caught


def test_false_positive_rates_need_as_many_patients_as_the_exact_bound_says():
    assert stats.resolvable(0.01, 299, 0.95)
    assert not stats.resolvable(0.01, 298, 0.95)
    assert stats.resolvable(0.001, 2995, 0.95)
    assert not stats.resolvable(0.001, 2994, 0.95)


@given(st.integers(1, 60), st.integers(1, 60), st.data())
@settings(max_examples=60, deadline=None)
def test_difference_interval_is_statsmodels(m, n, data):
    from statsmodels.stats.proportion import confint_proportions_2indep

    x, y = data.draw(st.integers(0, m)), data.draw(st.integers(0, n))
    found = stats.difference_interval((x, m), (y, n), 0.95)
    theirs = confint_proportions_2indep(x, m, y, n, compare="diff", method="agresti-caffo", alpha=0.05)
    assert (found.low, found.high) == pytest.approx(np.clip(theirs, -1, 1), abs=1e-9)


@pytest.mark.parametrize(("method", "theirs"), [("exact", "beta"), ("wilson", "wilson")])
@pytest.mark.parametrize(("successes", "n"), [(0, 7), (3, 40), (40, 40), (299, 3000)])
def test_proportion_intervals_are_scipys_and_statsmodels(successes, n, method, theirs):
    from statsmodels.stats.proportion import proportion_confint

    found = stats.proportion_interval(successes, n, 0.9, method)
    scipys = binomtest(successes, n).proportion_ci(0.9, method)
    assert (found.low, found.high) == (scipys.low, scipys.high)
    assert (found.low, found.high) == pytest.approx(proportion_confint(successes, n, 0.1, theirs), abs=1e-9)


def test_patient_score_is_the_largest_of_its_images():
    names, best = stats.reduce_by_patient(np.array([1.0, 5.0, 3.0, -2.0]), np.array(["b", "a", "b", "c"]))
    assert names.tolist() == ["a", "b", "c"]
    assert best.tolist() == [5.0, 3.0, -2.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12).map(np.array))
@settings(max_examples=20, deadline=None)  # statsmodels collects all garbage at every call
def test_holm_agrees_with_statsmodels(p_values):
    from statsmodels.stats.multitest import multipletests

    np.testing.assert_allclose(stats.holm(p_values), multipletests(p_values, method="holm")[1], atol=1e-12, rtol=0)


def test_holm_of_no_hypothesis_is_empty():
    assert stats.holm(np.empty(0)).shape == (0,)


def test_shuffling_within_strata_keeps_each_in_its_stratum():
    strata = np.array(["a", "b", "a", "b", "a", "c"])
    order = stats.shuffle_within(strata, np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(6))
    assert (strata[order] == strata).all()


def test_a_permutation_p_value_is_never_zero():
    assert stats.permutation_p_value(10.0, np.zeros(99)) == 0.01
    assert stats.permutation_p_value(0.0, np.zeros(99)) == 1.0
