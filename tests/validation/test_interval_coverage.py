"""The coverage study, cut down: a broken interval is caught by the same check that the kept ones pass."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

VALIDATION = Path(__file__).parents[2] / "validation"
AUDITS, PATIENTS = 200, 20
# a true coverage within 93-97% gives a count outside these in less than one of 1,000 runs; seeds are fixed
FEWEST, MOST = binom.ppf(0.0005, AUDITS, 0.93), binom.ppf(0.9995, AUDITS, 0.97)
# counts of few events: intervals cannot be narrower than the steps of the count, so only too little is a fault
COARSE = {"difference of shares of patients", "exposed patients", "strongest of five attacks"}


@pytest.fixture(scope="module")
def study():
    sys.path.insert(0, str(VALIDATION))
    try:
        import interval_coverage

        yield interval_coverage
    finally:
        sys.path.remove(str(VALIDATION))
        for name in ("interval_coverage", "simulated", "tables"):
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def covered(study):
    """How many of the audits' intervals contain the truth, by quantity and effect."""
    counts = {}
    study.RESAMPLES = 400
    for seed in range(AUDITS):
        rng = np.random.default_rng([seed, PATIENTS])
        for quantity, effect, interval, truth in study.outcomes(PATIENTS, rng):
            hit = interval.low - 1e-12 <= truth <= interval.high + 1e-12
            counts[quantity, effect] = counts.get((quantity, effect), 0) + hit
    return counts


def test_every_interval_in_use_covers_what_it_says(covered):
    # of skewed values only the bootstrap of many patients is right; docs/validation.md says so
    used = {key: n for key, n in covered.items() if not key[0].startswith("(") and key[1] != "log-normal"}
    wrong = {k: n for k, n in used.items() if not FEWEST <= n <= (AUDITS if k[0] in COARSE else MOST)}
    assert len(used) > 25
    assert not wrong


@pytest.mark.parametrize("effect", ["null", "moderate", "strong"])
def test_an_interval_that_takes_images_for_independent_is_caught(study, effect):
    """The closed form and the bootstrap alike, given a patient of its own for each image."""
    from privbench.audit.statistics.auc import auc_interval
    from privbench.audit.statistics.resampling import bootstrap, resampled_auc

    chosen = next(e for e in study.EFFECTS if e.name == effect)
    closed = resampled = 0
    for seed in range(AUDITS):
        rng = np.random.default_rng(seed)
        member, other = chosen.draw(PATIENTS, rng), study.EFFECTS[0].draw(PATIENTS, rng)
        images = tuple(np.arange(len(side.score)).astype(str) for side in (member, other))
        truth = chosen.auc_by_image()
        found = auc_interval(member.score, other.score, images, 0.95)
        closed += found.low <= truth <= found.high
        found = bootstrap(resampled_auc(member.score, other.score), images, rng, 0.95, 200)
        resampled += found.low <= truth <= found.high
    assert closed < FEWEST
    assert resampled < FEWEST


def test_intervals_that_ignore_patients_among_released_images_are_caught(covered):
    assert covered["(share closer to members, patients ignored)", "null"] < FEWEST


def test_the_simulated_truth_is_the_truth(study):
    """Against a million patients, rather than by quadrature."""
    rng = np.random.default_rng(0)
    other = np.sort(study.EFFECTS[0].draw(200_000, rng).best)
    for effect in study.EFFECTS:
        best = effect.draw(200_000, rng).best
        auc = np.searchsorted(other, best).mean() / len(other)
        assert effect.auc_by_patient() == pytest.approx(auc, abs=0.003)
        assert float(effect.best_below(1.5)) == pytest.approx((best < 1.5).mean(), abs=0.005)
