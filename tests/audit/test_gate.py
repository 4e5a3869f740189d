"""The verdict judges what was measured, and never takes a gap for a pass."""

import pytest

from privbench.audit.gate import judge
from privbench.audit.record import Estimate, Finding


def estimate(name, value, low, high, detectable, worse="higher", null=0.0):
    return Estimate(
        name=name, value=value, low=low, high=high, null=null, n=100, unit="image", worse=worse, detectable=detectable
    )


def finding(plugin, family, *estimates, status="ok", reason=""):
    return Finding(
        plugin=plugin,
        kind="attack",
        family=family,
        summary="",
        access="SAMPLES",
        status=status,
        reason=reason,
        estimates=estimates,
    )


CLEAN = {
    "memorization": finding("nearest", "memorization", estimate("copied_share", 0.0, -0.01, 0.01, 0.015)),
    "membership": finding("gan-leaks", "membership", estimate("auc", 0.51, 0.45, 0.57, 0.59, "both", 0.5)),
    "reidentification": finding("siamese", "reidentification", estimate("linked_excess", 0.0, -0.02, 0.02, 0.03)),
}


def verdict(**changes):
    return judge(tuple((CLEAN | changes).values()))


def test_all_criteria_tested_with_power_and_nothing_found_is_a_pass():
    assert verdict().outcome == "pass"
    assert {rule.outcome for rule in verdict().rules} == {"pass"}


@pytest.mark.parametrize("family", list(CLEAN))
def test_a_criterion_that_was_not_tested_is_never_a_pass(family):
    rest = tuple(f for f in CLEAN.values() if f.family != family)
    assert judge(rest).outcome == "inconclusive"
    assert any("was not tested" in rule.reason for rule in judge(rest).rules)


@pytest.mark.parametrize("status", ["skipped", "invalid", "error"])
def test_what_could_not_be_measured_is_never_a_pass(status):
    missing = finding("siamese", "reidentification", status=status, reason="no power")
    found = verdict(reidentification=missing)
    assert found.outcome == "inconclusive"
    assert any("no power" in rule.reason for rule in found.rules)


def test_a_skipped_attack_beside_one_that_ran_changes_nothing():
    skipped = finding("loss", "membership", status="skipped", reason="needs DENOISER")
    assert judge((*CLEAN.values(), skipped)).outcome == "pass"


def test_a_leak_beyond_the_limit_fails_whatever_else_passes():
    leak = finding("nearest", "memorization", estimate("copied_share", 0.2, 0.16, 0.24, 0.02))
    assert verdict(memorization=leak).outcome == "fail"


@pytest.mark.parametrize(("value", "low", "high"), [(0.75, 0.68, 0.81), (0.25, 0.19, 0.32)])
def test_membership_fails_on_both_sides_of_one_half(value, low, high):
    leak = finding("gan-leaks", "membership", estimate("auc", value, low, high, 0.59, "both", 0.5))
    assert verdict(membership=leak).outcome == "fail"


@pytest.mark.parametrize(
    "unsure",
    [
        estimate("auc", 0.57, 0.50, 0.63, 0.59, "both", 0.5),  # the interval crosses the limit
        estimate("auc", 0.50, 0.45, 0.55, 0.62, "both", 0.5),  # no power to have seen the limit crossed
        estimate("auc", 0.50, 0.45, 0.55, None, "both", 0.5),  # power unknown
        Estimate(name="auc", value=None, n=3, unit="patient", worse="both", note="too few"),
        estimate("other", 0.50, 0.45, 0.55, 0.55, "both", 0.5),  # the figure is not there
    ],
)
def test_an_estimate_that_cannot_tell_is_inconclusive(unsure):
    assert verdict(membership=finding("gan-leaks", "membership", unsure)).outcome == "inconclusive"


def test_one_exact_copy_fails():
    share = estimate("copied_share", 0.0, -0.01, 0.01, 0.015)
    exact = estimate("exact_copies", 0.002, 0.0, 0.011, None)
    assert verdict(memorization=finding("nearest", "memorization", share, exact)).outcome == "fail"
    # as many identical images in holdout: duplicates in the data, not copies by the generator
    twins = exact.model_copy(update={"null": 0.002})
    assert verdict(memorization=finding("nearest", "memorization", share, twins)).outcome == "pass"
