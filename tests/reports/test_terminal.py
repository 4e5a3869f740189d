"""The terminal shows what decides, family by family, and says once what many attacks lack alike."""

from pathlib import Path

import pytest

from privbench.audit.cli.tables import print_record
from privbench.audit.record import Estimate


@pytest.fixture
def shown(record, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")

    def show(**changes):
        print_record(record.model_copy(update=changes), Path("run"))
        return capsys.readouterr().out

    return show


def test_what_could_not_be_resolved_is_said_once(shown, record):
    lacking = [f.plugin for f in record.findings for e in f.estimates if e.name == "tpr@fpr=0.01" and e.value is None]
    assert len(lacking) > 1
    assert shown().count("not resolvable with 100 holdout patients") == 1


def test_families_stand_together_and_what_was_skipped_is_named_below(shown, record):
    skipped = record.finding("fid").model_copy(update={"status": "skipped", "reason": "no weights"})
    others = tuple(f for f in record.findings if f.plugin not in {"fid", "nearest"})
    text = shown(findings=(*others, skipped, record.finding("nearest")))
    assert text.index("nearest memorization") < text.index("loss membership") < text.index("dice utility")
    assert "fid utility" not in text
    assert "fid: no weights" in text


def test_what_comes_by_space_is_for_the_report(shown, record):
    companion = Estimate(
        name="c_t", group="pixels", value=-7.5, low=-9, high=-6, null=0.1, n=9, unit="image", worse="lower"
    )
    finding = record.finding("nearest")
    with_it = finding.model_copy(update={"estimates": (*finding.estimates, companion)})
    rest = tuple(with_it if f is finding else f for f in record.findings)
    assert "c_t" not in shown(findings=rest)
    alone = finding.model_copy(update={"estimates": (companion,)})
    assert "c_t pixels" in shown(findings=(alone,))
