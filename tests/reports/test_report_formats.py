"""Markdown, JUnit and JSON: what machines and merge requests get."""

from xml.etree import ElementTree as ET

import pytest

from privbench.audit.record import AuditRecord, Estimate, Finding, Rule, Verdict
from privbench.reports import wording
from privbench.reports.advice import next_steps_of, reasons_of
from privbench.reports.criteria import criteria_of
from privbench.reports.footnotes import footnotes_of, own_note
from privbench.reports.json import json
from privbench.reports.junit import junit
from privbench.reports.md import md
from privbench.reports.utility import tables_of


def test_junit_has_one_case_a_rule_and_only_a_pass_is_green(record):
    suite = ET.fromstring(junit(record, None)).find("testsuite")
    assert suite is not None
    outcome = {
        case.get("name"): [child.tag for child in case]
        for case in suite
        if case.get("classname") == "privbench.verdict"
    }
    expected = {"pass": ["system-out"], "fail": ["failure"], "inconclusive": ["error"]}
    assert outcome == {rule.name: expected[rule.outcome] for rule in record.verdict.rules}
    assert suite.get("failures") == "1"


def test_junit_counts_a_broken_plugin_as_an_error(record):
    suite = ET.fromstring(junit(record, None)).find("testsuite")
    assert suite is not None
    assert suite.find("testcase[@classname='privbench.plugin'][@name='domias']/error") is not None


def test_a_verdict_without_rules_is_no_empty_green_file(make_record):
    bare = make_record(findings=(), verdict=Verdict(outcome="inconclusive", rules=()))
    suite = ET.fromstring(junit(bare, None)).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")


def test_junit_survives_characters_that_xml_cannot_hold(make_record):
    rule = Rule(name="membership.\x00\x1b[31m", outcome="fail", reason="]]> <a> & \x08 \ufffe")
    root = ET.fromstring(junit(make_record(verdict=Verdict(outcome="fail", rules=(rule,))), None))
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.get("message", "").startswith("]]> <a> & ")


def test_json_is_the_record(record):
    assert AuditRecord.model_validate_json(json(record, None)) == record


def test_markdown_leads_with_verdict_and_banner_and_shows_what_was_not_measured(record):
    text = md(record, None)
    assert text.splitlines()[2].startswith("**FAIL.**")
    assert "**Simulated data.**" in text
    assert "error. LinAlgError: singular matrix" in text
    assert "not resolvable" in text


def test_markdown_is_inert_whatever_the_data_is_called(hostile):
    text = md(hostile, None)
    assert "<img" not in text
    assert "<script" not in text
    assert "@all" not in text
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") in {3, 4, 7, 9}


@pytest.mark.parametrize(
    ("value", "scale", "said"),
    [
        (0.203, "share", "20.3%"),
        (-0.021, "share", "\N{MINUS SIGN}2.1%"),
        (-0.00001, "share", "0%"),
        (1.0, "share", "100%"),
        (0.5, "score", "0.500"),
        (0.9684, "ratio", "0.968"),
        (3.243, "ratio", "3.24"),
        (0.026, "change", "+0.026"),
        (0.0, "change", "0.000"),
        (0.0051, "score", "0.0051"),
        (12.4321, "number", "12.43"),
        (None, "share", "\N{EM DASH}"),
    ],
)
def test_a_number_is_said_as_its_scale_wants_it(value, scale, said):
    assert wording.number(value, scale) == said


def test_a_missing_value_is_said_in_words_and_never_as_a_number():
    missing = Estimate(name="auc", value=None, n=3, unit="patient", worse="both", note="constant scores")
    assert wording.value_of(missing) == "could not be measured"
    assert wording.sentence_of(missing) == "Could not be measured: constant scores."
    assert wording.interval_of(missing) == "\N{EM DASH}"


def test_an_auc_far_below_a_half_reads_as_a_leak():
    inverted = Estimate(name="auc", value=0.2, low=0.1, high=0.3, null=0.5, n=100, unit="patient", worse="both")
    assert wording.reading_of(inverted) == "differs"
    assert "turned around" in wording.sentence_of(inverted)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((), "inconclusive"),
        (("pass",), "pass"),
        (("pass", "inconclusive"), "inconclusive"),
        (("fail", "inconclusive"), "fail"),
    ],
)
def test_a_criterion_passes_only_where_there_are_rules_and_all_pass(make_record, outcomes, expected):
    rules = tuple(Rule(name=f"membership.a{i}", outcome=o, reason="") for i, o in enumerate(outcomes))
    criteria = {c.family: c for c in criteria_of(make_record(verdict=Verdict(outcome="inconclusive", rules=rules)))}
    assert criteria["membership"].outcome == expected
    assert criteria["memorization"].outcome == "inconclusive"


def test_a_third_partys_figures_appear_although_nobody_knows_their_names(make_record):
    own = Estimate(name="novel_risk", value=0.4, low=0.3, high=0.5, null=0.1, n=9, unit="patient", worse="higher")
    finding = Finding(
        plugin="novel",
        kind="attack",
        family="membership",
        summary="New.",
        access="SAMPLES",
        status="ok",
        estimates=(own,),
    )
    criterion = criteria_of(make_record(findings=(finding,)))[2]
    assert criterion.measured == ((finding, own),)
    assert "| novel risk (novel) | 0.4 |" in md(make_record(findings=(finding,)), None)


def copied(value: float, low: float, high: float, note: str) -> Estimate:
    return Estimate(
        name="copied_share", value=value, low=low, high=high, null=0.0, n=528, unit="image", worse="higher", note=note
    )


def test_a_share_below_zero_is_said_as_two_counts_and_not_as_a_negative_share_of_images():
    share = copied(
        -0.0057, -0.018, 0.004, "1 of 528 released images closer to a member than 99% of strangers, 4 to holdout"
    )
    said = wording.sentence_of(share)
    assert "no more often" in said
    assert said.endswith(": 1 of 528 against 4 of 528.")
    assert "%" not in said
    assert wording.figure_of(share) == "No excess"
    assert wording.value_of(share) == "\N{MINUS SIGN}0.6%"


def test_unequal_groups_keep_their_own_totals_and_a_strange_note_is_quoted_whole():
    patients = copied(-0.1, -0.2, 0.0, "1 of 132 member patients, 4 of 130 holdout patients")
    assert wording.sentence_of(patients).endswith(": 1 of 132 against 4 of 130.")
    assert wording.sentence_of(copied(-0.1, -0.2, 0.0, "{odd} note")).endswith(": {odd} note.")


def test_an_excess_within_chance_is_said_to_be_so_and_a_leak_is_not():
    assert "within what chance gives" in wording.sentence_of(copied(0.006, -0.002, 0.017, ""))
    assert "chance" not in wording.sentence_of(copied(0.2, 0.17, 0.24, ""))


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (
            -0.09,
            -0.11,
            -0.07,
            "by \N{MINUS SIGN}0.090 [\N{MINUS SIGN}0.110 to \N{MINUS SIGN}0.070]: it worsened segmentation.",
        ),
        (0.04, 0.01, 0.07, "by +0.040 [+0.010 to +0.070]: it improved segmentation."),
        (0.01, -0.02, 0.04, "by +0.010 [\N{MINUS SIGN}0.020 to +0.040]: no difference could be shown in segmentation."),
    ],
)
def test_what_synthetic_images_add_is_said_in_words(value, low, high, said):
    gain = Estimate(name="dice-gain", value=value, low=low, high=high, null=0.0, n=132, unit="patient", worse="lower")
    assert wording.sentence_of(gain) == f"Adding the synthetic images to the real ones changed Dice {said}"


@pytest.mark.parametrize(("p", "reading"), [(0.085, "centre"), (None, "centre"), (0.001, "differs")])
def test_retrieval_above_chance_is_a_leak_only_where_the_centre_does_not_explain_it(p, reading):
    found = Estimate(
        name="map@r", value=0.013, low=0.008, high=0.019, null=0.004, p_value=p, n=528, unit="image", worse="higher"
    )
    assert wording.reading_of(found) == reading
    assert ("can come from the centre alone" in wording.sentence_of(found)) == (reading == "centre")
    lift = found.model_copy(update={"name": "map@r_lift", "value": 3.2, "low": 2.1, "high": 4.7, "null": 1.0})
    assert wording.reading_of(lift) == "context"


def test_a_fail_names_its_rule_and_number_and_where_to_look(record):
    assert reasons_of(record) == ("Singling out: copied share (nearest): 0.203 [0.171, 0.239], allowed: at most 0.02",)
    steps = " ".join(next_steps_of(record))
    assert steps.startswith("Do not release")
    assert "confidential/nearest.csv" in steps
    assert "gan-leaks.csv" not in steps


def test_a_generator_that_leaks_on_purpose_is_not_to_be_repaired(make_record):
    steps = next_steps_of(make_record(releases_real=True))
    assert len(steps) == 1
    assert "no release depends on it" in steps[0]


def test_an_open_verdict_says_what_is_missing(make_record):
    open_ = (
        Rule(name="membership.loss.auc", outcome="inconclusive", reason="the interval reaches beyond it"),
        Rule(name="membership.domias", outcome="inconclusive", reason="error"),
        Rule(name="reidentification.faces", outcome="inconclusive", reason="invalid"),
        Rule(name="memorization", outcome="inconclusive", reason="singling out was not tested"),
    )
    steps = next_steps_of(make_record(verdict=Verdict(outcome="inconclusive", rules=open_)))
    wanted = ("not a pass", "more training and holdout patients", "it broke", "own check failed", "--attack nearest")
    for step, words in zip(steps, wanted, strict=True):
        assert words in step


def test_markdown_is_short_enough_for_a_comment(record):
    assert len(md(record, None)) < 10_000
    assert "worsened segmentation" in md(record, None)


def test_estimates_of_the_same_arms_share_a_table_and_none_is_lost(record):
    for finding in record.findings:
        tables = tables_of(finding)
        cells = [e for t in tables for row in t.rows for e in row.cells]
        assert sorted(map(repr, cells)) == sorted(map(repr, finding.estimates))
        assert all(len(row.cells) == len(t.columns) for t in tables for row in t.rows)


def test_every_note_and_method_is_said_beside_the_number_or_below_the_table(record):
    for finding in record.findings:
        below = " ".join(text for _, text in footnotes_of(finding))
        for estimate in (e for e in finding.estimates if e.name != "detectable_share"):
            assert estimate.method in below
            assert estimate.note in own_note(finding, estimate) + below
