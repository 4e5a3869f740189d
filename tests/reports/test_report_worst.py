"""Who is worst off: how many, how strongly, in which centre. Counts with intervals, never a name, never too few."""

import re
from html import unescape

from privbench.audit.record import Estimate, Verdict
from privbench.reports.html import html
from privbench.reports.wording import MINUS
from privbench.reports.worst import FEW, NOT_MEASURED, worst_of

from .made_findings import by_group, estimate, membership, nearest
from .made_records import build, passing, unfair


def section(page: str) -> str:
    source = page[page.index('<section id="worst"') :]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", source[: source.index("</section>")])).split())


def with_only(*estimates: Estimate):
    finding = nearest().model_copy(update={"estimates": estimates, "plots": ()})
    return build(findings=(finding,))


def test_counts_are_those_of_the_finding_with_the_excess_as_patients():
    overall = estimate(
        "exposed_patients",
        0.34,
        0.24,
        0.445,
        0.0,
        n=100,
        unit="patient",
        note="36 of 100 member patients, 2 of 100 holdout patients",
    )
    strong = estimate(
        "exposed_patients",
        0.01,
        -0.021,
        0.05,
        0.0,
        n=100,
        unit="patient",
        group="at least 5 copies",
        note="1 of 100 member patients, 0 of 100 holdout patients",
    )
    first, second = worst_of(with_only(overall, strong)).rows
    assert (first.members, first.control, first.beyond) == ("36 of 100", "2 of 100", "34 (24 to 45)")
    assert first.how == "at least 1 look-alike in the release"
    assert first.leak
    assert second.how == "at least 5 look-alikes in the release"
    assert second.beyond == f"1 ({MINUS}3 to 5)", "an interval is rounded away from the middle"
    assert not second.leak
    assert "36 of 100 training patients: at least 1 look-alike" in section(html(with_only(overall, strong), None))


def test_centres_and_classes_stand_side_by_side_and_as_bars():
    worst = worst_of(build())
    assert [g.how for g in worst.groups] == ["centre A", "centre B", "centre C", "class 0", "class 1"]
    (bars,) = worst.bars
    assert [line.label for line in bars.lines] == ["A", "B"], "the third centre is too small"
    assert bars.lines[1].low[0] < bars.lines[1].x[0] < bars.lines[1].high[0]
    text = section(html(build(), None))
    assert "centre B 3 of 20 1 of 20" in text
    assert f"centre C {FEW}" in text
    assert NOT_MEASURED not in text


def test_a_group_of_fewer_than_five_has_no_number_whoever_measured_it():
    tiny = estimate(
        "exposed_patients", 0.5, 0.1, 0.9, 0.0, n=4, unit="patient", group="center tiny", note="2 of 4 member patients"
    )
    worst = worst_of(with_only(tiny, *by_group("exposed_patients", "center A", "center B")))
    assert worst.groups[0].members == FEW
    assert "tiny" not in [line.label for bar in worst.bars for line in bar.lines]
    assert "2 of 4" not in section(html(with_only(tiny), None))


def test_it_says_where_nothing_was_measured():
    nothing = build(findings=(), verdict=Verdict(outcome="inconclusive", rules=()))
    assert "could not be measured. That is not a pass." in section(html(nothing, None))
    alone = build(findings=(membership("loss", "DENOISER", (0.5, 0.4, 0.6), 1),))
    assert NOT_MEASURED in section(html(alone, None))


def test_what_an_unfair_comparison_gave_is_counted_nowhere():
    worst = worst_of(unfair())
    assert worst.rows == worst.groups == worst.bars == ()
    assert "Not valid, for the comparison was not fair" in section(html(unfair(), None))


def test_the_luckiest_of_many_attacks_is_not_called_a_leak():
    lucky = estimate("tpr@fpr=0.1", 0.2, 0.12, 0.32, 0.1, n=64, unit="patient")
    one = membership("loss", "DENOISER", (0.5, 0.4, 0.6), 1).model_copy(update={"estimates": (lucky,)})
    (alone,) = worst_of(build(findings=(one,))).rows
    assert alone.leak
    assert alone.members == "13 of 64"
    assert alone.beyond == "6.4 (1 to 15)"  # 0.02 to 0.22 of 64, rounded away from the middle
    two = one.model_copy(update={"plugin": "pia"})
    (row,) = worst_of(build(findings=(one, two))).rows
    assert not row.leak
    assert "partly luck" in row.how


def test_without_a_leak_the_page_says_so_with_what_would_have_been_found():
    text = section(html(passing(), None))
    assert "In no way that was tested are more training patients shown to be exposed than chance gives" in text
    assert "smallest leak that would have been found" in text


def test_no_sentence_of_a_release_size_reads_as_leave_to_publish():
    for record in (passing(), build(findings=(nearest(),))):
        text = section(html(record, None))
        assert "may be published" not in text
        assert "exposes fewer than one patient beyond chance" not in text or "no leave to publish it" in text
