"""A policy is read as it was meant, or refused with the rule, the key and the nearest name."""

import pytest

from privbench.audit.errors import BadInputError
from privbench.audit.estimates import CHECKS, ESTIMATES, check_names
from privbench.audit.gate import CRITERIA, OPTIONAL
from privbench.audit.policy import DEFAULT, Pattern, default_policy, load_policy, parse_policy
from privbench.audit.runs import load_record

from .made_audits import RECORDS, audit, finding, planted

RULE = '[[rule]]\nestimate = "membership.*.auc"\nmax = 0.6\n'


def policy(rules, head="version = 1"):
    return parse_policy(f"{head}\n{rules}", "policy.toml")


def test_the_default_policy_sets_the_documented_limits():
    rules = {rule.estimate: rule.max for rule in default_policy().rule}
    assert rules == {
        "memorization.*.copied_share": 0.02,
        "membership.*.auc": 0.6,
        "reidentification.*.linked_excess": 0.05,
        "attribute.*.attribute_risk": 0.15,
    }
    assert all(rule.why for rule in default_policy().rule)
    assert set(default_policy().tested) == set(CRITERIA) - OPTIONAL
    assert load_policy(DEFAULT) == default_policy()


def test_the_examples_that_the_default_policy_comments_out_are_rules_too():
    text = DEFAULT.read_text().partition("# Some that you may want")[2]
    lines = [line.removeprefix("#").strip() for line in text.splitlines()[2:]]
    found = policy("\n".join(lines))
    assert len(found.rule) == 5
    assert any(rule.max_regression is not None for rule in found.rule)
    check_names(found, None, "policy.toml")


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("membership.*.auc", ("membership", "*", "auc", "")),
        ("memorization.copied_share", ("memorization", "", "copied_share", "")),
        ("utility.dice[real+synthetic]", ("utility", "", "dice", "real+synthetic")),
        ("membership.loss.tpr@fpr=0.01", ("membership", "loss", "tpr@fpr=0.01", "")),
        ("membership.tpr@fpr=0.1", ("membership", "", "tpr@fpr=0.1", "")),
        (
            "memorization.nearest.exposed_patients[at least 2 copies]",
            ("memorization", "nearest", "exposed_patients", "at least 2 copies"),
        ),
    ],
)
def test_a_path_names_family_plugin_estimate_and_group(path, parts):
    assert Pattern.of(path) == parts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty\nwrite one with: privbench policy init"),
        ("# nothing\n", "is empty"),
        ("version = 1\n[[rule]\n", "is not valid TOML"),
        (RULE, "states no version; this privbench reads version 1"),
        (f"version = 2\n{RULE}", "has version 2; this privbench reads version 1"),
        (f"version = true\n{RULE}", "has version True"),
        (f'version = "1"\n{RULE}', "has version '1'"),
        ("version = 1\n", "'rule' is missing"),
        ("version = 1\nrule = []\n", "it has no [[rule]]"),
        (f"version = 1\ncomparision = 'reported'\n{RULE}", "no key 'comparision'; did you mean 'comparison'?"),
        (f"version = 1\ncomparison = 'off'\n{RULE}", "comparison='off'"),
        (f"version = 1\ntested = ['linkage']\n{RULE}", "tested.0='linkage'"),
        (f"version = 1\n{RULE}maxx = 3\n", "rule 1 (membership.*.auc): no key 'maxx'; did you mean 'max'?"),
        (f"version = 1\n{RULE}min = 0.1\n", "this one has max and min"),
        ("version = 1\n[[rule]]\nestimate = 'membership.*.auc'\n", "this one has none"),
        ("version = 1\n[[rule]]\nmax = 1\n", "rule 1: 'estimate' is missing"),
        ("version = 1\n[[rule]]\nestimate = 'auc'\nmax = 1\n", "estimate='auc' is not of the form"),
        ("version = 1\n[[rule]]\nestimate = 'membership.*.auc max 0.60'\n", "and below it: max = 0.60"),
        (f"version = 1\n{RULE}upper = true\n", "no key 'upper'\nwrite: by = \"upper\""),
        ("version = 1\n[[rule]]\nestimate = 'membership.*.auc'\nmax = nan\n", "max=nan"),
        ("version = 1\n[[rule]]\nestimate = 'membership.*.auc'\nmax = inf\n", "max=inf"),
        ("version = 1\n[[rule]]\nestimate = 'membership.*.auc'\nmax = '0.6'\n", "max='0.6'"),
        ("version = 1\n[[rule]]\nestimate = 'membership.*.auc'\nmax = true\n", "max=True"),
        ("version = 1\n[[rule]]\nestimate = 'membership.*.auc'\nmax_regression = -0.1\n", "max_regression=-0.1"),
        ("version = 1\n[[rule]]\nestimate = 'membership.*.auc'\nmin = 1\nby = 'upper'\n", "says nothing about a min"),
        (f"version = 1\n{RULE}by = 'lower'\n", "says nothing about a max"),
        (f"version = 1\n{RULE}by = 'middle'\n", "by='middle'"),
        (f"version = 1\n{RULE}power = 'no'\n", "power='no'"),
        ("version = 1\nrule = 3\n", "it has no [[rule]]"),
        ("version = 1\nrule = [3]\n", "rule 1 is 3, not a table"),
    ],
)
def test_what_is_no_policy_is_refused_in_two_lines(text, said):
    with pytest.raises(BadInputError) as refused:
        parse_policy(text, "policy.toml")
    message = str(refused.value)
    assert message.startswith("policy 'policy.toml'")
    assert said in message
    assert message.count("\n") <= 1


def test_a_missing_or_binary_file_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="cannot be read: No such file"):
        load_policy(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInputError, match="it is not UTF-8"):
        load_policy(tmp_path / "binary.toml")
    with pytest.raises(BadInputError, match="cannot be read"):
        load_policy(tmp_path)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("membreship.*.auc", "no family 'membreship'; did you mean 'membership'?"),
        ("membership.lose.auc", "no plugin 'lose' in the family membership; did you mean 'loss'?"),
        ("membership.siamese.auc", "no plugin 'siamese' in the family membership"),
        ("validity.shfit.ks_distance[contrast]", "did you mean 'shift'?"),
        ("membership.gan*x.auc", "no plugin 'gan*x'"),
        ("membership.*.auk", "no estimate 'auk'; did you mean 'auc'?"),
        ("reidentification.lift", "no estimate 'lift'; did you mean 'map@r_lift'?"),
        ("utility.dice_gain", "no estimate 'dice_gain'; did you mean 'dice-gain'?"),
        ("memorization.copied-share", "did you mean 'copied_share'?"),
    ],
)
@pytest.mark.parametrize("known", [True, False], ids=["with a record", "without"])
def test_a_name_that_nobody_knows_is_refused_with_the_nearest(path, said, known):
    rules = policy(f'[[rule]]\nestimate = "{path}"\nmax = 0.5\n')
    with pytest.raises(BadInputError) as refused:
        check_names(rules, audit() if known else None, "policy.toml")
    message = str(refused.value)
    assert f"rule 1 ({path})" in message
    assert said in message
    assert message.count("\n") <= 1


def test_an_estimate_without_an_overall_figure_names_its_groups():
    rules = policy('[[rule]]\nestimate = "utility.dice"\nmin = 0.7\n')
    with pytest.raises(BadInputError, match=r'write for example "utility.dice\[synthetic\]"\ngroups: synthetic, real'):
        check_names(rules, audit(), "policy.toml")
    for record in (audit(dice=None), None):
        with pytest.raises(BadInputError, match=r'write for example "utility.dice\[synthetic\]"'):
            check_names(rules, record, "policy.toml")


def test_what_an_installed_plugin_would_have_reported_is_taken_on_trust():
    rules = policy('[[rule]]\nestimate = "utility.sharpness"\nmin = 0.7\n')
    broken = finding("my-metric", "utility", status="error", reason="ValueError")
    check_names(rules, audit(mine=broken), "policy.toml")
    with pytest.raises(BadInputError, match="no estimate 'sharpness'"):
        check_names(rules, audit(mine=finding("dice", "utility", status="error", reason="ValueError")), "policy.toml")


def test_what_a_record_holds_may_be_ruled_on_whoever_reported_it():
    found = planted(exact=0.1)[0].model_copy(update={"name": "novel", "group": ""})
    rules = policy('[[rule]]\nestimate = "membership.my-attack.novel"\nmax = 0.7\n')
    check_names(rules, audit(mine=finding("my-attack", "membership", found)), "policy.toml")


def test_every_estimate_of_the_committed_records_is_known():
    """But for the example plugins' own."""
    for file in sorted(RECORDS.glob("v*.json")):
        for f in load_record(file).findings:
            if not f.plugin.startswith("example"):
                assert {e.name for e in f.estimates} <= set(ESTIMATES[f.family]), (file, f.plugin)


def test_every_check_of_the_comparison_is_known(example, tmp_path):
    import privbench

    record = privbench.run(
        {"cohort": "example-blobs", "generator": "example-mixture", "attacks": [], "metrics": []}, out=tmp_path / "run"
    )
    checks = {f.plugin for f in record.findings if f.family == "validity"}
    assert checks == set(CHECKS["validity"])


def test_reports_have_words_for_every_name_that_a_policy_may_use():
    from privbench.reports.measures import measure_of

    for names in ESTIMATES.values():
        for name in names:
            assert measure_of(name).title != name, name
