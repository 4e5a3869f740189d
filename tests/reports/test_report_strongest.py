"""The line on the strongest attack stands in every report for people, and says what it means."""

import pytest
from rich.console import Console

from privbench.audit.cli import tables
from privbench.audit.record import Estimate, StrongestAttack
from privbench.audit.registry import load
from privbench.reports.strongest import LEAD, strongest_of


def best(value, low, high, family="membership", attack="secmi"):
    auc = Estimate(
        name="auc", group="strongest", value=value, low=low, high=high, null=0.5, n=132, unit="patient", worse="higher"
    )
    return StrongestAttack(family=family, attack=attack, inverted=True, tried=("loss", "pia", attack), auc=auc)


@pytest.fixture
def chosen(record):
    lines = (best(0.71, 0.62, 0.79), best(0.49, 0.39, 0.58, "memorization", "nearest (<b>aligned</b>)"))
    return record.model_copy(update={"strongest": lines})


@pytest.mark.parametrize(
    ("interval", "reading"),
    [((0.62, 0.79), "not by luck"), ((0.39, 0.58), "no better than guessing"), ((0.2, 0.4), "does not tell")],
)
def test_the_reading_follows_the_interval(record, interval, reading):
    (line,) = strongest_of(record.model_copy(update={"strongest": (best(0.5, *interval),)}))
    assert reading in line.reading


@pytest.mark.parametrize("form", ["html", "md"])
def test_a_report_names_attack_choice_and_number(chosen, form):
    text = load("report", form).target(chosen, None)
    assert LEAD in text
    assert "secmi, the strongest of 3, turned round" in text
    assert "0.710" in text
    assert "<b>aligned</b>" not in text


@pytest.mark.parametrize("form", ["html", "md"])
def test_without_a_choice_there_is_no_such_part(record, form):
    assert "strongest" not in load("report", form).target(record, None).lower()


def test_the_terminal_says_it_in_a_line(chosen, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tables, "Console", lambda **options: Console(width=80, **options))
    tables.print_record(chosen, tmp_path)
    said = capsys.readouterr().out
    assert "secmi, inverted, of 3" in said
    assert "0.710 [0.620, 0.790]" in said
