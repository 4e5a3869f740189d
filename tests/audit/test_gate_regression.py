"""A release is held against the last one: worse by too much, no worse, or nobody can tell."""

import pytest

from privbench.audit.comparable import differing, differing_attack
from privbench.audit.errors import BadInputError
from privbench.audit.gate import gate
from privbench.audit.policy import parse_policy
from privbench.audit.record import PluginSpec

from .made_audits import auc, audit, blocks_of, dice, estimate, finding

RULE = '[[rule]]\nestimate = "membership.loss.auc"\nmax_regression = 0.05\n'
OTHER = {"sha256": "f" * 64}


def policy(rules=RULE):
    return parse_policy(f"version = 1\ntested = []\n{rules}", "test")


def loss(value, half=0.06, seed=None, **more):
    blocks = () if seed is None else blocks_of(value, half / 20, seed)
    return audit(loss=finding("loss", "membership", auc(value, half, blocks=blocks), **more))


def regression(new, old, rules=RULE):
    (rule,) = [r for r in gate(new, policy(rules), old).rules if r.name.endswith(" regression")]
    return rule


@pytest.mark.parametrize(
    ("new", "half", "expected"), [(0.75, 0.06, "fail"), (0.5, 0.02, "pass"), (0.52, 0.06, "inconclusive")]
)
def test_a_regression_fails_passes_or_is_left_open_by_its_whole_interval(new, half, expected):
    rule = regression(loss(new, half), loss(0.5, half))
    assert rule.outcome == expected
    assert rule.baseline == 0.5
    assert rule.threshold == 0.05
    assert rule.value == pytest.approx(new - 0.5)
    assert rule.low < rule.value < rule.high


def test_pairing_by_patients_decides_what_independence_leaves_open():
    paired = regression(loss(0.52, seed=1), loss(0.5, seed=1))
    apart = regression(loss(0.52), loss(0.5))
    assert (paired.outcome, apart.outcome) == ("pass", "inconclusive")
    assert paired.high - paired.low < apart.high - apart.low
    assert "paired by patient" in paired.reason
    assert "taken for independent" in apart.reason


def test_half_a_pair_is_no_pair():
    assert "taken for independent" in regression(loss(0.52, seed=1), loss(0.5)).reason


def test_an_attack_that_turned_round_is_no_regression():
    turned = regression(loss(0.45, 0.02), loss(0.55, 0.02))
    assert turned.value == pytest.approx(0.0)
    assert "0.450 after 0.550 in the baseline, on the other side of 0.5: worse by" in turned.reason
    assert "other side" not in regression(loss(0.56, 0.02), loss(0.55, 0.02)).reason


@pytest.mark.parametrize(("now", "expected"), [(0.8, "pass"), (0.6, "fail"), (0.9, "pass")])
def test_less_utility_is_worse(now, expected):
    rule = '[[rule]]\nestimate = "utility.dice[synthetic]"\nmax_regression = 0.05\n'
    new, old = (audit(dice=finding("dice", "utility", dice(value))) for value in (now, 0.8))
    found = regression(new, old, rule)
    assert found.outcome == expected
    assert found.value == pytest.approx(0.8 - now)


@pytest.mark.parametrize(("by", "expected"), [("interval", "inconclusive"), ("upper", "fail"), ("value", "pass")])
def test_the_policy_says_what_decides_of_a_regression(by, expected):
    assert regression(loss(0.52), loss(0.5), f'{RULE}by = "{by}"\n').outcome == expected


@pytest.mark.parametrize(("by", "expected"), [("interval", "inconclusive"), ("value", "fail")])
def test_what_has_no_interval_is_compared_by_value_or_not_at_all(by, expected):
    new, old = (audit(fid=finding("fid", "utility", estimate("fid", value))) for value in (30.0, 20.0))
    found = regression(new, old, f'[[rule]]\nestimate = "utility.fid"\nmax_regression = 5\nby = "{by}"\n')
    assert found.outcome == expected
    assert 'by = "value"' in found.reason or found.value == pytest.approx(10)


def test_utility_is_compared_by_its_value_whatever_real_images_gave():
    rule = '[[rule]]\nestimate = "utility.dice[synthetic]"\nmax_regression = 0.05\n'
    new, old = (
        audit(dice=finding("dice", "utility", dice(*pair))) for pair in ((0.6, "synthetic", "lower", 0.7), (0.8,))
    )
    found = regression(new, old, rule)
    assert found.value == pytest.approx(0.2)
    assert found.reason.startswith("0.600 after 0.800 in the baseline: worse by 0.200")


def test_where_chance_moved_too_the_line_of_an_attack_says_so():
    rule = '[[rule]]\nestimate = "reidentification.map@r"\nmax_regression = 0.05\n'
    new, old = (
        audit(siamese=finding("siamese", "reidentification", estimate("map@r", value, null=null)))
        for value, null in ((0.3, 0.2), (0.1, 0.05))
    )
    found = regression(new, old, rule + 'by = "value"\n')
    assert found.value == pytest.approx(0.05)
    assert "0.300 after 0.100 in the baseline, against 0.200 after 0.050 without leak or loss" in found.reason


def test_without_a_baseline_a_regression_is_left_open_unless_the_rule_ignores_that():
    assert "no baseline" in regression(loss(0.5), None).reason
    assert gate(loss(0.5), policy(), None).outcome == "inconclusive"
    limit = '[[rule]]\nestimate = "membership.loss.auc"\nmax = 0.7\n'
    assert gate(loss(0.5), policy(f'{RULE}missing = "ignore"\n{limit}'), None).outcome == "pass"


@pytest.mark.parametrize(
    ("new", "old", "said"),
    [
        (loss(0.5), audit(loss=None), "the baseline does not have it"),
        (audit(loss=None), loss(0.5), "the baseline has it, this run has not"),
        (loss(0.5), loss(0.5, status="error"), "the baseline does not have it"),
        (
            loss(0.5),
            audit(loss=finding("loss", "membership", estimate("auc", None, worse="both", note="too few"))),
            "could not be measured in the baseline: too few",
        ),
        (
            audit(loss=finding("loss", "membership", estimate("auc", None, worse="both", note="too few"))),
            loss(0.5),
            "could not be measured here: too few",
        ),
        (loss(0.5, access="DENOISER"), loss(0.5), "ran with DENOISER and with SAMPLES"),
    ],
)
def test_what_only_one_side_measured_or_measured_otherwise_is_left_open(new, old, said):
    rule = regression(new, old)
    assert said in rule.reason
    assert rule.outcome == "inconclusive"


def test_other_options_of_an_attack_or_another_confidence_make_it_another_figure():
    one, other = (
        audit(options={"attacks": (PluginSpec(name="loss", options={"steps": n, "new": 1} | extra),)})
        for n, extra in ((5, {}), (9, {}))
    )
    finding_of = one.finding("loss")
    assert differing_attack(one, other, finding_of) == "loss ran with steps=5 and with steps=9"
    assert differing_attack(one, one, finding_of) == ""
    assert "confidence 0.95 and 0.9" in differing_attack(one, audit(options={"confidence": 0.9}), finding_of)


def test_an_option_that_only_a_later_version_knows_changes_nothing():
    now = audit(options={"attacks": (PluginSpec(name="loss", options={"steps": 5, "later": 2}),)})
    then = audit(options={"attacks": (PluginSpec(name="loss", options={"steps": 5}),)})
    assert differing_attack(now, then, now.finding("loss")) == ""
    assert differing_attack(then, now, now.finding("loss")) == ""


@pytest.mark.parametrize(
    ("baseline", "said"),
    [
        (audit(data={"holdout": OTHER}), "'holdout' has SHA-256 61213102566e (this run) and ffffffffffff (baseline)"),
        (audit(data={"all members": OTHER}), "'members' has SHA-256"),
        (audit(seed=3, data={"holdout": OTHER}), "seed 0 (this run) and 3 (baseline), and so another split"),
        (
            audit(data={"holdout": OTHER}, options={"cohort": PluginSpec(name="folder", options={"path": "a"})}),
            "cohort 'example-blobs' (this run) and 'folder' (baseline)",
        ),
        (
            audit(
                data={"holdout": OTHER},
                options={"cohort": PluginSpec(name="example-blobs", options={"patients": 80, "size": 8, "twins": 0})},
            ),
            "cohort option patients=40 (this run) and patients=80 (baseline)",
        ),
    ],
)
def test_a_baseline_of_another_cohort_is_refused_with_what_differs(baseline, said):
    with pytest.raises(BadInputError) as refused:
        gate(audit(), policy(), baseline)
    message = str(refused.value)
    assert said in message
    assert "the baseline is of another cohort or split" in message
    assert message.count("\n") == 1


def test_the_same_patients_are_comparable_wherever_they_lie_and_whatever_trained_on_them():
    moved = audit(seed=7, options={"cohort": PluginSpec(name="example-blobs", options={"path": "/elsewhere"})})
    assert differing(audit(), moved) == ""
    some = audit(data={"members": OTHER})  # the generator trains on others of the same members
    assert differing(audit(), some) == ""


def test_audits_that_know_nothing_of_their_data_are_not_taken_for_alike():
    blank = audit().model_copy(update={"data": ()})
    with pytest.raises(BadInputError, match="there are no fingerprints of the data"):
        gate(blank, policy(), blank)


def test_a_part_that_one_audit_does_not_have_is_named():
    whole = audit()
    rest = whole.model_copy(update={"data": tuple(m for m in whole.data if m.part != "public")})
    assert differing(whole, rest, ("now", "then")) == "there is no 'public' (then)"
