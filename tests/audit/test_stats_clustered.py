"""The interval of a clustered share against Wilson's where patients have one image, and its edges."""

import numpy as np
import pytest
from scipy.stats import norm, t
from statsmodels.stats.proportion import proportion_confint

from privbench.audit.statistics.clustered import mean_interval, split_interval, wilson


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (3, 40), (39, 40), (10, 10)])
def test_wilsons_interval_is_statsmodels(successes, n):
    found = wilson(successes / n, n, float(norm.ppf(0.975)))
    low, high = proportion_confint(successes, n, alpha=0.05, method="wilson")
    assert found.low == pytest.approx(low, abs=1e-9)
    assert found.high == pytest.approx(high, abs=1e-9)


def test_with_one_image_a_patient_it_is_wilsons_with_students_t():
    hit = np.arange(40) < 7
    found = mean_interval(hit.astype(float), np.arange(40).astype(str), 0.95)
    # the sample variance divides by n - 1, so 39 images are worth the variance that 40 show
    expected = wilson(7 / 40, 39, float(t.ppf(0.975, 39)))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_copies_of_an_image_add_no_certainty():
    hit, owner = (np.arange(40) % 3 == 0).astype(float), np.arange(40).astype(str)
    once, eight = mean_interval(hit, owner, 0.95), mean_interval(np.repeat(hit, 8), np.repeat(owner, 8), 0.95)
    assert (eight.low, eight.high) == pytest.approx((once.low, once.high), abs=1e-9)


def test_where_nothing_was_hit_patients_count_once_each():
    found = mean_interval(np.zeros(160), np.repeat(np.arange(20).astype(str), 8), 0.95)
    assert found.low == 0
    assert found.high == pytest.approx(wilson(0.0, 20, float(t.ppf(0.975, 19))).high)


def test_exchanging_hits_and_misses_mirrors_it():
    rng = np.random.default_rng(0)
    hit, owner = (rng.random(90) < 0.2).astype(float), rng.integers(0, 20, 90).astype(str)
    found, mirrored = mean_interval(hit, owner, 0.95), mean_interval(1 - hit, owner, 0.95)
    assert (found.low, found.high) == pytest.approx((1 - mirrored.high, 1 - mirrored.low), abs=1e-9)


def test_one_patient_says_nothing():
    found = mean_interval(np.array([1.0, 0.0, 1.0]), np.array(["a", "a", "a"]), 0.95)
    assert (found.low, found.high) == (0.0, 1.0)


def test_where_images_fall_is_as_sure_as_the_patients_they_fall_to_are_alike():
    """The logit's variance, by resampling patients of either side."""
    rng = np.random.default_rng(0)
    first, second = rng.poisson(6, 80) * 1.0, rng.poisson(rng.gamma(1, 4, 80)) * 1.0
    found = split_interval(first, second, 0.95)
    drawn = [side[rng.integers(0, 80, (4000, 80))].sum(axis=1) for side in (first, second)]
    spread = np.log(drawn[0] / drawn[1]).std()
    width = np.log(found.high / (1 - found.high)) - np.log(found.low / (1 - found.low))
    assert width == pytest.approx(2 * 1.98 * spread, rel=0.04)
    assert found.low < first.sum() / (first.sum() + second.sum()) < found.high


def test_exchanging_the_sides_mirrors_where_images_fall():
    first, second = np.array([3.0, 0, 5, 1]), np.array([2.0, 2, 2, 9, 0])
    found, mirrored = split_interval(first, second, 0.9), split_interval(second, first, 0.9)
    assert (found.low, found.high) == pytest.approx((1 - mirrored.high, 1 - mirrored.low), abs=1e-12)


def test_where_all_images_fall_to_one_side_patients_count_once_each():
    found = split_interval(np.full(20, 8.0), np.zeros(30), 0.95)
    assert found.high == 1
    assert found.low == pytest.approx(wilson(1.0, 20, float(norm.ppf(0.975))).low)
