"""``privbench report``: what it refuses, in a line and a fix."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from privbench.audit.cli import app
from privbench.audit.errors import BadInputError

RECORDS = Path(__file__).parents[1] / "records"


@pytest.fixture
def run(tmp_path):
    newest = max(RECORDS.glob("v*.json"))
    shutil.copy(newest, tmp_path / "record.json")
    return tmp_path


def test_a_report_on_several_runs_is_refused_with_the_command_that_writes_it(run):
    error = CliRunner().invoke(app, ["report", str(run), "--format", "comparison-html"]).exception
    assert isinstance(error, BadInputError)
    assert "compares several runs" in str(error)
    assert "privbench compare RUN RUN --format html" in str(error)
    assert len(str(error).splitlines()) == 2


def test_every_audit_format_is_written_where_it_is_asked_for(run):
    for form in ("html", "md", "json", "junit"):
        out = run / f"out.{form}"
        assert CliRunner().invoke(app, ["report", str(run), "--format", form, "--out", str(out)]).exit_code == 0
        assert out.stat().st_size > 500


def test_a_run_does_not_lose_its_record_to_its_report(run):
    before = (run / "record.json").read_bytes()
    asked = ["report", str(run), "--format", "md", "--out", str(run / "record.json")]
    error = CliRunner().invoke(app, asked).exception
    assert isinstance(error, BadInputError)
    assert "would be overwritten" in str(error)
    assert (run / "record.json").read_bytes() == before
