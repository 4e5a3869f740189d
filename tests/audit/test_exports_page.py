"""The page on several audits and exports: its commands are taken, its tables are the code's, its snippets run."""

import re
import runpy
import shlex
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from privbench.audit.cli import app
from privbench.audit.matrix import expand, parse_plugin
from privbench.audit.tracking import metrics_of, parameters_of, tags_of
from privbench.reports.csv import ESTIMATE, FINDING, RUN
from privbench.reports.csv import csv as write_csv
from privbench.reports.model_card import model_card

from ..reports.made_records import build

PAGE = (Path(__file__).parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_every_command_on_the_page_is_one():
    lines = [shlex.split(line, comments=True) for block in blocks("bash") for line in block.splitlines()]
    ours = [words[1:] for words in lines if words[0] == "privbench"]
    assert {words[0] for words in ours} == {"run", "report", "track"}
    for words in ours:
        help_of = CliRunner().invoke(app, [words[0], "--help"], terminal_width=200)
        for flag in (word for word in words if word.startswith("-")):
            assert re.search(rf"(^|[\s│]){re.escape(flag)}\b", help_of.stdout), (words[0], flag)


def test_the_file_on_the_page_asks_for_what_it_says():
    (text,) = blocks("toml")
    specs = expand(tomllib.loads(text))
    assert len(specs) == 3 * 2 * 3
    assert {spec.seed for spec in specs} == {0, 1, 2}
    assert parse_plugin("folder:path=a,b,size=64", "generator").options == {"path": "a,b", "size": "64"}


def test_every_column_of_the_csv_is_on_the_page():
    rows = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in PAGE.splitlines() if line.startswith("| `run`")]
    rows += [re.findall(r"`(\w+)`", line.split("|")[1]) for line in PAGE.splitlines() if line.startswith("| `kind`")]
    rows += [
        re.findall(r"`(\w+)`", line.split("|")[1]) for line in PAGE.splitlines() if line.startswith("| `estimate`")
    ]
    assert rows == [list(RUN), list(FINDING), list(ESTIMATE)]


def test_the_snippets_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "estimates.csv").write_text(write_csv(build(), None))
    (tmp_path / "README.md").write_text(model_card(build(), None))
    for number, text in enumerate(blocks("python")):
        (tmp_path / f"snippet{number}.py").write_text(text)
        runpy.run_path(str(tmp_path / f"snippet{number}.py"))
    said = capsys.readouterr().out
    assert "gan-leaks" in said
    assert "Membership AUC (gan-leaks) 0.541 0.462 0.618" in said


@pytest.mark.parametrize("name", ["membership/loss/tpr_fpr_0.1.high"])
def test_the_names_in_mlflow_are_those_on_the_page(name):
    assert name in PAGE
    assert name in metrics_of(build())
    assert {"generator", "generator.steps", "seed"} <= set(parameters_of(build()))
    for tag in tags_of(build()):
        assert tag in PAGE or tag.startswith("mlflow.")
