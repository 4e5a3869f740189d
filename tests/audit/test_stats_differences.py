"""Differences of two audits: published answers, invariants, and what is not said where nothing is known."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t, ttest_rel
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from privbench.audit.record import Estimate
from privbench.audit.statistics.blocks import left_out
from privbench.audit.statistics.differences import difference, leak, over_seeds
from privbench.audit.statistics.student import quantile, two_sided


def number(value, low, high, blocks=(), **more):
    said = {"name": "auc", "null": 0.5, "n": 264, "unit": "patient", "worse": "both"} | more
    return Estimate(value=value, low=low, high=high, blocks=blocks, **said)


def mean(values, shift=0.0):
    """Of one number a patient, with its normal interval."""
    at, half = float(values.mean()) + shift, 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    names = np.array([f"p{i}" for i in range(len(values))])
    return number(at, at - half, at + half, left_out(names, at, lambda k: k @ values / k.sum(axis=1) + shift))


def pair(correlation, n=4000, seed=0, shift=0.0):
    rng = np.random.default_rng(seed)
    first = rng.normal(0.7, 0.1, n)
    own = rng.normal(0, 0.1, n)
    second = 0.7 + correlation * (first - 0.7) + np.sqrt(1 - correlation**2) * own - shift
    return first, second


@st.composite
def numbers(draw):
    value = draw(st.floats(0.05, 0.95))
    below, above = (draw(st.floats(0.001, 0.2)) for _ in range(2))
    blocks = draw(st.one_of(st.just([]), st.lists(st.floats(-0.02, 0.02), min_size=20, max_size=20)))
    return number(value, value - below, value + above, tuple(value + b for b in blocks))


@pytest.mark.parametrize(("first", "second"), [((56, 70), (48, 80)), ((9, 10), (3, 10)), ((10, 10), (0, 20))])
def test_without_blocks_it_is_newcombes_difference_of_two_shares(first, second):
    sides = []
    for count, n in (first, second):
        low, high = proportion_confint(count, n, 0.05, "wilson")
        sides.append(number(count / n, low, high))
    found = difference([tuple(sides)], 0.95)
    low, high = confint_proportions_2indep(*first, *second, method="newcomb", compare="diff")
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)
    assert not found.paired
    assert "independent" in found.method


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.95, -0.6])
def test_with_blocks_it_is_about_as_wide_as_the_paired_t_interval_of_all_patients(correlation):
    widths, wanted = [], []
    for seed in range(12):
        first, second = pair(correlation, seed=seed)
        found = difference([(mean(first), mean(second))], 0.95)
        assert found.paired
        apart = first - second
        half = t.ppf(0.975, len(apart) - 1) * apart.std(ddof=1) / np.sqrt(len(apart))
        widths.append(found.high - found.low)
        wanted.append(2 * half)
    # with 20 blocks Student's t is wider by up to 15%, and what they say of the correlation scatters
    assert 0.95 < np.mean(widths) / np.mean(wanted) < 1.3


def test_a_difference_that_only_pairing_shows_is_found():
    first, second = pair(0.98, n=264, shift=0.008)
    sides = mean(first), mean(second)
    alone = tuple(side.model_copy(update={"blocks": ()}) for side in sides)
    assert difference([alone], 0.95).p_value > 0.3
    found = difference([sides], 0.95)
    assert found.p_value < 0.01
    assert found.low > 0
    assert ttest_rel(first, second).pvalue < 0.01


def test_two_equal_audits_do_not_differ_at_all():
    same = mean(pair(0)[0])
    found = difference([(same, same)], 0.95)
    assert (found.value, found.low, found.high, found.p_value) == (0, 0, 0, 1)
    assert found.paired


@given(numbers(), numbers(), st.sampled_from([0.9, 0.95, 0.99]))
def test_turned_round_it_says_the_same_and_p_value_and_interval_agree(first, second, confidence):
    found, back = difference([(first, second)], confidence), difference([(second, first)], confidence)
    assert (back.value, back.low, back.high) == pytest.approx((-found.value, -found.high, -found.low))
    assert back.p_value == pytest.approx(found.p_value)
    assert found.low <= found.value <= found.high
    if abs(found.p_value - (1 - confidence)) > 1e-9:
        assert (found.p_value < 1 - confidence) == (found.low > 0 or found.high < 0)


def test_blocks_that_hardly_vary_say_nothing():
    first = mean(pair(0)[0])
    for blocks in ((), (0.6,) * 20, (0.6,) * 11 + (0.61,) * 9):
        still = number(0.6, 0.55, 0.65, blocks)
        assert not difference([(still, still)], 0.95).paired
    # where one side alone does not vary, both are as good as independent
    constant = number(1.0, 0.97, 1.0, (1.0,) * 20)
    found, apart = (difference([(first, other)], 0.95) for other in (constant, number(1.0, 0.97, 1.0)))
    assert found.high - found.low == pytest.approx(apart.high - apart.low, rel=0.05)


def test_what_was_not_measured_has_no_difference():
    whole, half = number(0.6, 0.5, 0.7), number(0.6, 0.5, None)
    lost = number(None, None, None)
    for other in (half, lost):
        assert difference([(whole, whole), (whole, other)], 0.95) is None
        assert over_seeds([whole, other], 0.95) is None
    assert difference([], 0.95) is None
    assert over_seeds([], 0.95) is None


def test_three_equal_seeds_are_no_surer_than_one_for_they_may_share_the_patients():
    one = number(0.6, 0.5, 0.68)
    single, several = (over_seeds([one] * n, 0.95) for n in (1, 3))
    assert (several.value, several.low, several.high) == pytest.approx((single.value, single.low, single.high))
    assert (single.seeds, several.seeds) == (1, 3)
    assert "one seed: says nothing of other trainings" in single.method


def test_seeds_that_scatter_far_more_than_patients_give_students_interval_over_seeds():
    values = np.array([0.55, 0.72, 0.61, 0.66])
    found = over_seeds([number(v, v - 1e-4, v + 1e-4) for v in values], 0.9)
    half = t.ppf(0.95, 3) * values.std(ddof=1) / 2
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=1e-4)
    other = number(0.5, 0.4999, 0.5001)
    apart = difference([(number(v, v - 1e-4, v + 1e-4), other) for v in values], 0.9)
    assert (apart.low, apart.high) == pytest.approx((found.low - 0.5, found.high - 0.5), abs=1e-4)
    assert apart.seeds == 4


def test_the_order_of_seeds_does_not_matter():
    pairs = [(mean(a), mean(b)) for a, b in (pair(0.5, 200, seed) for seed in range(3))]
    first, second = difference(pairs, 0.95), difference(pairs[::-1], 0.95)
    assert (first.low, first.high, first.p_value) == pytest.approx((second.low, second.high, second.p_value))


def test_members_who_score_lower_leak_as_much_as_members_who_score_higher():
    up = number(0.6, 0.52, 0.67, (0.6, 0.62), detectable=0.58)
    down = number(0.4, 0.33, 0.48, (0.4, 0.38), detectable=0.58)
    for estimate in (up, down):
        turned = leak(estimate)
        assert (turned.value, turned.low, turned.high) == pytest.approx((0.1, 0.02, 0.17))
        assert (turned.null, turned.worse) == (0, "higher")
        assert turned.detectable == pytest.approx(0.08)
        assert turned.blocks == pytest.approx((0.1, 0.12))


def test_a_worse_utility_is_a_higher_number():
    worse, better = (number(v, v - 0.1, v + 0.05, null=0.8, worse="lower", name="dice") for v in (0.6, 0.7))
    turned = leak(worse)
    assert (turned.value, turned.low, turned.high) == pytest.approx((0.2, 0.15, 0.3))
    assert difference([(leak(worse), leak(better))], 0.95).value == pytest.approx(0.1)


def test_what_has_no_worse_side_cannot_be_turned():
    with pytest.raises(ValueError, match="neither direction"):
        leak(number(0.6, 0.5, 0.7, worse="none"))


def test_a_number_that_was_not_measured_stays_so():
    assert leak(number(None, None, None)).value is None


@pytest.mark.parametrize("freedom", [1, 2, 3, 9, 10, 38, 199, 200, 999])
def test_students_t_agrees_with_scipy(freedom):
    for x in (0.0, 0.1, 1.0, -2.0, 5.0, 30.0):
        assert two_sided(x, freedom) == pytest.approx(2 * t.sf(abs(x), freedom), abs=1e-13)
    for confidence in (0.55, 0.9, 0.95, 0.999):
        assert quantile(confidence, freedom) == pytest.approx(t.ppf((1 + confidence) / 2, freedom), rel=1e-9)


def test_many_degrees_of_freedom_are_the_normal_and_broken_ones_are_rounded_down():
    assert quantile(0.95, 1e9) == pytest.approx(1.959964, abs=1e-6)
    assert quantile(0.95, 1000) == pytest.approx(t.ppf(0.975, 1000), rel=2e-3)
    assert quantile(0.95, 9.9) == quantile(0.95, 9)
    assert quantile(0.95, 1 - 1e-12) == quantile(0.95, 1)  # as rounding may leave it
    assert two_sided(2.0, 9.9) == two_sided(2.0, 9)


def test_the_gate_need_not_load_numpy_for_it():
    code = "import sys, privbench.audit.statistics.differences; print({'numpy', 'scipy'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "set()"
