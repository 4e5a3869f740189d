"""The control-normalised risk against statsmodels' relative risk, a likelihood maximised numerically, and its edges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import norm

from privbench.audit.statistics.risk import normalised_risk, risk_interval

CELL = st.integers(0, 40)


def images(neither, holdout_only, member_only, both):
    member = np.repeat([False, False, True, True], [neither, holdout_only, member_only, both])
    holdout = np.repeat([False, True, False, True], [neither, holdout_only, member_only, both])
    return member, holdout


def test_the_risk_is_one_minus_a_relative_risk():
    from statsmodels.stats.proportion import confint_proportions_2indep, test_proportions_2indep

    found = test_proportions_2indep(170, 200, 190, 200, compare="ratio", method="log")
    assert normalised_risk(30 / 200, 10 / 200) == pytest.approx(1 - found.ratio, abs=1e-9)
    # without correlation between the sides, and with many images, the matched interval is the independent one
    assert confint_proportions_2indep(170, 200, 190, 200, compare="ratio", method="score")[0] < found.ratio


def test_uncorrelated_sides_give_nearly_statsmodels_score_interval_of_independent_shares():
    from statsmodels.stats.proportion import confint_proportions_2indep

    # a = 0.2 and c = 0.1 of 2000, hits independent
    found = risk_interval(*images(1440, 160, 360, 40), 0.95)
    low, high = confint_proportions_2indep(1600, 2000, 1800, 2000, compare="ratio", method="score")
    assert (1 - found.high, 1 - found.low) == pytest.approx((low, high), abs=5e-4)


def most_likely(cells, ratio):
    """Probabilities of (neither, holdout only, member only, both) under the ratio, by search."""
    found = minimize(
        lambda p: -sum(k * np.log(max(q, 1e-15)) for k, q in zip(cells, p, strict=True) if k),
        np.array(cells) / sum(cells) * 0.9 + 0.025,
        bounds=[(1e-12, 1)] * 4,
        constraints=[
            {"type": "eq", "fun": lambda p: sum(p) - 1},
            {"type": "eq", "fun": lambda p: p[0] + p[1] - ratio * (p[0] + p[2])},
        ],
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    return found.x


@pytest.mark.parametrize("cells", [(150, 5, 40, 5), (12, 1, 6, 1), (190, 10, 2, 1), (20, 9, 50, 29)])
def test_both_ends_are_where_the_score_under_the_constrained_likelihood_reaches_the_quantile(cells):
    found = risk_interval(*images(*cells), 0.95)
    neither, holdout_only, member_only, _ = cells
    for ratio, sign in ((1 - found.high, 1), (1 - found.low, -1)):
        p = most_likely(cells, ratio)
        # no hit on members less ratio times no hit on holdout: mean 0 under the ratio, so this is its variance
        variance = sum(cells) * (p[0] * (1 - ratio) ** 2 + p[1] + p[2] * ratio**2)
        score = (neither + holdout_only - ratio * (neither + member_only)) / np.sqrt(variance)
        assert score == pytest.approx(sign * norm.ppf(0.975), abs=1e-5)


@given(CELL, CELL, CELL, CELL, st.sampled_from([0.8, 0.95, 0.99]))
@settings(max_examples=200, deadline=None)
def test_it_contains_the_risk(neither, holdout_only, member_only, both, confidence):
    n = neither + holdout_only + member_only + both
    if n == 0:
        return
    member, holdout = images(neither, holdout_only, member_only, both)
    found = risk_interval(member, holdout, confidence)
    risk = normalised_risk(float(member.mean()), float(holdout.mean()))
    assert min(-1, risk) - 1e-9 <= found.low <= risk + 1e-9
    assert risk - 1e-9 <= found.high <= 1


def test_no_hit_at_all_still_leaves_room_for_a_small_risk():
    found = risk_interval(np.zeros(200, bool), np.zeros(200, bool), 0.95)
    z2 = norm.ppf(0.975) ** 2
    assert found.high == pytest.approx(z2 / (200 + z2), abs=1e-9)
    assert found.low < 0


def test_chance_matches_that_pile_up_on_few_patients_widen_it():
    member, holdout = images(380, 10, 10, 0)
    spread = risk_interval(member, holdout, 0.95, np.arange(400))
    piled = risk_interval(member, holdout, 0.95, np.zeros(400, int))
    plain = risk_interval(member, holdout, 0.95)
    assert spread == plain
    # ten on one patient are worth one: the variance is ten times as large, and the score interval grows a little more
    assert 3 < (piled.high - piled.low) / (plain.high - plain.low) < 5


def test_where_everything_hits_the_holdout_nothing_can_be_said():
    found = risk_interval(np.ones(9, bool), np.ones(9, bool), 0.95)
    assert (found.low, found.high) == (-1.0, 1.0)
    assert normalised_risk(1.0, 1.0) == 0
