"""The verdict judges what was measured, and never takes a gap for a pass."""

import pytest

from privbench.audit.checks.fairness import invalidated
from privbench.audit.gate import judge
from privbench.audit.record import Estimate, Finding


def estimate(name, value, low, high, detectable, worse="higher", null=0.0):
    return Estimate(
        name=name, value=value, low=low, high=high, null=null, n=100, unit="image", worse=worse, detectable=detectable
    )


def planted(**shares):
    return tuple(
        Estimate(name="detectable_share", group=kind, value=share, n=200, unit="image", worse="none")
        for kind, share in shares.items()
    )


SEEN = planted(exact=0.01, noise=0.015, mixture=None)


def finding(plugin, family, *estimates, status="ok", reason="", power=SEEN):
    return Finding(
        plugin=plugin,
        kind="check" if family == "validity" else "attack",
        family=family,
        summary="",
        access="SAMPLES",
        status=status,
        reason=reason,
        estimates=(*estimates, *power),
    )


CLEAN = {
    "validity": finding("duplicates", "validity", power=()),
    "memorization": finding("nearest", "memorization", estimate("copied_share", 0.0, -0.01, 0.01, 0.015)),
    "membership": finding("gan-leaks", "membership", estimate("auc", 0.51, 0.45, 0.57, 0.59, "both", 0.5)),
    "reidentification": finding("siamese", "reidentification", estimate("linked_excess", 0.0, -0.02, 0.02, 0.03)),
}


def verdict(**changes):
    return judge(tuple((CLEAN | changes).values()))


def test_all_criteria_tested_with_power_and_nothing_found_is_a_pass():
    assert verdict().outcome == "pass"
    assert {rule.outcome for rule in verdict().rules} == {"pass"}


ATTACKED = [family for family in CLEAN if family != "validity"]


@pytest.mark.parametrize("family", ATTACKED)
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


@pytest.mark.parametrize("family", ATTACKED)
@pytest.mark.parametrize(
    ("power", "said"),
    [
        ((), "how small a leak would have been found was not measured"),
        (planted(exact=None, noise=None, shift=None), "noticed none of the leaks planted"),
    ],
)
def test_nothing_found_by_an_attack_of_unknown_or_no_power_is_no_pass(family, power, said):
    clean = CLEAN[family]
    estimates = tuple(e for e in clean.estimates if e.name != "detectable_share")
    found = verdict(**{family: finding(clean.plugin, family, *estimates, power=power)})
    assert found.outcome == "inconclusive"
    assert any(said in rule.reason for rule in found.rules)


def test_a_leak_is_a_leak_even_where_power_is_unknown():
    leak = finding("nearest", "memorization", estimate("copied_share", 0.2, 0.16, 0.24, None), power=())
    assert verdict(memorization=leak).outcome == "fail"


def test_a_share_whose_faithful_copies_go_unseen_names_them():
    share = estimate("copied_share", 0.0, -0.01, 0.01, None)
    blind = finding("nearest", "memorization", share, power=planted(exact=0.01, noise=None))
    (rule,) = (r for r in verdict(memorization=blind).rules if r.name.startswith("memorization"))
    assert (rule.outcome, "planted copies (noise) were not noticed" in rule.reason) == ("inconclusive", True)


@pytest.mark.parametrize("status", ["invalid", "skipped", "error"])
def test_nothing_passes_where_the_comparison_may_be_unfair(status):
    check = finding("blind-baseline", "validity", status=status, reason="they differ", power=())
    found = judge((*CLEAN.values(), check))
    assert found.outcome == "inconclusive"
    assert any(r.name == "validity.blind-baseline" and "they differ" in r.reason for r in found.rules)


def test_a_comparison_that_nobody_checked_is_no_pass():
    assert judge(tuple(f for f in CLEAN.values() if f.kind != "check")).outcome == "inconclusive"


def test_a_failed_check_makes_every_attack_invalid_and_no_metric():
    failed = finding("shift", "validity", status="invalid", reason="centres differ: draw both at random", power=())
    dice = CLEAN["membership"].model_copy(update={"kind": "metric", "family": "utility"})
    skipped = finding("loss", "membership", status="skipped", reason="needs DENOISER")
    findings = invalidated((CLEAN["memorization"], CLEAN["membership"], skipped, dice), (failed,))
    assert [f.status for f in findings] == ["invalid", "invalid", "skipped", "ok"]
    assert findings[0].reason == "the check 'shift' failed: centres differ: draw both at random"
    assert findings[0].estimates == CLEAN["memorization"].estimates
    assert invalidated((CLEAN["memorization"],), (CLEAN["validity"],)) == (CLEAN["memorization"],)


def test_an_exact_copy_fails_even_where_the_comparison_is_unfair():
    failed = finding("shift", "validity", status="invalid", reason="centres differ", power=())
    exact = estimate("exact_copies", 0.002, 0.0, 0.011, None)
    leak = finding("nearest", "memorization", estimate("copied_share", 0.2, 0.16, 0.24, 0.02), exact)
    unfair = (failed, *invalidated((leak, CLEAN["membership"], CLEAN["reidentification"]), (failed,)))
    assert judge(unfair).outcome == "fail"
    clean = (failed, *invalidated((CLEAN["memorization"], CLEAN["membership"]), (failed,)))
    assert judge(clean).outcome == "inconclusive"


BLIND = planted(exact=None, noise=None)


def test_a_blind_attack_takes_nothing_from_one_that_sees():
    blind = finding("logan", "membership", estimate("auc", 0.5, 0.43, 0.57, 0.59, "both", 0.5), power=BLIND)
    found = judge((*CLEAN.values(), blind))
    assert found.outcome == "pass"
    (rule,) = [r for r in found.rules if r.name == "membership.logan.auc"]
    assert "noticed none of the leaks planted" in rule.reason
    assert "gan-leaks would have found a leak" in rule.reason


def test_what_sees_with_less_access_does_not_stand_in_for_the_blind_with_more():
    blind = finding("loss", "membership", estimate("auc", 0.5, 0.43, 0.57, 0.59, "both", 0.5), power=())
    asked = blind.model_copy(update={"access": "DENOISER"})
    assert judge((*CLEAN.values(), asked)).outcome == "inconclusive"


def test_every_attack_of_a_family_must_stay_within_the_limit():
    wide = finding("logan", "membership", estimate("auc", 0.55, 0.47, 0.63, 0.59, "both", 0.5))
    assert judge((*CLEAN.values(), wide)).outcome == "inconclusive"
    leak = finding("logan", "membership", estimate("auc", 0.75, 0.67, 0.82, 0.59, "both", 0.5))
    assert judge((*CLEAN.values(), leak)).outcome == "fail"


TOLD = {
    "small": estimate("attribute_risk", 0.02, -0.05, 0.09, 0.12),
    "large": estimate("attribute_risk", 0.5, 0.3, 0.7, 0.12),
    "unsure": estimate("attribute_risk", 0.1, -0.05, 0.25, 0.12),
    "blind": estimate("attribute_risk", 0.0, -0.05, 0.05, 0.4),
}


@pytest.mark.parametrize(
    ("told", "outcome"), [("small", "pass"), ("large", "fail"), ("unsure", "inconclusive"), ("blind", "inconclusive")]
)
def test_attributes_that_were_measured_count_for_the_verdict(told, outcome):
    assert judge((*CLEAN.values(), finding("attribute-inference", "attribute", TOLD[told]))).outcome == outcome


def test_a_pass_does_not_ask_for_attributes_nor_does_what_could_not_be_asked_make_one():
    unknown = Estimate(name="attribute_risk", value=None, n=6, unit="patient", worse="higher", note="6 patients")
    for untested in (
        finding("attribute-inference", "attribute", status="skipped", reason="there is no attribute"),
        finding("attribute-inference", "attribute", unknown),
    ):
        found = judge((*CLEAN.values(), untested))
        assert found.outcome == "pass"
        assert not any(rule.name.startswith("attribute") for rule in found.rules)
        assert judge((untested,)).outcome == "inconclusive"
    broken = finding("attribute-inference", "attribute", status="error", reason="ValueError")
    assert judge((*CLEAN.values(), broken)).outcome == "inconclusive"


def test_a_metric_that_broke_keeps_an_audit_from_passing():
    broken = Finding(
        plugin="fid", kind="metric", family="utility", summary="", access="", status="error", reason="MemoryError"
    )
    assert judge(tuple(CLEAN.values())).outcome == "pass"
    verdict = judge((*CLEAN.values(), broken))
    assert verdict.outcome == "inconclusive"
    assert [(r.name, r.reason) for r in verdict.rules if r.outcome != "pass"] == [("utility.fid", "error: MemoryError")]
    skipped = broken.model_copy(update={"status": "skipped"})
    assert judge((*CLEAN.values(), skipped)).outcome == "pass"


def test_what_sees_copies_does_not_stand_in_for_what_looks_for_holes_behind_a_guard():
    calm = estimate("auc", 0.5, 0.43, 0.57, 0.59, "both", 0.5)
    holes = finding("guard-hole", "membership", calm, power=planted(hole=None))
    assert judge((*CLEAN.values(), holes)).outcome == "inconclusive", "gan-leaks was never asked about holes"
    sees_both = finding("domias", "membership", calm, power=planted(exact=0.02, noise=0.02, hole=0.1))
    assert judge((*CLEAN.values(), holes, sees_both)).outcome == "pass"
    sees_holes = holes.model_copy(update={"estimates": (calm, *planted(hole=0.1))})
    blind = finding("logan", "membership", calm, power=BLIND)
    rest = tuple(f for f in CLEAN.values() if f.family != "membership")
    assert judge((*rest, sees_holes, blind)).outcome == "inconclusive", "nobody saw copies"


def test_nobody_stands_in_for_an_attack_whose_power_was_not_measured():
    unasked = finding("logan", "membership", estimate("auc", 0.5, 0.43, 0.57, 0.59, "both", 0.5), power=())
    found = judge((*CLEAN.values(), unasked))
    assert found.outcome == "inconclusive"
    assert any("was not measured" in rule.reason for rule in found.rules)
