"""Markdown, JUnit and JSON: what machines and merge requests get."""

from xml.etree import ElementTree as ET

import pytest

from privbench.audit.record import AuditRecord, Estimate, Finding, Rule, Verdict
from privbench.reports import wording
from privbench.reports.criteria import criteria_of
from privbench.reports.json import json
from privbench.reports.junit import junit
from privbench.reports.md import md


def test_junit_has_one_case_a_rule_and_only_a_pass_is_green(record):
    suite = ET.fromstring(junit(record, None)).find("testsuite")
    assert suite is not None
    outcome = {
        case.get("name"): [child.tag for child in case]
        for case in suite
        if case.get("classname") == "privbench.verdict"
    }
    expected = {"pass": [], "fail": ["failure"], "inconclusive": ["error"]}
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
            assert line.replace("\\|", "").count("|") in {4, 9}


@pytest.mark.parametrize(
    ("value", "scale", "said"),
    [
        (0.203, "share", "20.3%"),
        (-0.021, "share", "\N{MINUS SIGN}2.1%"),
        (-0.00001, "share", "0%"),
        (1.0, "share", "100%"),
        (0.5, "score", "0.500"),
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
    assert "novel risk: 0.4" in md(make_record(findings=(finding,)), None)
