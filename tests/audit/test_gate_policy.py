"""Any record can be judged by any policy: each rule with value, interval, limit and what would have been found."""

import pytest

from privbench.audit.gate import gate, judge
from privbench.audit.gated import exit_code_of
from privbench.audit.policy import default_policy, parse_policy
from privbench.audit.record import PluginSpec

from .made_audits import SEEN, auc, audit, clean, dice, estimate, finding, planted


def policy(*rules, head="tested = []"):
    return parse_policy("version = 1\n" + head + "\n" + "\n".join(f"[[rule]]\n{rule}" for rule in rules), "test")


def outcome(record, *rules, head="tested = []"):
    """The one rule that is not about the comparison."""
    (rule,) = [r for r in gate(record, policy(*rules, head=head)).rules if not r.name.startswith("validity")]
    return rule


def test_a_clean_audit_with_power_passes_the_default_policy():
    verdict = gate(audit(), default_policy())
    assert verdict.outcome == "pass"
    assert verdict == judge(audit().findings)


def test_a_line_states_value_interval_limit_and_what_would_have_been_found():
    rule = outcome(audit(), 'estimate = "membership.gan-leaks.auc"\nmax = 0.6')
    assert (rule.value, rule.low, rule.high) == pytest.approx((0.51, 0.45, 0.57))
    assert (rule.threshold, rule.detectable, rule.outcome) == (0.6, 0.58, "pass")


def test_the_limit_of_an_inverted_attack_lies_below_its_null():
    rule = outcome(
        audit(**{"gan-leaks": finding("gan-leaks", "membership", auc(0.3))}),
        'estimate = "membership.gan-leaks.auc"\nmax = 0.6',
    )
    assert (rule.outcome, rule.threshold) == ("fail", pytest.approx(0.4))


@pytest.mark.parametrize(
    ("value", "half", "by", "expected"),
    [
        (0.5, 0.05, "interval", "pass"),
        (0.57, 0.06, "interval", "inconclusive"),
        (0.7, 0.05, "interval", "fail"),
        (0.63, 0.06, "interval", "inconclusive"),
        (0.5, 0.05, "upper", "pass"),
        (0.57, 0.06, "upper", "fail"),  # no benefit of the doubt
        (0.43, 0.06, "upper", "fail"),  # nor on the other side of the null
        (0.57, 0.06, "value", "pass"),
        (0.61, 0.06, "value", "fail"),
        (0.39, 0.06, "value", "fail"),
    ],
)
def test_the_policy_says_which_part_of_the_interval_decides(value, half, by, expected):
    record = audit(**{"gan-leaks": finding("gan-leaks", "membership", auc(value, half))})
    assert outcome(record, f'estimate = "membership.gan-leaks.auc"\nmax = 0.6\nby = "{by}"').outcome == expected


@pytest.mark.parametrize(
    ("value", "by", "expected"),
    [
        (0.80, "interval", "pass"),
        (0.71, "interval", "inconclusive"),
        (0.60, "interval", "fail"),
        (0.71, "lower", "fail"),
        (0.73, "lower", "pass"),
        (0.71, "value", "pass"),
    ],
)
def test_utility_must_reach_a_minimum_and_needs_no_power(value, by, expected):
    record = audit(dice=finding("dice", "utility", dice(value)))
    rule = outcome(record, f'estimate = "utility.dice[synthetic]"\nmin = 0.70\nby = "{by}"')
    assert (rule.name, rule.outcome, rule.threshold) == ("utility.dice.dice[synthetic]", expected, 0.7)


@pytest.mark.parametrize("power", [True, False])
def test_a_leak_that_would_have_been_missed_is_no_pass_unless_the_policy_says_so(power):
    blind = finding("nearest", "memorization", estimate("copied_share", 0.0, -0.001, 0.001, 0.015))
    rule = 'estimate = "memorization.copied_share"\nmax = 0.01\npower = ' + str(power).lower()
    found = outcome(audit(nearest=blind), rule)
    assert found.outcome == ("inconclusive" if power else "pass")


def test_a_figure_whose_power_was_not_measured_says_so():
    blind = finding("siamese", "reidentification", estimate("map@r_lift", 1.0, 0.8, 1.2, None, null=1.0))
    rule = 'estimate = "reidentification.map@r_lift"\nmax = 2'
    found = outcome(audit(siamese=blind), rule)
    assert (found.outcome, "how small a leak would show in this figure" in found.reason) == ("inconclusive", True)
    assert outcome(audit(siamese=blind), f"{rule}\npower = false").outcome == "pass"


def test_power_itself_can_be_ruled_on():
    for share, expected in ((0.04, "pass"), (0.08, "fail")):
        seen = finding("loss", "membership", auc(0.5), power=planted(exact=share, noise=0.01))
        rule = 'estimate = "membership.loss.detectable_share[exact]"\nmax = 0.05\nby = "value"'
        assert outcome(audit(loss=seen), rule).outcome == expected


def test_an_estimate_without_interval_is_judged_by_its_value_or_not_at_all():
    bare = finding("siamese", "reidentification", estimate("map@r_lift", 1.5, null=1.0))
    rule = 'estimate = "reidentification.map@r_lift"\nmax = 2\npower = false'
    assert "has no interval" in outcome(audit(siamese=bare), rule).reason
    assert outcome(audit(siamese=bare), rule).outcome == "inconclusive"
    assert outcome(audit(siamese=bare), f'{rule}\nby = "upper"').outcome == "inconclusive"
    assert outcome(audit(siamese=bare), f'{rule}\nby = "value"').outcome == "pass"


def test_a_limit_below_the_null_of_a_two_sided_estimate_decides_nothing():
    rule = outcome(audit(), 'estimate = "membership.gan-leaks.auc"\nmax = 0.4')
    assert rule.outcome == "inconclusive"
    assert "its null, 0.5, but max = 0.4 is below it" in rule.reason


@pytest.mark.parametrize(
    ("path", "limit", "said"),
    [
        ("memorization.copied_share", "min = -0.05", "worse the higher it is, so min would pass the worst; write max"),
        ("utility.dice[synthetic]", "max = 0.9", "worse the lower it is, so max would pass the worst; write min = 0.9"),
        ("membership.gan-leaks.auc", "min = 0.6", "min = 0.6 is above it"),
    ],
)
def test_a_limit_on_the_wrong_side_passes_nobody(path, limit, said):
    leaky = finding("gan-leaks", "membership", auc(0.9))
    rule = outcome(audit(**{"gan-leaks": leaky}), f'estimate = "{path}"\n{limit}\nby = "value"')
    assert rule.outcome == "inconclusive"
    assert said in rule.reason


@pytest.mark.parametrize(("detectable", "expected"), [(0.58, "pass"), (0.62, "inconclusive")])
def test_a_minimum_of_a_two_sided_estimate_asks_for_power_below_its_null(detectable, expected):
    seen = finding("gan-leaks", "membership", auc(0.5, detectable=detectable))
    record = audit(**{"gan-leaks": seen})
    assert outcome(record, 'estimate = "membership.gan-leaks.auc"\nmin = 0.4').outcome == expected


@pytest.mark.parametrize(("by", "expected"), [("interval", "inconclusive"), ("upper", "fail"), ("value", "fail")])
def test_an_interval_that_does_not_hold_its_value_passes_no_value_beyond_the_limit(by, expected):
    odd = finding("nearest", "memorization", estimate("copied_share", 0.5, -0.01, 0.01, 0.015))
    rule = f'estimate = "memorization.copied_share"\nmax = 0.02\nby = "{by}"'
    assert outcome(audit(nearest=odd), rule).outcome == expected


def test_a_star_asks_every_attack_and_the_short_form_whoever_reports():
    mute = finding("mute", "membership", estimate("other", 0.0, 0.0, 0.0))
    every = gate(audit(mute=mute), policy('estimate = "membership.*.auc"\nmax = 0.6'))
    assert {r.name: r.outcome for r in every.rules}["membership.mute.auc"] == "inconclusive"
    some = gate(audit(mute=mute), policy('estimate = "membership.auc"\nmax = 0.6'))
    assert some.outcome == "pass"
    assert [r.name for r in some.rules[1:]] == ["membership.gan-leaks.auc", "membership.loss.auc"]


@pytest.mark.parametrize("status", ["invalid", "error"])
def test_an_attack_that_a_rule_demands_must_not_have_broken(status):
    broken = finding("loss", "membership", auc(0.5), status=status, reason="it broke", power=())
    found = gate(audit(loss=broken), policy('estimate = "membership.*.auc"\nmax = 0.6'))
    assert found.outcome == "inconclusive"
    assert [r.reason for r in found.rules if r.name == "membership.loss"] == [f"{status}: it broke"]


@pytest.mark.parametrize(
    ("missing", "expected"), [("", ["inconclusive"]), ('\nmissing = "ignore"', [])], ids=["asked for", "ignored"]
)
@pytest.mark.parametrize(
    "path", ["utility.fid", "attribute.attribute_risk", "utility.dice[center A]", "membership.lira.auc"]
)
def test_a_rule_that_matches_nothing_is_inconclusive_unless_it_says_otherwise(path, missing, expected):
    found = gate(audit(), policy(f'estimate = "{path}"\nmax = 1{missing}')).rules
    assert [r.outcome for r in found if r.name == path] == expected


def test_a_group_that_nothing_reports_is_answered_with_those_that_there_are():
    rule = outcome(audit(), 'estimate = "utility.dice[synthetc]"\nmin = 0.7')
    assert rule.outcome == "inconclusive"
    assert rule.reason == "not in this record: of dice there is [synthetic], [real]"


def test_a_metric_that_broke_leaves_its_rule_open():
    broken = finding("dice", "utility", status="error", reason="out of memory")
    found = gate(audit(dice=broken), policy('estimate = "utility.dice[synthetic]"\nmin = 0.7'))
    assert any("dice (error): out of memory" in r.reason for r in found.rules if r.outcome == "inconclusive")


def test_a_run_with_a_failed_plugin_never_passes():
    broken = finding("fid", "utility", status="error", reason="out of memory")
    record = audit(fid=broken)
    verdict = gate(record, default_policy())
    assert verdict.outcome == "inconclusive"
    assert exit_code_of(verdict, record) == 4
    leak = finding("gan-leaks", "membership", auc(0.8))
    failed = audit(fid=broken, **{"gan-leaks": leak})
    assert exit_code_of(gate(failed, default_policy()), failed) == 1, "a leak is said first"


@pytest.mark.parametrize(("changes", "expected"), [({}, 0), ({"siamese": None}, 3)])
def testexit_code_ofs_tell_pass_from_inconclusive(changes, expected):
    record = audit(**changes)
    assert exit_code_of(gate(record, default_policy()), record) == expected


def test_families_that_must_be_tested_are_the_policys_to_name():
    without = audit(siamese=None)
    assert gate(without, default_policy()).outcome == "inconclusive"
    rule = 'estimate = "membership.*.auc"\nmax = 0.6'
    assert gate(without, policy(rule, head='tested = ["membership"]')).outcome == "pass"
    assert gate(without, policy(rule, head='tested = ["attribute"]')).outcome == "inconclusive"


UNFAIR = finding("shift", "validity", status="invalid", reason="they differ")
LEAKY = finding("certificate", "guard", status="invalid", reason="one image is too close")
COPIES = finding("nearest", "memorization", estimate("exact_copies", 0.1, 0.05, 0.2))


@pytest.mark.parametrize(
    ("switch", "changes", "required"),
    [
        ("comparison", {"shift": UNFAIR}, "inconclusive"),
        ("comparison", {"shift": None}, "inconclusive"),
        ("guard", {"certificate": LEAKY}, "fail"),
        ("exact_copies", {"nearest": COPIES}, "fail"),
    ],
)
def test_what_holds_whatever_the_numbers_are_can_be_reported_only(switch, changes, required):
    rule = 'estimate = "utility.dice[synthetic]"\nmin = 0.7'
    record = audit(**changes)
    assert gate(record, policy(rule)).outcome == required
    assert gate(record, policy(rule, head=f'tested = []\n{switch} = "reported"')).outcome == "pass"


def test_a_guard_whose_certificate_nobody_proved_is_no_pass():
    record = audit(certificate=None)
    guarded = record.model_copy(update={"spec": record.spec.model_copy(update={"guard": PluginSpec(name="nearest")})})
    unguarded = record.model_copy(update={"spec": record.spec.model_copy(update={"guard": None})})
    assert gate(guarded, default_policy()).rules[-1].name == "guard.certificate"
    assert [gate(r, default_policy()).outcome for r in (guarded, unguarded)] == ["inconclusive", "pass"]


def test_a_refuted_claim_fails_unless_it_is_only_reported():
    epsilons = (("lower", 3.0, "higher"), ("ceiling", 5.0, "none"), ("claimed", 1.0, "none"))
    refuted = finding("dp-canary", "canary", *(estimate(f"epsilon_{n}", v, v, worse=w) for n, v, w in epsilons))
    rule = 'estimate = "utility.dice[synthetic]"\nmin = 0.7'
    found = gate(audit(dp=refuted), policy(rule))
    (line,) = [r for r in found.rules if r.name.startswith("canary")]
    assert (found.outcome, line.value, line.threshold) == ("fail", 3.0, 1.0)
    assert gate(audit(dp=refuted), policy(rule, head='tested = []\nclaim = "reported"')).outcome == "pass"


def test_one_that_sees_stands_in_only_where_the_same_rule_asks_it():
    blind = finding("logan", "membership", auc(0.5), power=planted(exact=None, noise=None))
    record = audit(logan=blind)
    assert gate(record, policy('estimate = "membership.*.auc"\nmax = 0.6')).outcome == "pass"
    assert outcome(record, 'estimate = "membership.logan.auc"\nmax = 0.6').outcome == "inconclusive"


def test_a_policy_under_which_nothing_is_judged_passes_nobody():
    nothing = policy(
        'estimate = "utility.fid"\nmax = 1\nmissing = "ignore"', head='tested = []\ncomparison = "reported"'
    )
    verdict = gate(audit(), nothing)
    assert [(rule.name, rule.outcome) for rule in verdict.rules] == [("policy", "inconclusive")]
    assert verdict.outcome == "inconclusive"


@pytest.mark.parametrize("limit", ["max = 0.6", "max_regression = 0.1"])
def test_a_fair_comparison_without_a_copy_is_no_pass_where_no_rule_judged_anything(limit):
    ignoring = policy(f'estimate = "membership.loss.auc"\n{limit}\nmissing = "ignore"')
    copies = estimate("exact_copies", 0.0)
    verdict = gate(audit(nearest=finding("nearest", "memorization", copies), loss=None), ignoring)
    assert [rule.outcome for rule in verdict.rules] == ["pass", "pass", "inconclusive"]
    assert verdict.outcome == "inconclusive"


def test_clean_has_power():
    """Else most of the above would pass for another reason."""
    assert all(f.estimates[-len(SEEN) :] == SEEN for f in clean().values() if f.kind == "attack")
