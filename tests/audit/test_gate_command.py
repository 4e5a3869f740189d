"""``privbench gate`` for a shell: exit codes, formats, bad input, and no weight."""

import json
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from privbench.audit.gated import Gated, judged, why_of
from privbench.audit.policy import DEFAULT, default_policy
from privbench.audit.record import SCHEMA_VERSION, PluginSpec

from .made_audits import FAILED, RECORDS, auc, audit, finding, write

ORDERS = "\x1b[2J\x1b]0;x\x07\u202e\nPASS: every rule passes (exit code 0)"
HOSTILE = "<script>alert(1)</script> [bold]x[/bold] |@all| `id`"


@pytest.fixture
def run(tmp_path):
    """An audit that passes, in a run folder."""
    (tmp_path / "run").mkdir()
    write(tmp_path / "run" / "record.json", audit())
    return tmp_path / "run"


@pytest.fixture
def hostile(tmp_path):
    """Names and reasons that want to be more than text."""
    leak = finding("gan-leaks", "membership", auc(0.8))
    broken = finding(HOSTILE, "membership", status="error", reason=f"{HOSTILE}\x07\n{HOSTILE}")
    record = audit(**{"gan-leaks": leak, "hostile": broken})
    spec = record.spec.model_copy(update={"generator": record.spec.generator.model_copy(update={"name": HOSTILE})})
    return write(tmp_path / "hostile.json", record.model_copy(update={"spec": spec}))


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({}, 0, "PASS: every rule passes (exit code 0)"),
        ({"gan-leaks": finding("gan-leaks", "membership", auc(0.8))}, 1, "FAIL: a rule failed (exit code 1)"),
        ({"siamese": None}, 3, "INCONCLUSIVE: no rule failed, but not every rule could be decided (exit code 3)"),
        ({"fid": finding("fid", "utility", status="error", reason="crash")}, 4, "BROKEN: a plugin failed"),
    ],
)
def test_the_exit_code_says_what_the_last_line_says(tmp_path, command, changes, code, said):
    found = command("gate", write(tmp_path / "r.json", audit(**changes)))
    assert (found.returncode, said in found.stdout, found.stderr) == (code, True, "")


def test_eighty_columns_are_enough(command):
    found = command("gate", FAILED, env={"COLUMNS": "80"})
    assert max(map(len, found.stdout.splitlines())) <= 80
    assert "0.531 [0.364, 0.691], allowed: at most 0.02" in found.stdout


def test_json_is_the_whole_judgement(run, command):
    found = command("gate", run, "--format", "json")
    gated = Gated.model_validate_json(found.stdout)
    assert (gated.exit_code, gated.policy, gated.word) == (0, default_policy(), "PASS")
    assert gated == judged(run)
    assert all(len(source.sha256) == 64 for source in (gated.run, gated.policy_file))


@pytest.mark.parametrize("form", ["md", "junit", "json", "terminal"])
def test_a_file_holds_what_standard_output_would_and_the_exit_code_stays(tmp_path, command, form):
    printed = command("gate", FAILED, "--format", form, env={"COLUMNS": "80"})
    written = command("gate", FAILED, "--format", form, "--out", "deep/verdict")
    assert (printed.returncode, written.returncode, written.stdout) == (1, 1, "")
    assert (tmp_path / "deep/verdict").read_text() == printed.stdout
    assert "wrote deep/verdict" in written.stderr


@pytest.mark.parametrize("place", ["run", "policy", "baseline"])
def test_what_the_gate_reads_is_never_overwritten(tmp_path, run, command, place):
    (tmp_path / "p.toml").write_text(DEFAULT.read_text())
    files = {"run": run / "record.json", "policy": tmp_path / "p.toml", "baseline": write(tmp_path / "b.json", audit())}
    before = files[place].read_bytes()
    given = ("--policy", files["policy"], "--baseline", files["baseline"], "--format", "md")
    found = command("gate", run, *given, "--out", files[place])
    assert (found.returncode, "would be overwritten" in found.stderr) == (2, True)
    assert files[place].read_bytes() == before


def test_junit_counts_what_failed_and_what_is_open(command):
    root = ET.fromstring(command("gate", FAILED, "--format", "junit").stdout)
    suite = root.find("testsuite")
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("11", "2", "4")
    copied = cases["memorization.example-distance.copied_share"].find("failure")
    assert copied.get("message") == "0.531 [0.364, 0.691], allowed: at most 0.02"
    assert copied.text.endswith("policy: at most 2% of released images may lie closer to a member than strangers do")
    assert cases["membership.example-broken"].find("error").get("type") in {"inconclusive", "error"}
    assert cases["validity.shift"].find("failure") is None


def test_markdown_shows_what_decides_and_folds_the_rest(run, command):
    failed = command("gate", FAILED, "--format", "md").stdout
    shown, _, folded = failed.partition("<details>")
    assert "Privacy gate: FAIL" in shown
    assert "failed plugin" in shown
    assert "copied\\_share | 0.531 | 0.364 to 0.691 | 0.02 |" in shown
    assert "validity.shift" not in shown
    assert "validity.shift" in folded
    assert "SHA-256" in folded
    passed = command("gate", run, "--format", "md").stdout
    assert "7 rules pass" not in passed.partition("<details>")[0]
    assert len(failed) < 20_000


def test_a_terminal_obeys_nothing_that_stands_in_a_record(tmp_path, run, command):
    leak = finding("gan-leaks", "membership", auc(0.8))
    broken = finding(f"x{ORDERS}", "membership", status="error", reason=ORDERS)
    record = audit(**{"gan-leaks": leak, "x": broken})
    spec = record.spec.model_copy(update={"generator": PluginSpec(name=ORDERS)})
    bad = write(tmp_path / "bad.json", record.model_copy(update={"spec": spec}))
    (tmp_path / "p.toml").write_text(DEFAULT.read_text().replace("AUC of", "AUC\\u001b[1m\\u000aPASS: of"))
    said = [command("gate", bad, "--policy", "p.toml", "--format", form).stdout for form in ("terminal", "md")]
    kept = ("baseline", "update", bad, "--by", "A. Ito", "--why", ORDERS, "--force")
    for text in (*said, command(*kept).stdout, command("gate", run, "--policy", ORDERS.replace("\n", "")).stderr):
        assert not any(line.startswith("PASS") for line in text.split("\n"))
        assert all(line.isprintable() for line in text.split("\n"))


def test_text_from_a_record_stays_text(hostile, command):
    page = command("gate", hostile, "--format", "md").stdout
    assert "<script>" not in page
    assert "|@all|" not in page
    assert "`id`" not in page.replace("\\`id\\`", "")
    root = ET.fromstring(command("gate", hostile, "--format", "junit").stdout)
    assert HOSTILE in root.find("testsuite").get("name")
    shown = " ".join(command("gate", hostile).stdout.split())
    assert "[bold]x[/bold]" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gate", "nowhere"], "holds no record.json"),
        (["gate", "empty"], "holds no record.json"),
        (["gate", "cut.json"], "truncated or not JSON"),
        (["gate", "newer.json"], f"has schema version 99, this privbench reads up to {SCHEMA_VERSION}"),
        (["gate", "run", "--policy", "none.toml"], "policy 'none.toml' cannot be read"),
        (["gate", "run", "--policy", "bad.toml"], "rule 1 (membership.*.auk): no estimate 'auk'; did you mean 'auc'?"),
        (["gate", "run", "--baseline", "none.json"], "baseline 'none.json' cannot be read"),
        (["gate", "run", "--baseline", "newer.json"], "has schema version 99"),
        (["gate", "run", "--baseline", "other.json"], "the baseline is of another cohort or split: 'holdout'"),
        (["gate", "run", "--format", "json", "--out", "empty"], "'empty' cannot be written: Is a directory"),
        (["policy", "init", "--out", "bad.toml"], "'bad.toml' exists already"),
        (["policy", "check", "bad.toml"], "did you mean 'auc'?"),
    ],
)
def test_bad_input_is_two_lines_and_exit_code_two(tmp_path, run, command, arguments, said):
    text = FAILED.read_text()
    (tmp_path / "empty").mkdir()
    (tmp_path / "cut.json").write_text(text[:1000])
    (tmp_path / "newer.json").write_text(json.dumps(json.loads(text) | {"schema_version": 99, "novel": 1}))
    (tmp_path / "bad.toml").write_text('version = 1\n[[rule]]\nestimate = "membership.*.auk"\nmax = 1\n')
    write(tmp_path / "other.json", audit(data={"holdout": {"sha256": "f" * 64}}))
    found = command(*arguments)
    assert (found.returncode, found.stdout) == (2, "")
    assert said in found.stderr
    assert found.stderr.count("\n") <= 2
    assert "Traceback" not in found.stderr


def test_policy_init_writes_what_the_gate_judges_by_anyway(tmp_path, command, run):
    assert command("policy", "init").returncode == 0
    assert (tmp_path / "policy.toml").read_text() == DEFAULT.read_text()
    assert "4 limits, 0 on regressions" in command("policy", "check", "policy.toml", "--run", run).stdout
    assert command("gate", run, "--policy", "policy.toml").returncode == 0
    (tmp_path / "policy.toml").write_text("mine")
    assert command("policy", "init", "--force").returncode == 0
    assert (tmp_path / "policy.toml").read_text() == DEFAULT.read_text()


def test_what_was_not_judged_is_said(tmp_path, run, command):
    text = DEFAULT.read_text().replace('guard = "required"', 'guard = "reported"')
    (tmp_path / "p.toml").write_text(text)
    found = " ".join(command("gate", run, "--policy", "p.toml", "--baseline", run).stdout.split())
    assert "guard: reported only, as the policy says" in found
    assert "exact copies: no attack that ran could look for them" in found
    assert "attribute.*.attribute_risk: nothing to judge, which the policy ignores" in found
    assert "the policy has no rule with max_regression, so the baseline decided nothing" in found


def test_a_regression_that_the_policy_ignores_for_want_of_a_baseline_is_said(tmp_path, run, command):
    rule = '[[rule]]\nestimate = "membership.*.auc"\nmax_regression = 0.1\nmissing = "ignore"\n'
    (tmp_path / "p.toml").write_text(DEFAULT.read_text() + rule)
    found = command("gate", run, "--policy", "p.toml", env={"COLUMNS": "200"})
    assert found.returncode == 0
    (tmp_path / "q.toml").write_text(DEFAULT.read_text() + rule.replace("ignore", "inconclusive"))
    itself = command("gate", run, "--policy", "q.toml", "--baseline", run, env={"COLUMNS": "200"})
    assert "the baseline is this very audit, so no regression can show" in itself.stdout
    assert "membership.*.auc regression: nothing to judge, which the policy ignores" in found.stdout


def test_a_baseline_that_trained_on_fewer_of_the_same_patients_is_said(tmp_path):
    one = audit(loss=finding("loss", "membership", auc(0.5)))
    whole = next(mark for mark in one.data if mark.part == "members")
    some = whole.model_copy(update={"patients": 7, "sha256": "e" * 64})
    every = (some, whole.model_copy(update={"part": "all members"}), *(m for m in one.data if m is not whole))
    (tmp_path / "p.toml").write_text(
        'version = 1\ntested = []\n[[rule]]\nestimate = "membership.loss.auc"\nmax_regression = 0.1\n'
    )
    new = write(tmp_path / "new.json", one)
    old = write(tmp_path / "old.json", one.model_copy(update={"data": every}))
    notes = judged(new, tmp_path / "p.toml", old).notes
    assert any(note.startswith(f"trained on {whole.patients} patients, in the baseline on 7: ") for note in notes)


def test_a_line_carries_the_policys_own_reason(run):
    gated = judged(run)
    lines = {rule.name: why_of(rule, gated.policy) for rule in gated.verdict.rules}
    assert lines["membership.loss.auc"] == "an attacker may tell members from others with an AUC of at most 0.60"
    assert lines["validity.shift"] == ""


@pytest.mark.parametrize("form", ["terminal", "md", "junit", "json"])
def test_the_gate_needs_three_packages_and_no_numpy(run, form):
    """What action.yml installs suffices: nothing else can be imported here."""
    script = f"""
import sys
allowed = {{"privbench", "pydantic", "rich", "typer"}}
allowed |= {{"annotated_doc", "annotated_types", "click", "markdown_it", "mdurl", "pydantic_core", "pygments",
    "shellingham", "typing_extensions", "typing_inspection"}}  # what those need
class Wall:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in allowed and top not in sys.stdlib_module_names and not top.startswith("_"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Wall())
sys.argv = ["privbench", "gate", {str(run)!r}, "--baseline", {str(run)!r}, "--format", {form!r}]
from privbench.audit.cli import main
main()
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_every_committed_record_is_judged_as_its_runner_did():
    from privbench.audit.gate import judge
    from privbench.audit.runs import load_record

    for file in sorted(RECORDS.glob("v[345].json")):
        record = load_record(file)
        assert judge(record.findings).outcome == record.verdict.outcome, file
