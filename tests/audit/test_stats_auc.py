"""The AUC's interval against DeLong's and Obuchowski's formulas written out, its symmetries, and its edges."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import t

from privbench.audit.statistics.auc import auc_detectable, auc_interval
from privbench.audit.statistics.stats import roc_auc

SCORES = st.lists(st.integers(-9, 9).map(float), min_size=3, max_size=12).map(np.array)


def names(prefix, n):
    return np.array([f"{prefix}{i}" for i in range(n)])


def singles(member, other):
    return names("m", len(member)), names("h", len(other))


def test_with_one_image_a_patient_it_is_delongs_on_the_logit_scale():
    rng = np.random.default_rng(0)
    x, y = np.round(rng.normal(0.8, 1, 15), 1), np.round(rng.normal(0, 1, 22), 1)
    # DeLong, DeLong and Clarke-Pearson (1988), pair by pair
    wins = np.array([[(a > b) + (a == b) / 2 for b in y] for a in x])
    s10, s01 = wins.mean(axis=1).var(ddof=1) / 15, wins.mean(axis=0).var(ddof=1) / 22
    auc, spread = wins.mean(), s10 + s01
    freedom = spread**2 / (s10**2 / 14 + s01**2 / 21)
    half = t.ppf(0.95, freedom) * np.sqrt(spread) / (auc * (1 - auc))
    found = auc_interval(x, y, singles(x, y), 0.9)
    assert found.low == pytest.approx(expit(logit(auc) - half), abs=1e-9)
    assert found.high == pytest.approx(expit(logit(auc) + half), abs=1e-9)


def test_with_several_images_a_patient_it_is_obuchowskis_variance():
    rng = np.random.default_rng(1)
    sizes = {"m": [1, 3, 8, 2, 5], "h": [4, 4, 1, 7]}
    owner = {k: np.repeat(names(k, len(v)), v) for k, v in sizes.items()}
    x, y = rng.normal(0.5, 1, 19), rng.normal(0, 1, 16)
    auc = np.mean([a > b for a, b in itertools.product(x, y)])

    def part(score, against, patients, higher):
        k = len(sizes[patients])
        total = 0.0
        for patient in names(patients, k):
            placed = [np.mean((s > against) if higher else (against > s)) for s in score[owner[patients] == patient]]
            total += (sum(placed) - len(placed) * auc) ** 2
        return k / ((k - 1) * len(score) ** 2) * total

    s10, s01 = part(x, y, "m", higher=True), part(y, x, "h", higher=False)
    freedom = (s10 + s01) ** 2 / (s10**2 / 4 + s01**2 / 3)
    half = t.ppf(0.975, freedom) * np.sqrt(s10 + s01) / (auc * (1 - auc))
    found = auc_interval(x, y, (owner["m"], owner["h"]), 0.95)
    assert found.low == pytest.approx(expit(logit(auc) - half), abs=1e-9)
    assert found.high == pytest.approx(expit(logit(auc) + half), abs=1e-9)


def test_patients_on_both_sides_are_drawn_together():
    """A verifier's pairs: each patient has pairs that match and pairs that do not."""
    rng = np.random.default_rng(2)
    own = rng.normal(0, 1, 12)
    owner = np.repeat(names("p", 12), 2)
    x, y = np.repeat(own, 2) + rng.normal(0.8, 0.5, 24), np.repeat(own, 2) + rng.normal(0, 0.5, 24)
    wins = (x[:, None] > y).astype(float)
    auc = wins.mean()
    added = [wins[owner == p].mean(axis=1).sum() / 24 + wins[:, owner == p].mean(axis=0).sum() / 24 for p in owner[::2]]
    spread = 12 / 11 * np.square(np.array(added) - np.mean(added)).sum()
    found, apart = (auc_interval(x, y, (owner, other), 0.95) for other in (owner, np.repeat(names("q", 12), 2)))
    ratio = (logit(found.high) - logit(found.low)) / (logit(apart.high) - logit(apart.low))
    s10 = 12 / 11 * np.square([wins[owner == p].mean(axis=1).sum() / 24 - auc / 12 for p in owner[::2]]).sum()
    s01 = 12 / 11 * np.square([wins[:, owner == p].mean(axis=0).sum() / 24 - auc / 12 for p in owner[::2]]).sum()
    assert ratio == pytest.approx(np.sqrt(spread / (s10 + s01)), abs=1e-9)
    assert ratio < 0.8


@given(SCORES, SCORES)
@settings(max_examples=60, deadline=None)
def test_exchanging_members_and_others_mirrors_it(member, other):
    ours, m = auc_interval(member, other, singles(member, other), 0.95), singles(member, other)
    theirs = auc_interval(other, member, m[::-1], 0.95)
    assert ours.low == pytest.approx(1 - theirs.high, abs=1e-9)
    assert ours.high == pytest.approx(1 - theirs.low, abs=1e-9)


@given(SCORES, SCORES)
@settings(max_examples=60, deadline=None)
def test_only_the_order_of_scores_matters(member, other):
    owners = singles(member, other)
    assert auc_interval(member, other, owners, 0.95) == auc_interval(np.exp(member), np.exp(other), owners, 0.95)


@given(SCORES, SCORES)
@settings(max_examples=60, deadline=None)
def test_it_contains_the_auc_and_stays_between_0_and_1(member, other):
    found = auc_interval(member, other, singles(member, other), 0.95)
    assert 0 <= found.low <= roc_auc(member, other) <= found.high <= 1
    assert found.high - found.low > 0.01


def test_copies_of_an_image_add_no_certainty():
    rng = np.random.default_rng(0)
    member, other = rng.normal(0.4, 1, 40), rng.normal(0, 1, 40)
    owners = singles(member, other)
    once = auc_interval(member, other, owners, 0.95)
    eight = auc_interval(
        np.repeat(member, 8), np.repeat(other, 8), (np.repeat(owners[0], 8), np.repeat(owners[1], 8)), 0.95
    )
    assert eight.low == pytest.approx(once.low, abs=1e-9)
    assert eight.high == pytest.approx(once.high, abs=1e-9)


def test_complete_separation_does_not_give_an_interval_of_zero_width():
    found = auc_interval(np.ones(20), np.zeros(20), singles(range(20), range(20)), 0.95)
    assert found.high == 1.0
    assert 0.8 < found.low < 0.95


def test_one_score_for_all_says_nothing_with_an_interval_around_one_half():
    found = auc_interval(np.ones(20), np.ones(20), singles(range(20), range(20)), 0.95)
    assert found.low < 0.4
    assert found.high > 0.6


def test_one_patient_a_side_says_next_to_nothing():
    found = auc_interval(np.array([1.0, 2.0]), np.array([0.0, 1.5]), (np.array(["a", "a"]), np.array(["b", "b"])), 0.95)
    assert found.low < 0.2
    assert found.high > 0.95


def test_smallest_detectable_auc_is_found_with_eighty_percent_power():
    from scipy.stats import mannwhitneyu, norm

    m = n = 60
    shift = np.sqrt(2) * norm.ppf(auc_detectable(m, n))
    rng = np.random.default_rng(0)
    found = mannwhitneyu(rng.normal(shift, 1, (400, m)), rng.normal(0, 1, (400, n)), axis=1).pvalue < 0.05
    assert 0.72 <= found.mean() <= 0.88
