"""LiRA's and RMIA's arithmetic against the papers' formulas, written out term by term."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from privbench.attacks.ratios import (
    OWN_VARIANCE,
    confidence_logit,
    lira_offline,
    mean_out,
    offline_slope,
    rmia_offline,
    rmia_ratio,
)


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def written_out(observed, shadows, out, *, pooled):
    """One image and one level after the other: the mean over levels of (observed - mu_out) / sigma_out."""
    models, n, levels = shadows.shape
    found = np.zeros(n)
    for level in range(levels):
        own = [[shadows[m, i, level] for m in range(models) if out[m, i]] for i in range(n)]
        squares = [sum((v - sum(values) / len(values)) ** 2 for v in values) for values in own]
        free = [len(values) - 1 for values in own]
        for i in range(n):
            variance = sum(squares) / sum(free) if pooled else squares[i] / free[i]
            found[i] += (observed[i, level] - sum(own[i]) / len(own[i])) / variance**0.5 / levels
    return found


@pytest.mark.parametrize(("models", "pooled"), [(4, True), (OWN_VARIANCE, False)])
def test_lira_is_the_standardised_difference_from_models_without_the_image(rng, models, pooled):
    shadows = rng.standard_normal((models, 30, 3)) * [1, 2, 5] + rng.standard_normal((30, 3))
    observed = rng.standard_normal((30, 3))
    out = rng.random((models, 30)) < 0.7
    out[:2] = True
    np.testing.assert_allclose(
        lira_offline(observed, shadows, out), written_out(observed, shadows, out, pooled=pooled), rtol=1e-6
    )


def test_lira_orders_images_as_the_papers_one_sided_probability_does(rng):
    shadows = rng.normal(2, 3, (100, 20, 1))
    observed = rng.normal(2, 3, (20, 1))
    everybody = np.ones((100, 20), dtype=bool)
    probability = 1 - norm.sf(observed[:, 0], shadows[..., 0].mean(0), shadows[..., 0].std(0, ddof=1))
    np.testing.assert_allclose(norm.cdf(lira_offline(observed, shadows, everybody)), probability, atol=1e-6)


def test_an_image_that_every_model_saw_has_no_score_and_one_model_still_calibrates(rng):
    shadows, observed = rng.random((1, 3, 2)), rng.random((3, 2))
    out = np.array([[True, True, False]])
    found = lira_offline(observed, shadows, out)
    np.testing.assert_allclose(found[:2], (observed - shadows[0]).mean(1)[:2])
    assert np.isnan(found[2])


def test_the_logit_of_the_confidence_is_computed_without_rounding():
    loss = np.array([1e-3, 0.2, 1.0, 5.0])
    p = np.exp(-loss)
    np.testing.assert_allclose(confidence_logit(loss), np.log(p / (1 - p)), rtol=1e-9)
    assert np.isfinite(confidence_logit(np.array([0.0, 700.0]))).all()


def test_rmia_is_the_share_of_strangers_whose_ratio_is_exceeded(rng):
    p, p_z = rng.random(40), rng.random(25)
    out, out_z = rng.random((6, 40)), rng.random((6, 25))
    seen = rng.random((6, 25)) < 0.5
    seen[0] = False
    a, gamma = 0.3, 1.2
    expected = []
    for i in range(40):
        dominated = 0
        for j in range(25):
            outside = [out_z[m, j] for m in range(6) if not seen[m, j]]
            p_x = 0.5 * ((1 + a) * sum(out[:, i]) / 6 + (1 - a))
            p_of_z = 0.5 * ((1 + a) * sum(outside) / len(outside) + (1 - a))
            dominated += (p[i] / p_x) / (p_z[j] / p_of_z) >= gamma
        expected.append(dominated / 25)
    ratio = rmia_ratio(p, mean_out(out, np.ones(out.shape, dtype=bool)), a)
    population = rmia_ratio(p_z, mean_out(out_z, ~seen), a)
    np.testing.assert_allclose(rmia_offline(ratio, population, gamma), expected, atol=1e-6)


def test_the_offline_slope_is_found_again_and_stays_between_certainty_and_nothing(rng):
    p_out = rng.uniform(0.2, 0.9, 500)
    p_in = 0.35 * p_out + 0.65 + rng.normal(0, 0.01, 500)
    assert offline_slope(p_in, p_out) == pytest.approx(0.35, abs=0.01)
    assert offline_slope(p_out - 0.1, p_out) == 1
    assert offline_slope(np.ones(3), p_out[:3]) == 0


@pytest.mark.parametrize("spread", [1.0, 0.0])
def test_lira_is_at_least_as_strong_as_plain_loss_where_images_differ_in_difficulty(rng, spread):
    members = np.arange(400) < 200
    difficulty = np.exp(spread * rng.standard_normal(400))

    def trained(saw):
        return difficulty * np.exp(0.1 * rng.standard_normal(400)) * np.where(saw, 0.8, 1)

    own, shadows = trained(members), np.stack([trained(np.zeros(400, dtype=bool)) for _ in range(8)])
    plain = roc_auc_score(members, -own)
    everybody = np.ones(shadows.shape, dtype=bool)
    scaled = confidence_logit(own)[:, None], confidence_logit(shadows)[..., None]
    calibrated = roc_auc_score(members, lira_offline(*scaled, everybody))
    rmia = roc_auc_score(members, rmia_ratio(np.exp(-own), mean_out(np.exp(-shadows), everybody), 0.5))
    if spread:
        assert plain < 0.65
        assert calibrated > 0.85
        assert rmia > plain + 0.05
    else:
        assert calibrated > plain - 0.05, "nothing to calibrate: what the shadow models' noise costs"
