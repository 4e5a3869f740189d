"""What MLflow is told of an audit, and what it never is."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from privbench.audit import runner, tracking
from privbench.audit.cli import run as command_run
from privbench.audit.errors import BadInputError
from privbench.audit.tracking import TrackingError, fingerprint_of, metrics_of, open_tracker, parameters_of

from ..reports.made_hostile import build_hostile
from ..reports.made_records import build

mlflow = pytest.importorskip("mlflow", reason="the extra mlflow is not installed")


@pytest.fixture(autouse=True)
def local(tmp_path, monkeypatch):
    """No store of the user's, and the environment as it was afterwards."""
    for name in [*os.environ]:
        if name.startswith("MLFLOW_"):
            monkeypatch.delenv(name)
    for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "MLFLOW_ALLOW_FILE_STORE"):
        monkeypatch.setenv(name, "true")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folder(tmp_path):
    """A run folder with more in it than anybody may see."""
    record, run = build(), tmp_path / "runs" / "one"
    for name in ("confidential/loss.csv", "samples/images/000000.png", "gallery/gallery.json", "report.html"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text("x")
    (run / "record.json").write_text(record.model_dump_json())
    return run


def runs_in(tracker):
    return tracker.client.search_runs([tracker.experiment])


def test_an_audit_is_logged_with_its_verdict_and_without_anything_confidential(folder):
    record, tracker = build(), open_tracker()
    assert tracker.log(record, folder)
    (run,) = runs_in(tracker)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "dfgm, seed 0"
    assert (run.info.end_time - run.info.start_time) / 1000 == record.provenance.seconds
    assert run.data.tags["privbench.verdict"] == "fail"
    assert run.data.params["generator"] == "dfgm"
    assert run.data.params["generator.steps"] == "2000"
    assert run.data.params["seed"] == "0"
    copied = record.finding("nearest").estimate("copied_share")
    stem = "memorization/nearest/copied_share"
    told = {key.removeprefix(stem): v for key, v in run.data.metrics.items() if re.match(rf"{stem}(\.|$)", key)}
    assert told == {
        "": copied.value,
        ".low": copied.low,
        ".high": copied.high,
        ".detectable": copied.detectable,
    }
    assert {a.path for a in tracker.client.list_artifacts(run.info.run_id)} == {"record.json", "report.html"}
    kept = [file.name for file in (folder.parent.parent / "mlruns").rglob("*") if file.is_file()]
    assert not {"loss.csv", "000000.png", "gallery.json"} & set(kept)


def test_the_same_result_is_logged_once_and_another_again(folder):
    tracker, record = open_tracker(), build()
    later = record.provenance.model_copy(update={"started": "2027-01-01T00:00:00+00:00", "seconds": 3.0})
    assert tracker.log(record, folder)
    assert not open_tracker().log(record.model_copy(update={"provenance": later}), folder)
    assert len(runs_in(tracker)) == 1
    assert tracker.log(build(access="WEIGHTS"), folder)
    assert len(runs_in(tracker)) == 2


def test_last_digits_make_no_other_result():
    record = build()
    nearest = record.finding("nearest")
    moved = nearest.estimates[0].model_copy(update={"value": nearest.estimates[0].value * (1 + 1e-14)})
    changed = nearest.model_copy(update={"estimates": (moved, *nearest.estimates[1:]), "seconds": 99.0})
    others = tuple(changed if f is nearest else f for f in record.findings)
    assert fingerprint_of(record.model_copy(update={"findings": others})) == fingerprint_of(record)


def test_what_could_not_be_measured_is_no_metric():
    record = build()
    unmeasured = [f for f in record.findings if f.status != "ok"]
    assert {f.status for f in unmeasured} == {"error", "invalid", "skipped"}
    assert not [key for key in metrics_of(record) for f in unmeasured if f"/{f.plugin}/" in key]
    loss = record.finding("loss")
    blank = loss.model_copy(update={"estimates": (loss.estimates[0].model_copy(update={"value": None}),)})
    assert metrics_of(record.model_copy(update={"findings": (blank,)})) == {}


def test_names_are_such_as_every_store_takes():
    record = build_hostile()
    given, found = parameters_of(record), metrics_of(record)
    for name in [*given, *found]:
        assert re.fullmatch(r"[A-Za-z0-9_.\- ]+(/[A-Za-z0-9_.\- ]+)*", name), name
        assert len(name) <= 250
        assert not {"", ".", ".."} & set(name.split("/"))
    assert all(len(value) <= 6000 for value in given.values())
    assert open_tracker().log(record, Path("nowhere"))


def test_two_names_that_come_to_one_are_told_apart():
    loss = build().finding("loss")
    pair = tuple(loss.estimates[0].model_copy(update={"group": group}) for group in ("a:b", "a;b"))
    found = metrics_of(build(findings=(loss.model_copy(update={"estimates": pair}),)))
    assert {key for key in found if not key.endswith(("low", "high", "detectable", "-2"))} == {
        "membership/loss/auc a_b"
    }
    assert "membership/loss/auc a_b-2" in found


def test_a_store_that_fails_loses_nothing_and_is_tried_again(folder, monkeypatch):
    tracker, record = open_tracker(), build()
    with monkeypatch.context() as patched:

        def full(*_):
            raise OSError("No space left on device\nmore")

        patched.setattr(type(tracker.client), "log_artifact", full)
        with pytest.raises(TrackingError, match=r"^No space left on device$"):
            tracker.log(record, folder)
    assert [run.info.status for run in runs_in(tracker)] == ["FAILED"]
    assert tracker.log(record, folder)
    assert sorted(run.info.status for run in runs_in(tracker)) == ["FAILED", "FINISHED"]


def test_no_mlflow_is_said_before_anything_is_trained(monkeypatch):
    monkeypatch.setattr(tracking, "find_spec", lambda _: None)
    monkeypatch.setattr(runner, "run", lambda *_, **__: pytest.fail("it trained"))
    with pytest.raises(BadInputError, match=r"pip install 'privbench\[mlflow\]'"):
        command_run.run(generator=["copycat"], track=command_run.TrackedBy.MLFLOW)


def test_a_store_that_cannot_be_opened_is_said_with_what_would_do(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "ftp://example.invalid/x")
    with pytest.raises(BadInputError, match="cannot be opened") as caught:
        open_tracker()
    assert "MLFLOW_TRACKING_URI" in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


def test_an_experiment_that_is_deleted_is_said_before_anything_is_trained():
    tracker = open_tracker()
    tracker.client.delete_experiment(tracker.experiment)
    with pytest.raises(BadInputError, match="experiment 'privbench' is deleted there"):
        open_tracker()


def test_the_experiment_is_the_one_that_the_environment_names(monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "hospital")
    named = open_tracker()
    assert named.client.get_experiment(named.experiment).name == "hospital"
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", named.experiment)
    assert open_tracker().experiment == named.experiment


def test_two_processes_that_make_the_experiment_at_once_share_it(monkeypatch):
    first = open_tracker()
    client = type(first.client)
    seen = iter([None])  # as it was before the other made it
    real = client.get_experiment_by_name
    monkeypatch.setattr(client, "get_experiment_by_name", lambda self, name: next(seen, real(self, name)))
    assert open_tracker().experiment == first.experiment


def test_a_local_store_is_filled_without_a_connection(folder):
    """In a process of its own, in which MLflow takes itself for at home: neither a test nor CI."""
    code = (
        "import sys\n"
        "def watch(event, arguments):\n"
        "    if event in {'socket.connect', 'socket.getaddrinfo', 'socket.sendto', 'socket.sendmsg'}:\n"
        "        print(event, arguments); sys.stdout.flush(); import os; os._exit(9)\n"
        "sys.addaudithook(watch)\n"
        "from privbench.audit.cli import main\n"
        "sys.argv = ['privbench', 'track', 'runs']\n"
        "main()\n"
    )
    told = ("PATH", "HOME", "PYTHONPATH", "PRIVBENCH_STORE", "LANG")
    bare = {name: os.environ[name] for name in told if name in os.environ}
    cwd = folder.parent.parent
    first, again = (
        subprocess.run([sys.executable, "-c", code], cwd=cwd, env=bare, capture_output=True, text=True, check=False)
        for _ in range(2)
    )
    assert first.returncode == 0, first.stdout + first.stderr
    assert "logged to file://" in first.stderr
    assert "is logged already" in again.stderr
    assert len(runs_in(open_tracker())) == 1


def test_a_run_is_logged_while_it_is_at_it(command, example_site, tmp_path):
    done = command(
        *("run", "-c", "example-blobs", "-a", "example-distance", "-m", "none", "--certificate", "none"),
        *("-g", "example-mixture:leak=0.3", "--track", "mlflow", "--json", "-q"),
        site=example_site,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (run,) = runs_in(open_tracker())
    verdict = json.loads(done.stdout)["verdict"]["outcome"]
    assert run.data.tags["privbench.verdict"] == verdict
    nowhere = command("track", "runs", "nowhere")
    assert nowhere.returncode == 2
    assert "'nowhere' is not a folder" in nowhere.stderr
