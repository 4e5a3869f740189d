"""What the reports of a comparison say: every number, nothing that runs, and no order where none is shown."""

import csv
import io
import re

import pytest

from privbench.audit.comparison import Comparison, compare
from privbench.reports.comparing.plane import leak_axes, standings_of, unplaced_of, utility_axes
from privbench.reports.comparing.sentences import details_of, headline_of, missing_of
from privbench.reports.comparison_csv import comparison_csv
from privbench.reports.comparison_differences_csv import comparison_differences_csv
from privbench.reports.comparison_html import comparison_html
from privbench.reports.comparison_json import comparison_json
from privbench.reports.comparison_md import comparison_md

from .made_comparisons import audit, found, hostile, many, three


@pytest.fixture(scope="module")
def comparison():
    return compare(three())


@pytest.fixture(scope="module")
def alike():
    return compare([("a", audit("a")), ("b", audit("b"))])


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_one_sentence_says_who_leaks_more_and_who_is_less_useful(comparison):
    said = headline_of(comparison)
    assert "ldm leaks more than dfgm and dp-ldm by copies of patients, linkage to patients and membership" in said
    assert "dp-ldm is less useful than" in said


def test_one_sentence_gives_the_number_where_there_is_one():
    said = headline_of(compare([("a", audit("ldm", leak=0.45)), ("b", audit("dfgm"))]))
    assert re.match(
        r"ldm leaks more than dfgm by .*; no difference in utility is shown; not compared: attributes of patients; one",
        said,
    )
    alone = compare([("a", audit("ldm", leak=0.2)), ("b", audit("dfgm"))])
    (membership,) = [e for e in alone.estimates if e.plugin == "strongest attack"]
    only = alone.model_copy(update={"estimates": (membership,)})
    assert re.match(
        r"ldm leaks more than dfgm by membership: \+0\.200 \[\+0\.0\d+, \+0\.\d+\]; utility", headline_of(only)
    )


def test_where_nothing_differs_nobody_is_called_better(alike):
    assert headline_of(alike) == (
        "No difference in leakage is shown; no difference in utility is shown; not compared: attributes of patients; "
        "one training of each, others may differ."
    )
    text = comparison_md(alike).replace("rank 1: nobody is better", "")
    assert "is better" not in text
    assert "rank" not in text
    assert not re.search(r'class="rank"', comparison_html(alike))


def test_what_was_not_tested_is_said(alike):
    assert any("attributes (not tested)" in line for line in details_of(alike))


def test_an_entrant_without_a_number_is_named_and_never_placed_at_zero():
    broken = audit("c")
    findings = tuple(
        found(f.plugin, f.family, status="error", reason="disk full") if f.kind == "attack" else f
        for f in broken.findings
    )
    broken = broken.model_copy(update={"findings": findings, "strongest": ()})
    comparison = compare([("a", audit("a", leak=0.4)), ("b", audit("b")), ("c", broken)])
    assert any("c (error: disk full)" in line for line in missing_of(comparison))
    x, y = utility_axes(comparison)[0], next(a for a in leak_axes(comparison) if a.compared.name == "copied_share")
    assert {s.entrant for s in standings_of(x, y)} == {0, 1}
    assert unplaced_of(x, y) == ((2, "Copied share: disk full"),)
    page = comparison_html(comparison)
    assert "c cannot be placed" in page
    assert page.count('class="mark ') == 3 + 2  # the key, and two points


def test_what_stands_alone_is_named_and_has_no_place_and_no_rank():
    other = audit("c", leak=-0.4)
    of_others = other.strongest[0].model_copy(update={"tried": ("domias",)})
    runs = [
        ("a", audit("a", leak=0.45)),
        ("b", audit("b")),
        ("c", other.model_copy(update={"strongest": (of_others,)})),
    ]
    comparison = compare(runs)
    assert "a leaks more than b by " in headline_of(comparison)
    line = (
        "Membership, Membership AUC (the strongest attack) was not compared for c (its strongest was chosen from other"
    )
    assert any(said.startswith(line) for said in missing_of(comparison))
    (y,) = [axis for axis in leak_axes(comparison) if axis.compared.plugin == "strongest attack"]
    assert {s.entrant for s in standings_of(utility_axes(comparison)[0], y)} == {0, 1}
    assert "not compared: its strongest was chosen from other attacks" in comparison_html(comparison)


def test_numbers_of_attacks_with_other_options_span_no_plane():
    comparison = compare([("a", audit("a", leak=0.4)), ("b", audit("b", loss={"steps": 50}))])
    assert comparison.find("loss", "auc").withheld
    assert "loss" not in {axis.compared.plugin for axis in leak_axes(comparison)}


def test_nobody_on_the_front_is_beaten_and_everybody_else_is(comparison):
    for x in utility_axes(comparison):
        for y in leak_axes(comparison):
            for standing in standings_of(x, y):
                i = standing.entrant
                beaten = [
                    j
                    for j in range(3)
                    if x.better(j, i) >= 0 and y.better(j, i) >= 0 and (x.better(j, i) > 0 or y.better(j, i) > 0)
                ]
                assert list(standing.beaten_by) == beaten
                assert set(standing.surely) <= set(beaten)


def test_lower_is_better_for_a_distance(comparison):
    fid = next(axis for axis in utility_axes(comparison) if axis.compared.name == "fid")
    dice = next(axis for axis in utility_axes(comparison) if axis.compared.name == "dice")
    assert not fid.upward
    assert dice.upward
    assert (fid.better(0, 2) > 0) == (dice.better(0, 2) > 0)


def test_axes_that_all_entrants_have_come_first():
    lacking = audit("b")
    lacking = lacking.model_copy(update={"findings": tuple(f for f in lacking.findings if f.plugin != "dice")})
    comparison = compare([("a", audit("a")), ("b", lacking), ("c", audit("c"))])
    assert [axis.compared.name for axis in utility_axes(comparison)] == ["fid", "dice"]


def test_the_json_is_the_comparison(comparison):
    assert Comparison.model_validate_json(comparison_json(comparison)) == comparison


def test_the_csv_has_a_row_for_every_entrant_and_estimate(comparison):
    table = rows(comparison_csv(comparison))
    assert len(table) == 3 * len(comparison.estimates)
    (row,) = [r for r in table if (r["entrant"], r["plugin"], r["estimate"]) == ("ldm", "loss", "auc")]
    auc = comparison.find("loss", "auc").cells[0]
    assert float(row["value"]) == auc.value
    assert float(row["leak"]) == auc.leak
    assert row["rank"] == "3"
    (gap,) = [r for r in table if (r["entrant"], r["estimate"]) == ("ldm", "tpr@fpr=0.01")]
    assert (gap["value"], gap["status"]) == ("", "unmeasured")


def test_the_csv_of_differences_has_a_row_for_every_pair(comparison):
    table = rows(comparison_differences_csv(comparison))
    assert len(table) == sum(len(e.differences) for e in comparison.estimates)
    (row,) = [r for r in table if r["plugin"] == "loss" and (r["first"], r["second"]) == ("ldm", "dfgm")]
    assert row["better"] == "dfgm"
    assert row["of"] == "leak"
    assert row["seeds"] == "2"


@pytest.mark.parametrize("write", [comparison_csv, comparison_differences_csv])
def test_no_cell_starts_a_formula(write):
    for row in rows(write(compare(hostile()))):
        for value in row.values():
            assert not value.startswith(("=", "+", "@")), value
            assert not value.startswith("-") or float(value) < 0


def test_hostile_names_are_text_in_markdown(hostile_text):
    text = comparison_md(compare(hostile()))
    assert "<script" not in text
    assert "<img" not in text
    assert "`@all`" not in text
    assert "window.pwned=1" in text


def test_markdown_tables_have_as_many_cells_as_heads():
    lines = comparison_md(compare(hostile())).splitlines()
    for i, line in enumerate(lines):
        if set(line) <= set("|- ") and line:
            heads = len(re.findall(r"(?<!\\)\|", lines[i - 1]))
            for row in lines[i + 1 :]:
                if not row.startswith("|"):
                    break
                assert len(re.findall(r"(?<!\\)\|", row)) == heads


def test_hostile_names_are_text_in_html():
    page = comparison_html(compare(hostile()))
    for tag in ("<script>window.pwned", "<img src=x", "{{ 7*7 }} -->"):
        assert tag not in page
    assert page.count("<script") == 3
    assert "49 " not in re.findall(r"<h1>(.*?)</h1>", page)[0]


def test_the_page_fetches_nothing_and_names_its_scripts_by_hash(comparison):
    page = comparison_html(comparison)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1)
    assert "default-src &#39;none&#39;" in policy
    assert policy.count("sha256-") == 2
    markup = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert "http://" not in markup
    assert "https://" not in markup


def test_every_number_stands_in_the_page(comparison):
    page = comparison_html(comparison)
    for compared in comparison.estimates:
        for own in compared.cells:
            if own.value is not None:
                value = own.value
                forms = {f"{value:.3f}", f"{value:.4g}", f"{100 * value:.1f}".removesuffix(".0") + "%"}
                assert any(form in page for form in forms), (compared.plugin, compared.name, value)


def test_fifty_entrants_fit_in_a_page_of_six_megabytes():
    page = comparison_html(compare(many(50)))
    assert len(page.encode()) <= 6_000_000
    assert "dp-ldm (epsilon=49)" in page


def test_a_page_can_be_written_where_nothing_can_be_drawn():
    def bare(name):
        record = audit(name)
        kept = tuple(f for f in record.findings if f.plugin == "loss")
        return record.model_copy(update={"findings": kept, "strongest": ()})

    page = comparison_html(compare([("a", bare("a")), ("b", bare("b"))]))
    assert "No plane can be drawn" in page
    skipped = found("loss", "membership", status="skipped", reason="needs WEIGHTS")
    nothing = [audit(name, findings=(skipped,), strongest=()) for name in "ab"]
    page = comparison_html(compare([(str(i), r) for i, r in enumerate(nothing)]))
    assert "needs WEIGHTS" in page
    assert "plotly" not in page.lower().replace("typeof plotly", "").replace("plotly.", "").replace("// plotly", "")


def test_the_plane_opens_on_the_leak_that_tells_most_entrants_apart(comparison):
    first, *others = leak_axes(comparison)
    assert len(first.compared.shown) == max(len(axis.compared.shown) for axis in (first, *others)) > 0
