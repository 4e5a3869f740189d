"""What CI systems are given is valid by their schemas, and does what it says when its steps are really run."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

ROOT = Path(__file__).parent.parent
RECORDS = Path(__file__).parent / "records"
ACTION = ROOT / "action.yml"
FAILED = RECORDS / "v5.json"


@pytest.mark.parametrize(
    ("file", "schema"),
    [
        (ACTION, "github-actions"),
        (ROOT / "docs/ci/privbench.yml", "github-workflows"),
        (ROOT / "docs/ci/gitlab-ci.yml", "gitlab-ci"),
    ],
    ids=["action", "workflow", "gitlab"],
)
def test_a_ci_file_is_valid_by_its_schema(file, schema):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(file)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_schemas_find_mistakes(tmp_path):
    wrong = yaml.safe_load(ACTION.read_text())
    wrong["runs"]["steps"][0]["shel"] = "bash"
    (tmp_path / "action.yml").write_text(yaml.safe_dump(wrong))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-actions"]
    found = subprocess.run([*command, tmp_path / "action.yml"], capture_output=True, check=False)
    assert found.returncode == 1


def steps():
    return yaml.safe_load(ACTION.read_text())["runs"]["steps"]


def test_no_input_becomes_part_of_a_script():
    for step in steps():
        assert "${{" not in step["run"], step["name"]


def test_what_the_gate_is_installed_with_is_what_the_package_asks_for():
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    asked = [line for line in needed if line.partition(">")[0] in {"pydantic", "rich", "typer"}]
    assert len(asked) == 3
    for file in (ACTION, ROOT / "docs/ci/gitlab-ci.yml"):
        for requirement in asked:
            assert f'"{requirement}"' in file.read_text(), file


@pytest.fixture
def shell(tmp_path):
    """Run a script as a runner would, with ``privbench`` on the path; afterwards see what it left."""
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin" / "privbench"
    program = "from privbench.audit.cli import main; main()"
    shim.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{program}' \"$@\"\n")
    shim.chmod(0o755)
    (tmp_path / "temp").mkdir()
    environment = dict(os.environ) | {
        "PATH": f"{shim.parent}{os.pathsep}{os.environ['PATH']}",
        "RUNNER_TEMP": str(tmp_path / "temp"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }

    def run(script, **inputs):
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        return subprocess.run(
            command, cwd=tmp_path, env=environment | inputs, capture_output=True, text=True, check=False
        )

    return run


def judge(shell, run, policy="", baseline="", summary="true"):
    (step,) = [step for step in steps() if step.get("id") == "gate"]
    assert set(step["env"]) == {"RUN", "POLICY", "BASELINE", "SUMMARY", "INSTALL"}
    return shell(step["run"], INSTALL="none", RUN=str(run), POLICY=str(policy), BASELINE=str(baseline), SUMMARY=summary)


def outputs(tmp_path):
    return dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())


def test_the_action_judges_writes_the_summary_and_keeps_the_exit_code(tmp_path, shell):
    found = judge(shell, FAILED)
    assert (found.returncode, found.stderr) == (1, "")
    assert "FAIL: a rule failed" in found.stdout
    assert "## Privacy gate: FAIL" in (tmp_path / "summary.md").read_text()
    said = outputs(tmp_path)
    assert (said["verdict"], said["exit-code"]) == ("fail", "1")
    assert ET.parse(said["junit"]).find("testsuite").get("failures") == "2"
    assert {file.name for file in Path(said["folder"]).iterdir()} == {"gate.md", "gate.xml", "gate.json"}
    assert set(yaml.safe_load(ACTION.read_text())["outputs"]) == set(said)


def test_the_action_takes_a_policy_and_a_baseline_and_can_leave_the_summary_alone(tmp_path, shell):
    policy = tmp_path / "my policy.toml"
    policy.write_text(
        'version = 1\ntested = []\nexact_copies = "reported"\nguard = "reported"\n'
        '[[rule]]\nestimate = "memorization.example-distance.copied_share"\nmax_regression = 0.1\nby = "value"\n'
    )
    found = judge(shell, FAILED, policy, FAILED, summary="false")
    assert found.returncode == 4, "a plugin of that run failed"
    assert "worse by 0.000" in found.stdout
    assert not (tmp_path / "summary.md").exists()
    assert outputs(tmp_path)["verdict"] == "broken"


@pytest.mark.parametrize("hostile", ["$(touch pwned)", "; touch pwned", "--help"])
@pytest.mark.parametrize("place", ["run", "policy", "baseline"])
def test_what_a_workflow_passes_in_is_never_run(tmp_path, shell, hostile, place):
    found = judge(shell, **({"run": FAILED} | {place: hostile}))
    assert found.returncode == 2, found.stdout
    assert not (tmp_path / "pwned").exists()
    assert outputs(tmp_path) == {"verdict": "bad-input", "exit-code": "2"}
    assert "nothing was judged" in (tmp_path / "summary.md").read_text()


def test_a_record_gives_the_runner_no_commands(tmp_path, shell):
    """GitHub obeys a line that begins with two colons, unless told not to until a word that nobody can guess."""
    record = json.loads(FAILED.read_text())
    record["spec"]["generator"]["name"] = "::add-mask::privacy"
    (tmp_path / "r.json").write_text(json.dumps(record))
    lines = judge(shell, tmp_path / "r.json").stdout.splitlines()
    stopped, word = lines[0].rsplit("::", 1)
    assert (stopped, lines[-1]) == ("::stop-commands", f"::{word}::")
    assert any(line.startswith("::add-mask") for line in lines[1:-1])


def test_the_installed_gate_is_called_where_it_lies(tmp_path, shell):
    """On the path of later steps its Python would hide the workflow's own."""
    install, step = steps()
    assert "GITHUB_PATH" not in install["run"]
    (tmp_path / "temp/privbench/bin").mkdir(parents=True)
    (tmp_path / "bin/privbench").rename(tmp_path / "temp/privbench/bin/privbench")
    assert shell(step["run"], INSTALL="gate", RUN=str(FAILED), POLICY="", BASELINE="", SUMMARY="false").returncode == 1


def test_the_example_workflow_passes_what_the_action_takes():
    action = yaml.safe_load(ACTION.read_text())
    jobs = yaml.safe_load((ROOT / "docs/ci/privbench.yml").read_text())["jobs"]
    (step,) = [step for step in jobs["gate"]["steps"] if "privbench@" in step.get("uses", "")]
    assert set(step["with"]) <= set(action["inputs"])
    assert {name for name, facts in action["inputs"].items() if facts.get("required")} <= set(step["with"])
    kept = next(step for step in jobs["gate"]["steps"] if step.get("name") == "Keep the verdict")
    assert "steps.gate.outputs.folder" in kept["with"]["path"]


@pytest.fixture
def gitlab(tmp_path):
    """The job that judges, with the files that it expects beside it."""
    (tmp_path / "runs" / "candidate").mkdir(parents=True)
    shutil.copy(FAILED, tmp_path / "runs" / "candidate" / "record.json")
    shutil.copy(FAILED, tmp_path / "baseline.json")
    shutil.copy(ROOT / "audit" / "policy.toml", tmp_path / "policy.toml")
    return yaml.safe_load((ROOT / "docs/ci/gitlab-ci.yml").read_text())["privacy-gate"]


def test_the_gitlab_job_judges_and_leaves_its_reports(tmp_path, shell, gitlab):
    assert shell("\n".join(gitlab["script"])).returncode == 1
    assert shell("\n".join(gitlab["after_script"])).returncode == 0
    assert ET.parse(tmp_path / gitlab["artifacts"]["reports"]["junit"]).find("testsuite").get("failures") == "2"
    assert "Privacy gate: FAIL" in (tmp_path / gitlab["artifacts"]["paths"][0]).read_text()


def test_nothing_confidential_is_uploaded():
    jobs = yaml.safe_load((ROOT / "docs/ci/privbench.yml").read_text())["jobs"]
    uploads = [
        s["with"]["path"] for job in jobs.values() for s in job["steps"] if "upload-artifact" in s.get("uses", "")
    ]
    paths = yaml.safe_load((ROOT / "docs/ci/gitlab-ci.yml").read_text())["privacy-audit"]["artifacts"]["paths"]
    for path in [*paths, *"\n".join(uploads).split()]:
        assert path.endswith(("record.json", "report.html", "}}", "steps.gate.outputs.folder", "${{")), path


@pytest.mark.parametrize("file", ["docs/ci.md", "docs/ci/privbench.yml", "docs/ci/gitlab-ci.yml", "action.yml"])
def test_every_flag_that_is_shown_exists(command, file):
    shown = re.findall(
        r"privbench (gate|policy init|policy check|baseline update|run) ([^`\n]*)", (ROOT / file).read_text()
    )
    assert shown
    for name in {name for name, _ in shown}:
        known = command(*name.split(), "--help", env={"COLUMNS": "200"}).stdout
        for _, rest in (pair for pair in shown if pair[0] == name):
            for flag in re.findall(r"--[a-z][a-z-]+", rest):
                assert flag in known, f"{name} {flag}"


def test_the_policy_in_the_docs_is_one():
    from privbench.audit.estimates import check_names
    from privbench.audit.policy import parse_policy

    (text,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/ci.md").read_text(), re.DOTALL)
    check_names(parse_policy(text, "docs/ci.md"), None, "docs/ci.md")
