"""Whoever reads that no leak was found reads beside it how small a leak would have been found."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from privbench.audit.cli.tables import print_record
from privbench.audit.record import AuditRecord
from privbench.audit.runs import load_record
from privbench.reports.advice import next_steps_of
from privbench.reports.criteria import criteria_of
from privbench.reports.html import html
from privbench.reports.joined import power_of, roc_of
from privbench.reports.junit import junit
from privbench.reports.md import md
from privbench.reports.measures import MEASURES
from privbench.reports.power import KINDS, UNKNOWN, brief_of, mark_of, reach_of, reach_of_all
from privbench.reports.power_table import power_table_of
from privbench.reports.threats import untested_threats

from .made_findings import membership, nearest
from .made_records import RECORDS, blind, careless, passing, uncertified
from .made_validity import ON_IMAGES, certified

# How a report says that nothing was found: the none-sentences by their first words, readings, badges, headlines.
CHECKED = ("shared_patients", "exact_duplicates", "near_duplicates")  # what a check did not find is no leak
NOTHING = (
    "no leak above",
    "no leakage above",
    "no excess",
    "not worse",
    "within what chance gives",
    *(m.none.partition("{")[0].lower() for name, m in MEASURES.items() if m.none and name not in CHECKED),
)
REACH = ("would have been noticed", "not noticed at any share", "noticed from", "noticed at no share", "not measured")
# Elements that a reader takes in at one glance; the phrase and the figure must stand in the same one.
BLOCKS = {"tbody", "article"}


class Blocks(HTMLParser):
    """The text of each block of the page: the verdict's box, each criterion's card, each table body, the rest."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.texts: list[list[str]] = [[]]
        self._open: list[tuple[str, list[str]]] = []
        self._silent = False
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        classes = (dict(attrs).get("class") or "").split()
        self._silent = tag in {"script", "style"}
        if tag in BLOCKS or "verdict" in classes or (tag == "div" and self._open):
            block: list[str] = [] if tag != "div" or "verdict" in classes else self._open[-1][1]
            self._open.append((tag, block))
            self.texts.append(block)

    def handle_endtag(self, tag: str) -> None:
        self._silent = False
        if self._open and self._open[-1][0] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            (self._open[-1][1] if self._open else self.texts[0]).append(data)


def says_nothing_was_found(text: str) -> bool:
    return any(words in text.lower() for words in NOTHING)


def says_what_would_have_been(text: str) -> bool:
    return any(words in text.lower() for words in REACH)


def lines_of_html(record: AuditRecord) -> Iterator[str]:
    for block in Blocks(html(record, None)).texts[1:]:
        yield " ".join(" ".join(block).split())


def lines_of_md(record: AuditRecord) -> Iterator[str]:
    """Every line; the verdict's together with the one after it."""
    lines = [line for line in md(record, None).splitlines() if line]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        yield f"{line} {following}" if line.startswith("**") else line


def lines_of_junit(record: AuditRecord) -> Iterator[str]:
    for case in ET.fromstring(junit(record, None)).iter("testcase"):
        green = not [child.tag for child in case if child.tag != "system-out"]
        text = " ".join(child.text or "" for child in case)
        yield f"no leak above: {text}" if green and not str(case.get("name")).startswith("validity.") else text


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("lines", [lines_of_html, lines_of_md, lines_of_junit])
def test_nothing_found_is_never_said_without_the_smallest_leak_that_would_have_been(name, lines):
    for text in lines(RECORDS[name]()):
        if says_nothing_was_found(text):
            assert says_what_would_have_been(text), text[:400]


def test_these_records_do_say_that_nothing_was_found():
    found = {name for name, make in RECORDS.items() if any(map(says_nothing_was_found, lines_of_html(make())))}
    assert found >= {"plain", "passing", "blind", "uncertified", "careless"}
    assert any(map(says_nothing_was_found, lines_of_md(passing())))


@pytest.mark.parametrize("name", RECORDS)
def test_the_terminal_shows_it_with_every_record(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    record = RECORDS[name]()
    print_record(record, Path("run"))
    shown = capsys.readouterr().out
    valid = [f for f in record.findings if f.kind == "attack" and f.status == "ok"]
    planted = [f for f in valid if f.estimate("detectable_share", "exact")]
    assert ("smallest leak found" in shown) == bool(planted)
    assert ("was not measured" in shown) == (
        valid != planted and any(f.access == "SAMPLES" for f in valid) > len(planted)
    )
    if planted:
        assert re.search(r"mixture +not detected up to 40%", shown)


def test_a_card_names_each_kind_from_the_smallest_share_on():
    assert reach_of(certified(nearest(leaks=False))) == (
        "Exact or noisy copies would have been noticed from 1.1% [0.9% to 1.5%] of the released images; shifted copies "
        "from 1.4%; copies of other contrast from 1.5%; turned lesions from 1.8%; bent copies from 2.7%; rotated "
        "copies from 3.2%; copied lesions from 8.7%; not noticed at any share up to 40%: mixtures of two patients."
    )


def test_of_two_faithful_kinds_the_worse_one_is_told():
    finding = certified(nearest(leaks=False), {"exact": 0.031, "noise": 0.012})
    assert brief_of(finding).startswith("Exact or noisy copies would have been noticed from 3.1%")
    assert mark_of(finding) == ("Exact or noisy copies noticed from", "3.1% of images")
    lost = certified(nearest(leaks=False), {"exact": None, "noise": 0.012})
    assert mark_of(lost) == ("Exact or noisy copies noticed", "at no share up to 40%")
    assert "not noticed at any share up to 40%: exact copies" in brief_of(lost)


def test_without_a_certificate_it_is_said_that_nobody_knows():
    for record in (uncertified(), careless()):
        assert reach_of_all(record) == UNKNOWN
        assert UNKNOWN in untested_threats(record)
        page = html(record, None)
        assert "so no result here may be read as the absence of one" in page
        assert not power_table_of(record).rows
    steps = " ".join(next_steps_of(uncertified()))
    assert steps.count("Run privbench certify") == 3
    assert "more training" not in steps


def test_the_verdict_tells_the_most_watchful_attack_for_each_kind():
    weak = ON_IMAGES | {"exact": 0.2, "noise": 0.2, "mixture": 0.31}
    base = passing()
    findings = tuple(
        certified(f.model_copy(update={"estimates": f.estimates[:2], "plots": ()}), weak if i else None)
        for i, f in enumerate(f for f in base.findings if f.kind == "attack")
    )
    said = reach_of_all(base.model_copy(update={"findings": findings}))
    assert said.startswith("Exact or noisy copies would have been noticed from 1.1%")
    assert "mixtures of two patients from 31%" in said
    some = (findings[0], findings[1].model_copy(update={"estimates": findings[1].estimates[:2]}))
    assert reach_of_all(base.model_copy(update={"findings": some})).endswith(
        "How small a leak gan-leaks would have found was not measured."
    )


def test_kinds_that_nobody_notices_are_named_as_not_covered():
    text = " ".join(untested_threats(blind()))
    for noun in ("mixtures of two patients", "bent copies", "copied lesions"):
        assert f"Leaks of this kind would not have been found: {noun} (not found up to 40%)." in text
    assert "only above the limit of 2% of the released images: rotated copies from 3.2%." in text


def test_kinds_that_were_not_planted_are_named_too():
    few = certified(nearest(leaks=False), {"exact": 0.01, "noise": 0.01})
    text = " ".join(untested_threats(passing(findings=(few,))))
    assert "was not tried: shifted copies, copies of other contrast, rotated copies" in text
    assert "overfitting" not in text


def test_the_table_holds_every_kind_and_attack_and_stands_on_the_page(record):
    table = power_table_of(record)
    assert [f.plugin for f in table.attacks] == ["nearest", "gan-leaks", "loss", "siamese"]
    planted = {e.group for f in record.findings for e in f.estimates if e.name == "detectable_share"}
    assert [row.group for row in table.rows] == [kind for kind in KINDS if kind in planted]
    assert {"exact", "mixture", "overfitted"} <= planted <= set(KINDS)
    loss = [row.cells[2] for row in table.rows]
    assert [e is not None for e in loss] == [row.group == "overfitted" for row in table.rows]
    assert not any(e.name == "detectable_share" for c in criteria_of(record) for _, e in c.measured)


def test_the_first_table_names_the_most_watchful_attack_of_each_family():
    seeing, weak = certified(nearest(leaks=False), {"exact": 0.02, "mixture": None}), {"exact": 0.01, "mixture": None}
    second = certified(nearest(leaks=False).model_copy(update={"plugin": "second"}), weak)
    table = power_table_of(passing(findings=(seeing, second)))
    assert table.families == ("memorization",)
    (exact,), (mixture,) = table.best
    assert (exact.attack, exact.estimate.value) == ("second", 0.01)
    assert (mixture.attack, mixture.estimate.value) == ("", None)


def test_power_curves_of_all_attacks_stand_together_one_plot_a_kind(record):
    figure = power_of(record)
    curves = {f.plugin: p for f in record.findings for p in f.plots if p.kind == "power"}
    panels = list(dict.fromkeys(line.panel for line in figure.lines))
    assert panels == [KINDS[kind].noun for kind in (*ON_IMAGES, "overfitted")]
    assert {line.label for line in figure.lines} == set(curves)
    assert len(figure.lines) == sum(len(plot.series) for plot in curves.values())
    assert all(x > 0 for line in figure.lines for x in line.x), "the axis is logarithmic"
    assert power_of(uncertified()) is None


def test_of_many_attacks_the_one_that_found_most_is_large_and_all_stand_in_a_table():
    asked = [
        membership("gan-leaks", "SAMPLES", (value, value - 0.07, value + 0.07), i).model_copy(
            update={"plugin": f"attack-{i}"}
        )
        for i, value in enumerate((0.52, 0.31, 0.6, 0.55))
    ]
    record = passing(findings=tuple(certified(f, {"exact": 0.01 * (i + 1)}) for i, f in enumerate(asked)))
    criterion = next(c for c in criteria_of(record) if c.family == "membership").parts[0]
    assert {f.plugin for f, _ in criterion.large} == {"attack-1"}, "an AUC far below 0.5 is a leak too"
    assert [f.plugin for f, _ in criterion.small] == [f.plugin for f in asked]
    ((who, reach),) = criterion.reaches
    assert who == "4 attacks together"
    assert "would have been noticed from 1%" in reach
    assert "Membership AUC of all attacks of this kind" in html(record, None)
    (who,) = {plugins for plugins, _ in criterion.gaps}
    assert who == ", ".join(f.plugin for f in asked), "what all lack alike is said once"


def test_few_attacks_are_all_large(record):
    for criterion in criteria_of(record):
        assert criterion.small == ()
        assert len(criterion.large) == sum(e.value is not None for _, e in criterion.measured)


def test_the_band_of_a_roc_curve_says_its_method_and_on_how_many_patients_it_rests():
    record = load_record(Path(__file__).parents[1] / "records" / "v5.json")
    drawn = roc_of(record)
    assert drawn is not None
    aucs = [f.estimate("auc") for f in record.findings if f.status == "ok" and f.estimate("auc")]
    found = re.search(
        r"at least 95% confidence for each point by itself .* over (\d+) training and (\d+)", drawn.caption
    )
    assert found
    assert int(found[1]) + int(found[2]) in {auc.n for auc in aucs if auc}
