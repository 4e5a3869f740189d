"""privbench compare: what it prints, writes and refuses, and how it exits."""

import csv
import io
import json

import pytest

from privbench.audit.cli.compare import write_comparison
from privbench.audit.comparison import Comparison
from privbench.audit.errors import BadInputError
from privbench.audit.record import SCHEMA_VERSION

from ..reports.made_comparisons import audit, found, hostile, three


def write(folder, records):
    paths = []
    for name, record in records:
        path = folder / name.rpartition("/")[2]
        path.mkdir(parents=True)
        (path / "record.json").write_text(record.model_dump_json(), encoding="utf-8")
        paths.append(path)
    return paths


@pytest.fixture
def runs(tmp_path):
    write(tmp_path / "runs", three())
    return tmp_path / "runs"


def test_a_folder_of_runs_is_compared_and_its_report_written(command, runs, tmp_path):
    done = command("compare", "runs", env={"COLUMNS": "80"})
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    for word in ("3 entrants", "ldm", "dfgm", "dp-ldm", "0.955 #3", "fail 2 of 2", "leaks more than", "is worse than"):
        assert word in done.stdout, word
    (folder,) = (tmp_path / "runs").glob("comparison-*")
    comparison = Comparison.model_validate_json((folder / "comparison.json").read_text(encoding="utf-8"))
    assert len(comparison.entrants) == 3
    assert (folder / "comparison.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    again = command("compare", "runs", "--out", "elsewhere")
    assert again.returncode == 0, again.stderr
    assert json.loads((tmp_path / "elsewhere" / "comparison.json").read_text())["seeds"] == [0, 1]


def test_the_order_of_runs_does_not_change_the_folder(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = sorted(runs.iterdir())
    assert write_comparison(paths, None, quiet=True) is False
    assert write_comparison(paths[::-1], None, quiet=True) is False
    assert len(list(runs.glob("comparison-*"))) == 1


def test_a_format_goes_to_standard_output_and_nothing_is_written(command, runs, tmp_path):
    done = command("compare", "runs", "--format", "csv")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {row["entrant"] for row in rows} == {"ldm", "dfgm", "dp-ldm"}
    assert not list((tmp_path / "runs").glob("comparison-*"))
    file = tmp_path / "deep" / "comparison.md"
    assert command("compare", "runs", "-f", "md", "--out", file).returncode == 0
    assert file.read_text(encoding="utf-8").startswith("# Comparison on brain-sim")


def test_what_is_compared_is_not_overwritten(command, runs):
    record = min(runs.glob("*/record.json"))
    before = record.read_bytes()
    done = command("compare", "runs", "--format", "csv", "--out", record)
    assert (done.returncode, "would be overwritten" in done.stderr) == (2, True)
    assert record.read_bytes() == before


def test_a_broken_plugin_in_a_compared_run_exits_with_four(command, tmp_path):
    broken = audit("b", extra=(found("domias", "membership", status="error", reason="LinAlgError"),))
    write(tmp_path / "runs", [("a", audit("a")), ("b", broken)])
    done = command("compare", "runs")
    assert done.returncode == 4
    assert "domias" in done.stdout


def test_hostile_names_do_nothing_to_a_terminal(tmp_path, capsys):
    paths = write(tmp_path, [(str(i), record) for i, (_, record) in enumerate(hostile())])
    write_comparison(paths, tmp_path / "out")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "window.pwned" in out.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["runs/a"], "a comparison needs two"),
        (["runs/a", "runs/a"], "the same run"),
        (["runs/a", "runs/a/record.json"], "the same run"),
        (["runs/a", "empty"], "holds no run"),
        (["runs/a", "nowhere"], "holds no record.json"),
        (["runs/a", "cut"], "truncated"),
        (["runs/a", "newer"], f"schema version 99, this privbench reads up to {SCHEMA_VERSION}"),
        (["runs/a", "other"], "cannot be compared"),
        (["runs", "--format", "pdf"], "unknown format 'pdf'"),
        (["runs", "--format", "htm"], "did you mean 'html'"),
        (["runs", "--out", "a-file"], "a-file"),
        (["runs", "-f", "md", "--out", "empty"], "Is a directory"),
    ],
)
def test_what_cannot_be_compared_is_said_in_two_lines(command, tmp_path, arguments, says):
    (a,) = write(tmp_path / "runs", [("a", audit("a"))])
    write(tmp_path / "runs", [("b", audit("b"))])
    text = (a / "record.json").read_text(encoding="utf-8")
    for name, content in (
        ("cut", text[: len(text) // 2]),
        ("newer", json.dumps({**json.loads(text), "schema_version": 99})),
        ("other", text.replace("brain-sim", "heart-sim").replace('"sha256":"0', '"sha256":"9')),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "record.json").write_text(content, encoding="utf-8")
    (tmp_path / "empty").mkdir()
    (tmp_path / "a-file").write_text("", encoding="utf-8")
    done = command("compare", *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in done.stderr.replace("\n", " ")
    assert len(done.stderr.splitlines()) <= 2
    assert "Traceback" not in done.stderr


def test_nothing_is_written_where_runs_are_refused(runs, tmp_path):
    with pytest.raises(BadInputError):
        write_comparison([runs / "ldm-0"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_help_teaches(command):
    text = command("compare", "--help", env={"COLUMNS": "100"}).stdout
    for word in ("privbench compare runs/", "same patients", "Exit codes", "--format", "--out"):
        assert word in text
