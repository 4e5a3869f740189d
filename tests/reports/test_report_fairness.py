"""Whether the comparison is fair is said before any result, and what an unfair one gave is never shown as one."""

import re

import pytest

from privbench.audit.record import Rule, Verdict
from privbench.reports.advice import next_steps_of, reasons_of
from privbench.reports.criteria import criteria_of
from privbench.reports.fairness import checks_of, crossed_out, fair_sentence, voided
from privbench.reports.html import html
from privbench.reports.junit import junit
from privbench.reports.md import md
from privbench.reports.wording import interval_of, value_of

from .made_hostile import build_hostile
from .made_records import RECORDS, careless, passing, unfair
from .made_validity import check, checks


def section(page: str, name: str) -> str:
    """The visible text of one section of the page."""
    inside = page.partition(f'<section id="{name}"')[2].partition("</section>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", inside).replace("&#39;", "'").split())


def test_checks_stand_before_the_criteria_and_say_what_was_found():
    page = html(passing(), None)
    assert (
        page.index('<section id="fair"') < page.index('<section id="criteria"') < page.index('<section id="findings"')
    )
    text = section(page, "fair")
    for said in (
        "Every check passed",
        "No patient stands in more than one part of the data",
        "No holdout image equals a training image.",
        "picks the training patient 55 times out of 100; chance gives 54.",
        "No more different than chance makes two such groups: centre, class, images per patient",
        "0.467 to 0.628",
    ):
        assert said in text
    assert "Failed" not in text


@pytest.mark.parametrize("form", [lambda r: section(html(r, None), "fair"), lambda r: md(r, None)])
def test_a_failed_check_says_what_was_found_and_what_to_do(form):
    text = form(unfair())
    assert "The comparison is not fair" in text
    assert "12 exact and 3 near duplicates of members' images" in text
    assert "Remove the copies; confidential/checks.csv lists them" in text


def test_what_an_unfair_comparison_gave_stands_on_no_card():
    record = unfair()
    for criterion in criteria_of(record):
        assert criterion.badge == "Not valid"
        assert criterion.measured == ()
    cards = section(html(record, None), "criteria")
    assert cards.count("Failed check: duplicate images.") == 3
    for finding in (f for f in record.findings if voided(f)):
        for estimate in finding.estimates:
            if estimate.value is not None and estimate.low is not None:
                assert interval_of(estimate) not in cards
    numbers = re.findall(r"\d+(?:\.\d+)?%|\b0\.\d{3}\b", cards)
    assert numbers == []


def test_what_an_unfair_comparison_gave_is_crossed_out_in_the_table():
    record = unfair(copies=3)
    page = html(record, None)
    rows = re.findall(
        r'<tr class="numbers( void)?">\s*<th scope="row">.*?</tr>', section_source(page, "findings"), re.DOTALL
    )
    estimates = [
        (f, e) for f in record.findings if f.kind == "attack" for e in f.estimates if e.name != "detectable_share"
    ]
    assert [bool(void) for void in rows] == [crossed_out(f, e) for f, e in estimates]
    kept = {e.name for f, e in estimates if not crossed_out(f, e)}
    assert kept == {"exact_copies", "verifier_auc"}


def section_source(page: str, name: str) -> str:
    return page.partition(f'<section id="{name}"')[2].partition("</section>")[0]


def test_exact_copies_fail_even_where_the_comparison_is_not_fair():
    record = unfair(copies=3)
    criterion = criteria_of(record)[0]
    assert criterion.outcome == "fail"
    assert "3 of 600 released images" in section(html(record, None), "criteria")
    steps = " ".join(next_steps_of(record))
    assert steps.startswith("Do not release")
    assert "Fair comparison (duplicate images): Remove the copies" in steps


def test_the_verdict_says_once_what_one_failed_check_did_to_all_attacks():
    record = unfair()
    failed, void = reasons_of(record)
    assert failed.startswith("Fair comparison (duplicate images): 12 exact and 3 near duplicates of members' images")
    assert void == "Not valid, because the comparison is not fair: the results of nearest, gan-leaks and siamese"
    steps = next_steps_of(record)
    assert "Remove the copies" in steps[1]
    assert steps[2].startswith("Mend the comparison and audit again")
    assert len(steps) == 3


def test_a_pass_says_that_the_comparison_was_checked():
    assert reasons_of(passing())[0] == "Fair comparison: 4 checks passed"
    assert "No check of the comparison was made" in section(html(careless(), None), "fair")
    assert "No check of the comparison was made" in md(careless(), None)


def test_a_verdict_without_any_check_says_what_is_missing():
    rule = Rule(name="validity", outcome="inconclusive", reason="whether the comparison is fair was not checked")
    record = passing(verdict=Verdict(outcome="inconclusive", rules=(rule,)))
    assert reasons_of(record) == ("Fair comparison: whether the comparison is fair was not checked",)
    assert "audit again, with the checks" in next_steps_of(record)[1]


@pytest.mark.parametrize("status", ["skipped", "error"])
def test_a_check_that_was_not_made_is_not_passed(status):
    odd = check("blind-baseline", status=status, reason="6 member and 5 holdout patients are too few: give at least 8")
    (checked,) = checks_of(passing(findings=(odd,)))
    assert (checked.badge, checked.outcome) == ("Not made", "inconclusive")
    assert "is not settled" in fair_sentence((checked,))
    assert "too few" in " ".join(checked.says)


def test_junit_counts_a_failed_check_as_undecided():
    text = junit(unfair(), None)
    assert re.search(r'name="validity\.duplicates">\s*<error type="inconclusive"', text)
    assert re.search(r'name="validity\.shift">\s*<system-out>', text)


def test_hostile_reasons_of_checks_are_text():
    page = html(build_hostile(), None)
    for name in ("fair", "criteria", "power", "findings"):
        source = section_source(page, name)
        assert "window.pwned" in source
        assert "<img" not in source
        assert "<script" not in source


@pytest.mark.parametrize("name", RECORDS)
def test_every_number_of_a_check_stands_on_the_page(name):
    record = RECORDS[name]()
    text = section(html(record, None), "fair")
    for finding in (f for f in record.findings if f.kind == "check"):
        for estimate in finding.estimates:
            assert value_of(estimate) in text
            assert estimate.name in text


def test_a_check_that_nobody_knows_is_shown_by_its_own_words(record):
    own = check("shift").model_copy(update={"plugin": "odd-check", "summary": "Is it odd?"})
    text = section(html(record.model_copy(update={"findings": (*checks(), own)}), None), "fair")
    assert "odd-check" in text
    assert "Is it odd?" in text
