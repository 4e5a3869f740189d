"""The verdict in one sentence, with what was tested and what was not; and the numbers that each rule was decided by."""

import re

import pytest

from privbench.audit.record import Rule, Verdict
from privbench.reports.advice import next_steps_of, reasons_of, said_of
from privbench.reports.html import html
from privbench.reports.ruled import rules_of
from privbench.reports.sentence import verdict_sentence
from privbench.reports.wording import MINUS

from .made_findings import membership
from .made_records import RECORDS, build, passing, unfair

JARGON = re.compile(r"\b(AUC|ROC|TPR|FPR|null|estimate|plugin|membership inference|p-value)\b")


@pytest.mark.parametrize("name", RECORDS)
def test_it_is_one_sentence_without_jargon(name):
    said = verdict_sentence(RECORDS[name]())
    assert said.endswith(".")
    assert said.count(". ") == 0
    assert not JARGON.search(said)
    assert "tested" in said or "no attack gave a valid result" in said


def test_a_pass_names_what_was_tested_by_whom_and_what_was_not():
    said = verdict_sentence(passing())
    assert said.startswith("No leakage above the limits was found by the tests that were run: all ")
    assert "singling out, linkability and inference were tested with" in said
    assert "an attacker who can also query the model" in said
    assert "; not tested: attackers who hold the model itself and" in said


def test_a_metric_that_broke_is_named_with_what_to_do():
    whole = passing()
    metric = next(f for f in whole.findings if f.kind == "metric")
    broken = metric.model_copy(update={"status": "error", "reason": "MemoryError", "estimates": (), "plots": ()})
    findings = tuple(broken if f is metric else f for f in whole.findings)
    rules = (*whole.verdict.rules, Rule(name=f"utility.{metric.plugin}", outcome="inconclusive", reason="error"))
    record = whole.model_copy(update={"findings": findings, "verdict": Verdict(outcome="inconclusive", rules=rules)})
    assert f"Utility, {metric.plugin}: it broke. Repair what the error names and audit again." in next_steps_of(record)


def test_a_fail_names_the_criterion_and_that_a_test_broke():
    said = verdict_sentence(build())
    assert said.startswith("This audit found leakage above its limits (singling out): 1 of 11 rules failed; ")
    assert said.endswith("and 1 test broke.")


def test_an_unfair_comparison_is_named_as_the_reason_that_nothing_was_tested():
    said = verdict_sentence(unfair())
    assert "which is not a pass" in said
    assert "no attack gave a valid result" in said
    assert "singling out (the comparison was not fair)" in said


def test_a_criterion_that_nobody_asked_about_is_named():
    record = passing()
    without = record.model_copy(
        update={"findings": tuple(f for f in record.findings if f.family != "reidentification")}
    )
    assert "linkability (no attack was asked for)" in verdict_sentence(without)


def test_rules_show_value_interval_limit_and_smallest_leak_where_the_record_has_them():
    rule = Rule(
        name="memorization.nearest.copied_share",
        outcome="fail",
        reason="too much",
        value=0.203,
        low=0.171,
        high=0.239,
        threshold=0.02,
        detectable=0.018,
    )
    passed = Rule(name="membership.loss.auc", outcome="pass", reason="within")
    record = build(verdict=Verdict(outcome="fail", rules=(passed, rule)))
    rules = rules_of(record)
    assert rules.summary == "2 rules: 1 failed, 1 passed"
    first, second = rules.lines
    assert (first.value, first.interval, first.threshold, first.detectable) == ("20.3%", "17.1% to 23.9%", "2%", "1.8%")
    assert second.value == ""
    page = html(record, None)
    assert "Would have been found from" in page[page.index('id="rules"') :]
    older = html(build(), None)
    assert "Would have been found from" not in older[older.index('id="rules"') :]


def test_what_many_attacks_lack_alike_is_said_once():
    attacks = tuple(
        membership("loss", "SAMPLES", (value, value - 0.1, value + 0.1), 1).model_copy(update={"plugin": name})
        for name, value in (("logan", 0.55), ("domias", 0.52), ("loss", 0.47))
    )
    rules = tuple(
        Rule(
            name=f"membership.{f.plugin}.auc",
            outcome="inconclusive",
            reason=f"{f.estimates[0].value} [a, b], allowed: 0.4 to 0.6; the interval reaches beyond it",
            value=f.estimates[0].value,
        )
        for f in attacks
    )
    record = build(findings=attacks)
    record = record.model_copy(update={"verdict": Verdict(outcome="inconclusive", rules=rules)})
    (line,) = reasons_of(record)
    assert line.startswith("Inference: membership AUC of 3 attacks: values 0.470 to 0.550, allowed: 0.4 to 0.6; each")
    assert line.endswith("(logan, domias and loss)")
    _, step = next_steps_of(record)
    assert step.startswith("Inference, logan, domias and loss: ")


def test_a_share_reads_as_a_percentage_wherever_it_stands():
    rule = Rule(
        name="memorization.nearest.copied_share",
        outcome="inconclusive",
        reason="0.004 [-0.021, 0.030], allowed: at most 0.02; the interval reaches beyond it",
        value=0.004,
    )
    assert said_of(rule) == f"0.4% [{MINUS}2.1%, 3%], allowed: at most 2%; the interval reaches beyond it"
