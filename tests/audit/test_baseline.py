"""The audit of the last release is kept whole, with who made it the measure, when and why."""

import json
from datetime import datetime

import pytest

from privbench.audit.acceptance import accept
from privbench.audit.baseline import Baseline, load_baseline, record_of
from privbench.audit.errors import BadInputError
from privbench.audit.record import SCHEMA_VERSION

from .made_audits import FAILED, auc, audit, finding, write

WHO = ("A. Ito", "2026-11-01T10:00:00+00:00", "first release")


@pytest.fixture
def run(tmp_path):
    return write(tmp_path / "record.json", audit())


@pytest.fixture
def kept(tmp_path, run):
    """A baseline on disk."""
    file = tmp_path / "baseline.json"
    file.write_text(accept(run, file, WHO).baseline.model_dump_json())
    return file


def test_a_baseline_holds_the_whole_record_and_who_decided(run, kept):
    baseline = load_baseline(kept)
    assert isinstance(baseline, Baseline)
    assert record_of(baseline) == audit()
    assert (baseline.decision.by, baseline.decision.when, baseline.decision.why) == WHO
    assert (baseline.decision.verdict, baseline.decision.forced, baseline.history) == ("pass", "", ())


def test_a_plain_record_or_a_run_folder_is_a_baseline_too(tmp_path, run):
    assert load_baseline(run) == audit()
    assert load_baseline(tmp_path) == audit()
    assert record_of(load_baseline(run)) == audit()


def test_former_decisions_are_kept_the_last_first(tmp_path, run, kept):
    for why in ("second", "third"):
        kept.write_text(accept(run, kept, ("B", "2026-12-01T00:00:00+00:00", why)).baseline.model_dump_json())
    baseline = load_baseline(kept)
    assert [d.why for d in (baseline.decision, *baseline.history)] == ["third", "second", "first release"]


def test_a_record_that_becomes_a_baseline_with_history_had_none(tmp_path, run):
    accepted = accept(run, run, WHO)
    assert accepted.former == audit()
    assert accepted.baseline.history == ()


def test_changes_against_the_former_baseline_are_stated(tmp_path, kept):
    worse = write(
        tmp_path / "new.json", audit(**{"gan-leaks": finding("gan-leaks", "membership", auc(0.55, 0.02)), "dice": None})
    )
    accepted = accept(worse, kept, WHO)
    changes = {c.name: c for c in accepted.changes}
    assert changes["membership.gan-leaks.auc"].worse.value == pytest.approx(0.04)
    assert (changes["membership.gan-leaks.auc"].before, changes["membership.gan-leaks.auc"].after) == (0.51, 0.55)
    assert changes["membership.loss.auc"].worse.value == 0


def test_another_cohort_becomes_the_baseline_without_differences(tmp_path, kept):
    other = write(tmp_path / "new.json", audit(data={"holdout": {"sha256": "f" * 64}}))
    accepted = accept(other, kept, WHO)
    assert accepted.changes == ()
    assert "'holdout' has SHA-256" in accepted.unlike


def test_what_shall_be_the_baseline_is_asked_for_no_regression(tmp_path, run):
    policy = tmp_path / "policy.toml"
    rule = '[[rule]]\nestimate = "membership.*.auc"\n'
    policy.write_text(f"version = 1\n{rule}max = 0.6\n{rule}max_regression = 0.1\n")
    assert accept(run, tmp_path / "baseline.json", WHO, policy).baseline.decision.verdict == "pass"


@pytest.mark.parametrize("force", [True, False])
def test_what_failed_is_refused_unless_forced_and_then_says_so(tmp_path, force):
    out = tmp_path / "baseline.json"
    if not force:
        with pytest.raises(BadInputError, match="--force") as refused:
            accept(FAILED, out, WHO)
        assert "memorization.example-distance.exact_copies" in str(refused.value)
        assert "example-broken: RuntimeError" in str(refused.value)
        assert str(refused.value).count("\n") == 1
        return
    decision = accept(FAILED, out, WHO, force=True).baseline.decision
    assert (decision.verdict, "a plugin failed" in decision.forced, "the gate fails" in decision.forced) == (
        "fail",
        True,
        True,
    )


def test_a_run_that_only_a_failed_plugin_speaks_against_is_refused(tmp_path):
    broken = write(tmp_path / "r.json", audit(fid=finding("fid", "utility", status="error", reason="out of memory")))
    with pytest.raises(BadInputError, match=r"a plugin failed \(utility.fid: out of memory\)"):
        accept(broken, tmp_path / "b.json", WHO)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[: len(text) // 2], "truncated or not JSON"),
        (lambda text: "[1, 2]", "is not a record of privbench"),
        (lambda text: changed(text, baseline_version=9), "has version 9, this privbench reads up to 1"),
        (
            lambda text: changed(text, record=json.loads(text)["record"] | {"schema_version": 99}),
            f"has schema version 99, this privbench reads up to {SCHEMA_VERSION}",
        ),
        (lambda text: changed(text, decision={}), "is damaged: decision.by"),
        (lambda text: changed(text, record=None), "is not a record of privbench"),
    ],
    ids=["truncated", "a list", "newer", "newer record", "no decision", "no record"],
)
def test_a_damaged_or_newer_baseline_is_refused(kept, change, said):
    kept.write_text(change(kept.read_text()))
    with pytest.raises(BadInputError) as refused:
        load_baseline(kept)
    assert said in str(refused.value)
    assert str(refused.value).count("\n") <= 1


def changed(text, **changes):
    return json.dumps(json.loads(text) | changes)


def test_a_missing_or_binary_baseline_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="No such file"):
        load_baseline(tmp_path / "none.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInputError, match="it is not UTF-8"):
        load_baseline(tmp_path / "binary.json")


def test_the_command_writes_it_whole_and_shows_what_changes(tmp_path, command, run):
    first = command("baseline", "update", run, "--why", "first release", "--by", "A. Ito")
    assert (first.returncode, "the first" in first.stdout) == (0, True), first.stderr
    again = command("baseline", "update", run, "--why", "[bold]new scanners[/bold]", "--by", "A. Ito")
    assert "membership.loss.auc: 0.500 before, 0.500 now; worse by 0.000" in again.stdout
    assert "[bold]new scanners[/bold]" in again.stdout, "text is not markup"
    baseline = load_baseline(tmp_path / "baseline.json")
    assert [d.why for d in baseline.history] == ["first release"]
    assert datetime.fromisoformat(baseline.decision.when).utcoffset().total_seconds() == 0
    gated = command("gate", run, "--baseline", "baseline.json", "--format", "json")
    assert json.loads(gated.stdout)["decision"]["by"] == "A. Ito"


def test_a_run_does_not_lose_its_record_to_the_baseline(command, run):
    file = run / "record.json" if run.is_dir() else run
    before = file.read_bytes()
    found = command("baseline", "update", run, "--why", "x", "--by", "A. Ito", "--out", file)
    assert (found.returncode, "would be overwritten" in found.stderr) == (2, True)
    assert file.read_bytes() == before


def test_nobody_decides_where_git_knows_no_user(tmp_path, command, run):
    nowhere = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    nowhere |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_DIR": str(tmp_path / "none")}
    found = command("baseline", "update", run, "--why", "x", env=nowhere)
    assert (found.returncode, 'say who does: --by "A. Ito"' in found.stderr) == (2, True)
    known = tmp_path / "gitconfig"
    known.write_text("[user]\n\tname = B. Diaz\n")
    found = command("baseline", "update", run, "--why", "x", env=nowhere | {"GIT_CONFIG_GLOBAL": str(known)})
    assert "by B. Diaz" in found.stdout, found.stderr


def test_a_baseline_needs_a_reason(command, run):
    found = command("baseline", "update", run, "--why", "  ", "--by", "A")
    assert (found.returncode, "--why is empty" in found.stderr) == (2, True)
