"""What one training with canaries says of epsilon: the bound against the paper, a slow count, simulated trainings."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import binom

from privbench.audit.checks.fairness import invalidated
from privbench.audit.context import Context
from privbench.audit.contract import check_scores
from privbench.audit.gate import judge
from privbench.audit.measures.canaries import measure_canaries
from privbench.audit.measures.claim import judgement_in
from privbench.audit.measures.confidential import confidential_csv
from privbench.audit.measures.measured import Truth
from privbench.audit.record import Finding, Privacy
from privbench.audit.retraining import coins
from privbench.audit.stages import measure
from privbench.audit.statistics.one_run import judgement_of, one_run_bound, one_run_ceiling, one_run_p_value
from privbench.audit.types import CanaryScores, ImageSet

CLAIM = Privacy(
    epsilon=2.0,
    delta=1e-5,
    unit="patient",
    patient_epsilon=2.0,
    patient_delta=1e-5,
    images_per_patient=1,
    accountant="prv",
    noise_multiplier=1.0,
    sample_rate=0.5,
    steps=10,
    max_grad_norm=1.0,
    multiplicity=1,
    secure_noise=False,
)
CONTEXT = Context(seed=5, path=("attack", "dp-canary"))


def paper_p_value(m, r, v, eps, delta):
    """Appendix D of arXiv:2305.08846, as its authors wrote it."""
    q = 1 / (1 + math.exp(-eps))
    beta = binom.sf(v - 1, r, q)
    alpha = total = 0.0
    for i in range(1, v + 1):
        total += binom.pmf(v - i, r, q)
        if total > i * alpha:
            alpha = total / i
    return min(beta + alpha * delta * 2 * m, 1)


def paper_bound(m, r, v, delta, p):
    """Appendix D's search by bisection."""
    low, high = 0.0, 1.0
    while paper_p_value(m, r, v, high, delta) < p:
        high += 1
    for _ in range(50):
        middle = (low + high) / 2
        if paper_p_value(m, r, v, middle, delta) < p:
            low = middle
        else:
            high = middle
    return low


@pytest.mark.parametrize(("r", "ceiling"), [(20, 1.82), (100, 3.49), (1000, 5.81)])
def test_the_ceiling_is_that_of_so_many_right_guesses(r, ceiling):
    assert one_run_ceiling(0.95, 0.0, r, r) == pytest.approx(ceiling, abs=0.005)


def test_the_paper_s_own_example_comes_out():
    assert one_run_bound(0.95, 1e-4, 1000, 100, 75) == pytest.approx(0.673, abs=5e-4)


@pytest.mark.parametrize("delta", [0.0, 1e-5, 1e-3])
def test_p_values_and_bounds_are_those_of_the_paper_s_code(delta):
    for m, r in ((20, 20), (100, 50), (400, 200)):
        for v in (0, 1, r // 2, r - 3, r):
            for epsilon in (0.0, 0.5, 3.0, 12.0):
                expected = paper_p_value(m, r, v, epsilon, delta)
                assert one_run_p_value(epsilon, delta, m, r, v) == pytest.approx(expected, rel=1e-9, abs=1e-15)
            assert one_run_bound(0.95, delta, m, r, v) == pytest.approx(paper_bound(m, r, v, delta, 0.05), abs=1e-6)


def test_without_delta_it_is_the_count_of_all_outcomes():
    q = math.e / (1 + math.e)
    counted = sum(
        math.prod(q if right else 1 - q for right in outcome)
        for outcome in product((True, False), repeat=8)
        if sum(outcome) >= 6
    )
    assert one_run_p_value(1.0, 0.0, 8, 8, 6) == pytest.approx(counted)


def test_no_guess_and_no_luck_refute_nothing():
    assert one_run_bound(0.95, 1e-5, 100, 0, 0) == 0
    assert one_run_bound(0.95, 1e-5, 100, 50, 25) == 0
    assert one_run_p_value(0.0, 1e-5, 100, 50, 0) == 1
    with pytest.raises(ValueError, match="3 right guesses of 2"):
        one_run_p_value(1.0, 0.0, 5, 2, 3)


def test_randomised_response_is_refuted_no_more_often_than_stated():
    """The mechanism for which the theorem is tight tells each coin rightly with probability q; all are guessed."""
    rng, epsilon, m = np.random.default_rng(0), 1.5, 60
    right = rng.binomial(m, math.exp(epsilon) / (1 + math.exp(epsilon)), 4000)
    bounds = {v: one_run_bound(0.95, 0.0, m, m, int(v)) for v in np.unique(right)}
    refuted = np.mean([bounds[v] > epsilon for v in right])
    assert 0.01 < refuted <= 0.055


def noisy(separation, m=100, seed=0):
    """Scores that tell the engine's coins apart so well."""
    names = np.array([f"c{i:03d}" for i in range(m)])
    context = replace(CONTEXT, seed=seed)
    noise = np.random.default_rng(seed).standard_normal(m)
    return CanaryScores(names, noise + separation * coins(names, context), claim=CLAIM), context


def truth():
    images = ImageSet(np.zeros((2, 1, 2, 2), np.float32), np.array(["a", "b"]))
    return Truth(images, np.array([True, False]), images.patient, images)


def measured(separation, m=100, seed=0, **claim):
    scores, context = noisy(separation, m, seed)
    scores = replace(scores, claim=CLAIM.model_copy(update=claim))
    check_scores(scores, truth(), "attack 'x'", "canary")
    return measure(scores, truth(), context)


def found(result):
    return Finding(
        plugin="dp-canary",
        kind="attack",
        family="canary",
        summary="",
        access="DENOISER",
        status="invalid" if result.invalid else "ok",
        reason=result.invalid,
        estimates=result.estimates,
    )


def test_the_engine_joins_the_coins_and_counts():
    result = measured(10.0)
    lower, claimed, ceiling, right = result.estimates
    assert (right.value, right.null, right.n) == (1.0, 0.5, 50)
    assert right.low == pytest.approx(0.025 ** (1 / 50))
    assert lower.value == ceiling.value == pytest.approx(paper_bound(100, 50, 50, 1e-5, 0.05), abs=1e-6)
    assert (lower.low, lower.high, lower.n, lower.unit) == (lower.value, None, 50, "patient")
    assert claimed.value == 2.0
    assert "100 canaries" in lower.note
    assert "50 right" in lower.note


def test_a_claim_is_refuted_consistent_or_untested():
    assert judgement_in(found(measured(10.0))) == "refuted"
    assert judgement_in(found(measured(0.0))) == "consistent"
    assert judgement_in(found(measured(10.0, epsilon=2.9))) == "uninformative"
    assert judgement_in(found(measured(10.0, epsilon=1e300))) == "uninformative"
    assert judgement_of(2.0, 2.0, 2.0) == "uninformative", "the bound must exceed the claim, and could not have"


def test_only_a_test_that_could_fail_gives_the_verdict_a_rule():
    outcomes = {
        said: [(r.name, r.outcome) for r in judge((found(result),)).rules if r.name.startswith("canary")]
        for said, result in (
            ("refuted", measured(10.0)),
            ("consistent", measured(0.0)),
            ("uninformative", measured(0.0, epsilon=10.0)),
        )
    }
    name = "canary.dp-canary.epsilon_lower"
    assert outcomes == {"refuted": [(name, "fail")], "consistent": [(name, "pass")], "uninformative": []}
    broken = found(measured(0.0)).model_copy(update={"status": "error", "reason": "it broke"})
    assert [r.outcome for r in judge((broken,)).rules if r.name == "canary.dp-canary"] == ["inconclusive"]
    skipped = broken.model_copy(update={"status": "skipped"})
    assert not [r for r in judge((skipped,)).rules if r.name.startswith("canary")]


def test_an_unfair_comparison_of_patients_does_not_touch_canaries():
    check = found(measured(0.0)).model_copy(update={"plugin": "x", "kind": "check", "status": "invalid"})
    (after,) = invalidated((found(measured(10.0)),), (check,))
    assert judgement_in(after) == "refuted"


def test_guesses_without_knowledge_are_right_half_the_time():
    right = [e.value for seed in range(200) for e in measured(0.0, seed=seed).estimates if e.name == "guesses_right"]
    assert np.mean(right) == pytest.approx(0.5, abs=0.03)
    refuted = sum(judgement_in(found(measured(0.0, seed=seed, epsilon=0.01))) == "refuted" for seed in range(200))
    assert refuted <= 10 + 3 * 3.1  # 5% of 200, and three standard errors


def test_what_cannot_be_measured_is_invalid_and_no_number():
    scores, context = noisy(10.0)
    trained_on = coins(scores.canaries, context)
    unclaimed = measure_canaries(replace(scores, claim=None), trained_on, context)
    alike = measure_canaries(replace(scores, score=np.ones(100)), trained_on, context)
    few = measure_canaries(CanaryScores(scores.canaries[:3], scores.score[:3], claim=CLAIM), trained_on[:3], context)
    for result, reason in ((unclaimed, "states no claim"), (alike, "score alike"), (few, "too few")):
        assert reason in result.invalid
        assert not result.estimates


def test_canaries_out_of_order_and_scores_that_are_no_numbers_are_refused():
    scores, _ = noisy(0.0)
    for wrong, reason in (
        (replace(scores, canaries=scores.canaries[::-1]), "sorted order"),
        (replace(scores, score=scores.score[1:]), "shape"),
        (replace(scores, score=np.full(100, np.nan)), "not numbers"),
        (replace(scores, score=np.full(100, np.inf)), "infinite"),
    ):
        with pytest.raises(ValueError, match=reason):
            check_scores(wrong, truth(), "attack 'x'", "canary")


def test_a_claim_of_an_infinite_epsilon_is_none():
    with pytest.raises(ValidationError, match="finite"):
        Privacy.model_validate({**CLAIM.model_dump(), "epsilon": math.inf})


def test_the_owner_gets_the_scores():
    scores, _ = noisy(0.0, m=2)
    assert confidential_csv(scores, truth()).splitlines()[1:3] == ["canary,score", f"c000,{scores.score[0]}"]
