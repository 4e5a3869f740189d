"""Several audits from one command: checked together, run one by one, none stopped by another."""

import json

import pytest
import typer

from privbench.audit import runner
from privbench.audit.cli.several import audit_several
from privbench.audit.errors import BadInputError
from privbench.audit.matrix import expand
from privbench.audit.outputs import load_spec, run_name
from privbench.audit.runner import run as run_one
from privbench.audit.runs import load_record

from ..reports.made_records import build, passing

ALIKE = ("run", "-c", "example-blobs", "-a", "example-distance", "-m", "none", "--certificate", "none")
ASKED = {"cohort": "example-blobs", "attacks": ["example-distance"], "metrics": [], "certificate": "none"}


@pytest.fixture
def several(example, tmp_path):
    """Run several audits in this process, quietly, below a folder of their own."""

    def run(content, **changes):
        settings = {"out": tmp_path / "runs", "store": None, "json": False, "quiet": True, "debug": False}
        audit_several(expand(ASKED | content), **(settings | changes))

    return run


@pytest.fixture
def run_at_once(monkeypatch):
    """Every audit is finished without being run, and found nothing."""

    def run(spec, *, out, **_):
        record = passing(spec=spec)
        out.mkdir(parents=True)
        (out / "record.json").write_text(record.model_dump_json())
        return record

    monkeypatch.setattr(runner, "run", run)


def test_every_generator_and_seed_leaves_the_run_that_it_leaves_alone(command, example, tmp_path):
    done = command(
        *ALIKE, "-g", "example-mixture:leak=0.3", "-g", "example-few", "--repeat", 2, "--out", "all", site=example
    )
    assert done.returncode == 0, done.stderr
    assert "checking 4 audits" in done.stderr
    labels = [f"{name}, seed {seed}" for seed in (0, 1) for name in ("example-mixture", "example-few")]
    headlines = [line for line in done.stderr.splitlines() if line.startswith("[")]
    assert headlines == [f"[{i}/4] {label}" for i, label in enumerate(labels, 1)]
    lines = done.stdout.splitlines()[:4]
    (page,) = (tmp_path / "all").glob("comparison-*/comparison.html")
    assert str(page.parent.relative_to(tmp_path)) in done.stdout
    assert all(name in page.read_text() for name in ("example-mixture", "example-few"))
    assert all(label in line and line.startswith("fail ") for label, line in zip(labels, lines, strict=True))
    folders = sorted(path.parent for path in (tmp_path / "all").glob("*/record.json"))
    assert [tmp_path / line.split()[-1] for line in lines] == sorted(folders, key=lambda f: lines_index(lines, f))
    # each cohort was drawn once, although two audits rest on it and both were checked beforehand
    drawn = [file.read_text() for file in (tmp_path / "store").glob("cohort/*/computed.txt")]
    assert drawn == ["once\n"] * 2
    alone = run_one(specs_of("example-few", 1), out=tmp_path / "alone", store=tmp_path / "other")
    together = load_record(tmp_path / "all" / run_name(alone.spec))
    assert [f.estimates for f in together.findings] == [f.estimates for f in alone.findings]


def specs_of(generator, seed):
    return ASKED | {"generator": generator, "seed": seed}


def lines_index(lines, folder):
    return next(i for i, line in enumerate(lines) if line.endswith(folder.name))


def test_an_audit_that_stops_does_not_stop_the_others(command, example_site, tmp_path):
    done = command(
        *ALIKE,
        *("-g", "example-mixture:crash=true", "-g", "example-rote:least=500", "-g", "example-mixture:leak=0.3"),
        *("--json", "-q"),
        site=example_site,
    )
    assert done.returncode == 2, done.stderr  # something can be mended: the second wants more patients
    assert (
        "error: [1/3] example-mixture (leak=0.0, crash=True), seed 0 stopped: RuntimeError: out of luck" in done.stderr
    )
    assert "error: [2/3] example-rote, seed 0: generator 'example-rote': 40 patients" in done.stderr
    assert "Traceback" not in done.stderr
    (record,) = json.loads(done.stdout)
    assert record["spec"]["generator"]["options"]["leak"] == 0.3
    assert not list((tmp_path / "runs").glob("comparison*"))  # there is nothing to compare it with


def test_seeds_alone_are_not_compared(several, run_at_once, tmp_path, capsys):
    several({"generator": "example-mixture", "seeds": [0, 1]}, quiet=False)
    said = capsys.readouterr()
    assert "no comparison: all 2 runs are of one generator" in said.err
    assert "comparison" not in said.out
    assert not list((tmp_path / "runs").glob("comparison*"))


def test_a_comparison_that_breaks_loses_no_audit(several, run_at_once, monkeypatch, tmp_path, capsys):
    def breaks(_):
        raise RuntimeError("bad luck")

    monkeypatch.setattr("privbench.audit.comparison.compare", breaks)
    with pytest.raises(typer.Exit) as caught:
        several({"generators": ["example-mixture", "example-few"]})
    assert caught.value.exit_code == 4
    assert "no comparison: RuntimeError: bad luck" in capsys.readouterr().err
    assert len(list((tmp_path / "runs").glob("*/record.json"))) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"generators": ["copycat", "copycta"]}, "unknown generator 'copycta'; did you mean 'copycat'?"),
        ({"generators": ["copycat", "dfgm:epsilon=3"]}, "generator 'dfgm': no option 'epsilon'"),
        ({"generators": ["copycat", "copycat:leak=0.2"]}, "generator 'copycat' with seed 0 is asked for twice"),
        ({"generators": ["copycat", "example-few"], "attacks": ["secmy"]}, "unknown attack 'secmy'"),
    ],
)
def test_what_is_wrong_with_any_of_them_is_said_before_the_first_trains(several, tmp_path, content, message):
    with pytest.raises(BadInputError) as caught:
        several(content)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2
    assert not (tmp_path / "store").exists()
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-g", "copycat", "--repeat", "0"), "repeat=0 is not a number of seeds"),
        (("-g", "copycat", "-g", "dp-ldm:epsilon"), "'epsilon' has no value"),
        (("-g", "copycat", "-g", "fresh", "--generator-opt", "leak=1"), "could be meant for copycat or fresh"),
        (("-g", "dfgm", "--guard", "none:quantile=0.1"), "guard 'none' has no option 'quantile'"),
        (("--spec", "matrix.toml"), "no key 'generatrs'; did you mean 'generators'?"),
    ],
)
def test_on_the_command_line_it_is_exit_code_2(command, tmp_path, arguments, message):
    (tmp_path / "matrix.toml").write_text('generatrs = ["dfgm", "ldm"]\n')
    done = command("run", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2


def test_the_folder_of_one_audit_holds_no_others(several, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "spec.json").touch()
    with pytest.raises(BadInputError, match="is the run folder of one audit"):
        several({"generators": ["copycat", "example-few"]}, out=tmp_path / "one")


def test_the_folder_around_others_is_not_the_run_folder_of_one(example, tmp_path):
    (tmp_path / "runs" / "one").mkdir(parents=True)
    (tmp_path / "runs" / "one" / "spec.json").touch()
    (spec,) = expand(ASKED | {"generator": "copycat"})
    with pytest.raises(BadInputError, match="is a folder around other runs") as error:
        run_one(spec, out=tmp_path / "runs")
    assert len(str(error.value).splitlines()) == 2
    assert not (tmp_path / "runs" / "spec.json").exists()


def test_a_cohort_that_lacks_what_the_last_one_needs_stops_them_all(several, tmp_path):
    with pytest.raises(BadInputError, match="generator 'dfgm' needs lesion masks"):
        several({"generators": ["example-mixture", "dfgm"]})
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "store" / "samples").exists()


def test_who_breaks_off_may_go_on(several, monkeypatch, capsys):
    def run(spec, **_):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run", run)
    with pytest.raises(typer.Exit) as caught:
        several({"generator": "example-mixture", "repeat": 2})
    assert caught.value.exit_code == 130
    assert "the same command continues where it was" in capsys.readouterr().err


def test_a_failed_plugin_in_one_of_them_is_exit_code_4(several, monkeypatch):
    monkeypatch.setattr(runner, "run", lambda spec, **_: build(spec=spec))  # in which domias broke
    with pytest.raises(typer.Exit) as caught:
        several({"generator": "example-mixture", "seeds": [0, 3]})
    assert caught.value.exit_code == 4


def test_processes_that_train_together_are_for_one_audit(several, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(BadInputError, match="start them one by one"):
        several({"generator": "example-mixture", "repeat": 2})


def test_a_file_that_asks_for_several_is_no_audit_to_train_shadow_models_of(tmp_path):
    (tmp_path / "audit.toml").write_text('generators = ["ldm", "dfgm"]\n')
    with pytest.raises(BadInputError, match="asks for 2 audits\ngive the run folder of one"):
        load_spec(tmp_path / "audit.toml")
