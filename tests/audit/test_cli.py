"""The command line as a user meets it: installed, in its own process."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

RUN = ("run", "-c", "example-blobs", "-g", "example-mixture", "-a", "example-distance", "-m", "none")


def test_a_run_prints_results_on_stdout_and_messages_on_stderr(command, example_site):
    done = command(*RUN, "--generator-opt", "leak=0.3", site=example_site)
    assert done.returncode == 0, done.stderr
    assert "copied_share" in done.stdout
    assert "verdict: FAIL" in done.stdout
    assert "report.html" in done.stdout
    assert "attack example-distance" in done.stderr
    quiet = command(*RUN, "--generator-opt", "leak=0.3", "--quiet", "--json", site=example_site)
    assert quiet.stderr == ""
    assert json.loads(quiet.stdout)["verdict"]["outcome"] == "fail"


def test_exit_codes_tell_bad_input_from_failed_plugins(command, example_site):
    bad = command("run", "-g", "copycta")
    assert bad.returncode == 2
    assert bad.stderr.startswith("error: unknown generator 'copycta'; did you mean 'copycat'?")
    broken = command(*RUN, "-a", "example-broken", site=example_site)
    assert broken.returncode == 4
    assert "error: RuntimeError: this attack is broken" in " ".join(broken.stdout.split())
    crashed = command(*RUN, "--generator-opt", "crash=true", site=example_site)
    assert crashed.returncode == 4
    assert "out of luck" in crashed.stderr
    assert "Traceback" not in crashed.stderr
    debug = command(*RUN, "--generator-opt", "crash=true", "--debug", site=example_site)
    assert "Traceback" in debug.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run",), "'generator' is missing"),
        (("run", "-g", "copycat", "--attack", "secmy"), "unknown attack 'secmy'"),
        (("run", "-g", "copycat", "--generator-opt", "leak=2"), "option leak='2'"),
        (("run", "-g", "copycat", "--cohort-opt", "sise=64"), "no option 'sise'; did you mean 'size'?"),
        (("run", "-g", "copycat", "--spec", "none.toml"), "spec 'none.toml' cannot be read"),
        (("show", "copycta"), "unknown plugin 'copycta'; did you mean 'copycat'?"),
        (("list", "atacks"), "unknown kind 'atacks'"),
        (("report", "nowhere"), "'nowhere' holds no record.json"),
        (("run", "-g", "copycat", "--device", "cuda"), "device 'cuda'"),
    ],
)
def test_bad_input_is_two_lines_at_most_and_exits_with_2(command, arguments, message):
    done = command(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
    assert "Traceback" not in done.stderr


def test_a_spec_file_does_what_the_flags_do(command, example_site, tmp_path):
    (tmp_path / "audit.toml").write_text(
        'cohort = "example-blobs"\nattacks = ["example-distance"]\nmetrics = []\n'
        '[generator]\nname = "example-mixture"\n[generator.options]\nleak = 0.3\n'
    )
    done = command("run", "--spec", "audit.toml", "--out", "a", "--json", "-q", site=example_site)
    flags = command(*RUN, "--generator-opt", "leak=0.3", "--out", "b", "--json", "-q", site=example_site)
    assert json.loads(done.stdout)["findings"] == json.loads(flags.stdout)["findings"]


def test_a_killed_run_continues_and_ends_as_an_undisturbed_one(example_site, tmp_path, command):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(example_site), os.environ.get("PYTHONPATH", "")])}
    call = [sys.executable, "-c", "from privbench.audit.cli import main; main()", *RUN, "--out", "run"]
    for seconds in (0.6, 1.2, 1.6):
        process = subprocess.Popen(
            call, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = command(*RUN, "--out", "run", "--json", "-q", site=example_site)
    other = tmp_path / "elsewhere"
    undisturbed = command(*RUN, "--out", "b", "--json", "-q", "--store", other, site=example_site)
    assert done.returncode == 0, done.stderr
    results = [[f["estimates"] for f in json.loads(text)["findings"]] for text in (done.stdout, undisturbed.stdout)]
    assert results[0] == results[1]


def test_list_and_show_teach(command, example_site):
    listed = command("list", site=example_site).stdout
    for name in ("brain-sim", "dfgm", "gan-leaks", "dice", "html", "example-distance"):
        assert name in listed
    shown = command("show", "copycat").stdout
    assert "leak" in shown
    assert "0.2" in shown
    entries = json.loads(command("list", "attack", "--json").stdout)
    assert {"nearest", "gan-leaks", "loss", "siamese"} <= {entry["name"] for entry in entries}


def test_reports_come_in_every_format(command, example_site, tmp_path):
    command(*RUN, "--out", "run", site=example_site)
    for form, start in (("md", "#"), ("json", "{"), ("junit", "<testsuites>"), ("html", "<!doctype html>")):
        done = command("report", "run", "--format", form, site=example_site)
        assert done.returncode == 0, done.stderr
        assert done.stdout.lstrip().lower().startswith(start)
    written = command("report", "run", "-f", "example-lines", "--out", "lines.txt", site=example_site)
    assert written.returncode == 0
    assert (tmp_path / "lines.txt").read_text().endswith("shift: ok\nexample-distance: ok")


def test_doctor_says_what_is_missing_and_how_to_get_it(command):
    done = command("doctor", env={"TORCH_HOME": "/nonexistent"})
    assert done.returncode == 0, done.stderr
    assert "Inception weights (fid)    missing: place them at /nonexistent/hub" in done.stdout
    assert "torch" in done.stdout


def test_help_needs_no_heavy_library(command):
    heavy = ("torch", "scipy", "numpy", "pydantic")
    code = f"import sys; from privbench.audit.cli import app; print([m for m in sys.modules if m in {heavy}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    helped = command("run", "--help")
    assert helped.returncode == 0
    assert "--generator-opt" in helped.stdout


def test_a_finished_run_is_certified_and_says_so(command, example_site, tmp_path):
    command(*RUN, "--out", "run", "--certificate", "none", site=example_site)
    before = json.loads((tmp_path / "run" / "record.json").read_text())
    assert "detectable_share" not in json.dumps(before)
    done = command("certify", "run", "--depth", "light", site=example_site)
    assert done.returncode == 0, done.stderr
    assert "smallest leak found" in done.stdout
    after = json.loads((tmp_path / "run" / "record.json").read_text())
    assert after["spec"]["certificate"] == "light"
    assert "detectable_share" in json.dumps(after)


def test_what_is_no_run_cannot_be_certified(command, tmp_path):
    done = command("certify", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "holds no record.json" in done.stderr
