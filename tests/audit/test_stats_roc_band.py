"""The band around a ROC curve: exact at each threshold, and it covers."""

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from privbench.audit.statistics.roc_band import roc_band
from privbench.audit.statistics.stats import roc_curve

MEMBERS, OTHERS = 40, 50


def test_at_the_corners_and_where_nobody_is_accused_only_one_rate_is_unknown():
    fpr, tpr = np.array([0.0, 0.0, 1.0]), np.array([0.0, 0.25, 1.0])
    band = roc_band(fpr, tpr, OTHERS, MEMBERS, 0.95)
    exact = binomtest(10, MEMBERS).proportion_ci(0.95**0.5)
    assert band.high[:2] == pytest.approx([exact.high] * 2)
    assert band.low[2] == pytest.approx(binomtest(MEMBERS, MEMBERS).proportion_ci(0.95**0.5).low)
    # Right of all that no false alarm of 50 can be by chance, the curve is at least what that threshold says.
    later = roc_band(np.array([0.0, 0.2, 1.0]), np.array([0.25, 0.25, 1.0]), OTHERS, MEMBERS, 0.95)
    assert later.low[1] == pytest.approx(exact.low)


def test_the_band_holds_its_curve_and_never_falls():
    rng = np.random.default_rng(1)
    fpr, tpr = roc_curve(rng.normal(0.7, 1, MEMBERS), rng.normal(0, 1, OTHERS))
    band = roc_band(fpr, tpr, OTHERS, MEMBERS, 0.95)
    assert (band.low <= tpr).all()
    assert (tpr <= band.high).all()
    assert (np.diff(band.low) >= 0).all()
    assert (np.diff(band.high) >= 0).all()


def test_more_patients_make_it_narrower():
    fpr = tpr = np.linspace(0, 1, 11)
    few, many = (roc_band(fpr, tpr, n, n, 0.95) for n in (20, 2000))
    assert (many.high - many.low)[1:-1].max() < (few.high - few.low)[1:-1].min()


@pytest.mark.parametrize("at", [0.1, 0.3])
def test_it_holds_the_true_curve_as_often_as_it_says(at):
    rng, trials, held = np.random.default_rng(7), 300, 0
    true = norm.sf(norm.isf(at) - 1.0)
    for _ in range(trials):
        fpr, tpr = roc_curve(rng.normal(1, 1, MEMBERS), rng.normal(0, 1, OTHERS))
        band = roc_band(fpr, tpr, OTHERS, MEMBERS, 0.95)
        low = band.low[fpr <= at].max(initial=0.0)
        high = band.high[fpr >= at].min(initial=1.0)
        held += low <= true <= high
    assert held / trials >= 0.95


def test_rates_that_are_no_shares_of_so_many_patients_are_refused():
    with pytest.raises(ValueError, match="number of patients over 7"):
        roc_band(np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.5, 1.0]), 7, 10, 0.95)
