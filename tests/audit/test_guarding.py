"""Guarded releases from spec to proof, and generators that say whom they train on and what they are."""

import json
import shutil

import numpy as np
import pytest

import privbench
from privbench.audit.guarding import verify
from privbench.audit.runs import load_record

TOY = {
    "cohort": "example-blobs",
    "generator": {"name": "example-mixture", "options": {"leak": 0.3}},
    "attacks": [],
    "metrics": [],
    "certificate": "none",
    "samples": 40,
}
GUARD = {"name": "min-distance", "options": {"tau": 0.02, "tries": 50, "shift": 0}}


@pytest.fixture
def toy(example, tmp_path):
    def run(out="run", **changes):
        return privbench.run(TOY | changes, out=tmp_path / out, store=tmp_path / "store")

    return run


@pytest.fixture
def guarded(toy, tmp_path):
    toy(guard=GUARD)
    return tmp_path / "run"


def prove(run, tmp_path):
    return verify(run, store=tmp_path / "store")


def test_a_guard_withholds_every_copy(toy):
    attacks = ["example-distance"]
    copied = [
        toy(out=str(bool(guard)), guard=guard, attacks=attacks).finding("example-distance") for guard in (None, GUARD)
    ]
    assert copied[0].estimate("copied_share").low > 0.1
    assert copied[1].estimate("exact_copies").value == 0
    assert copied[1].estimate("copied_share").low <= 0


def test_a_certificate_is_proved_from_the_released_files(guarded, tmp_path):
    record = load_record(guarded)
    proof = prove(guarded, tmp_path)
    assert proof.holds
    assert proof.closest == pytest.approx(record.guard.closest, rel=1e-12)
    assert record.guard.closest >= 0.02
    assert record.guard.released == 40 == len(json.loads((guarded / "guard.json").read_text())["files"])
    assert record.guard.drawn == 40 + record.guard.rejected


def test_the_cohort_is_made_again_where_the_store_is_gone(guarded, tmp_path):
    shutil.rmtree(tmp_path / "store")
    assert prove(guarded, tmp_path).holds


def test_a_changed_file_is_noticed(guarded, tmp_path):
    images = sorted((guarded / "samples" / "images").glob("*"))
    shutil.copy(images[1], images[0])
    assert "NOT so: of the released files 1 changed" in prove(guarded, tmp_path).lines


def test_missing_and_added_files_are_noticed(guarded, tmp_path):
    images = sorted((guarded / "samples" / "images").glob("*"))
    shutil.copy(images[1], images[1].with_name("x.png"))
    images[0].unlink()
    proof = prove(guarded, tmp_path)
    assert not proof.holds
    assert "NOT so: of the released files 1 not listed, 1 missing" in proof.lines


def test_a_certificate_that_claims_too_much_is_refuted(guarded, tmp_path):
    """Even where record and certificate were changed alike."""
    for name in ("guard.json", "record.json"):
        content = json.loads((guarded / name).read_text())
        content.get("certificate", content.get("guard")).update(tau=0.5, closest=0.6)
        (guarded / name).write_text(json.dumps(content))
    proof = prove(guarded, tmp_path)
    assert not proof.holds
    assert any("closer to a member than tau = 0.5" in line for line in proof.lines)
    assert "NOT so: the certificate states 0.6 as the smallest" in proof.lines


def test_other_members_are_noticed(guarded, tmp_path):
    content = json.loads((guarded / "record.json").read_text())
    content["spec"]["seed"] = 5
    (guarded / "record.json").write_text(json.dumps(content))
    assert prove(guarded, tmp_path).lines[0].startswith("NOT so: the members are others")


def test_the_command_refutes_with_exit_code_1(guarded, command, example_site):
    (guarded / "samples" / "images" / "000000.png").unlink()
    refuted = command("verify-guard", guarded, "-q", "--json", site=example_site)
    assert refuted.returncode == 1
    assert json.loads(refuted.stdout)["holds"] is False


def test_the_command_proves_with_exit_code_0(guarded, command, example_site):
    proved = command("verify-guard", guarded, "-q", site=example_site)
    assert (proved.returncode, proved.stdout.splitlines()[0]) == (0, "proved")


def test_an_unguarded_run_has_nothing_to_prove(toy, tmp_path):
    toy(attacks=[])
    with pytest.raises(privbench.BadInputError, match=r"was not guarded\nrun it with --guard min-distance"):
        prove(tmp_path / "run", tmp_path)


def test_a_guard_that_rejects_everything_ends_with_a_clear_error(command, example_site):
    base = ("run", "-c", "example-blobs", "-g", "example-mixture", "-a", "none", "-m", "none", "-q")
    done = command(*base, "--guard", "min-distance", "--guard-opt", "tau=0.9", site=example_site)
    assert done.returncode == 2
    assert done.stderr.startswith("error: guard 'min-distance': after 10 draws only 0 images are 0.9 or more from")
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("tau=0.1", "quantile=0.1"), "error: guard 'min-distance': tau=0.1 and quantile=0.1 are both given"),
        (("shift=4",), "error: guard 'min-distance': images of 8x8 cannot be shifted by 4 pixels"),
        (("tua=0.1",), "error: guard 'min-distance': no option 'tua'; did you mean 'tau'?"),
    ],
)
def test_bad_options_are_refused_before_training(command, example_site, options, message):
    base = ("run", "-c", "example-blobs", "-g", "example-mixture", "-a", "none", "-m", "none", "-q")
    base += ("--generator-opt", "crash=true")
    given = [part for option in options for part in ("--guard-opt", option)]
    done = command(*base, "--guard", "min-distance", *given, site=example_site)
    assert done.returncode == 2
    assert done.stderr.startswith(message)


def test_a_guard_of_a_third_party_is_used_and_asked_beforehand(toy):
    record = toy(guard={"name": "example-dark", "options": {"most": 0.5}})
    assert record.guard.guard == "example-dark"
    assert 0 < record.guard.rejected < 40
    assert record.guard.released == 40 - record.guard.rejected


def test_the_same_guarded_audit_gives_the_same_samples(toy, tmp_path):
    first = toy(guard=GUARD)
    second = privbench.run(TOY | {"guard": GUARD}, out=tmp_path / "other", store=tmp_path / "elsewhere")
    assert first.guard == second.guard
    assert (tmp_path / "run" / "guard.json").read_text() == (tmp_path / "other" / "guard.json").read_text()


def test_members_are_those_that_a_generator_trains_on(toy):
    few = {"name": "example-few", "options": {"patients": 30}}
    record = toy(generator=few, attacks=["example-membership"])
    sizes = {mark.part: mark.patients for mark in record.data}
    assert sizes["members"] == 30
    assert record.declaration.notes == ("40 images of 30 patients",)
    auc = record.finding("example-membership").estimate("auc")
    assert auc.n == 60
    assert auc.low > 0.5, "a leak of half the samples from 30 members is found among them"


def test_a_generator_that_trains_on_nobody_is_refused(toy):
    with pytest.raises(privbench.BadInputError, match="example-few' trains on nobody"):
        toy(generator={"name": "example-few", "options": {"patients": 0}})


def test_released_values_are_what_their_files_hold(guarded):
    from privbench.audit.guarding import _read
    from privbench.audit.outputs import on_grid

    rng = np.random.default_rng(0)
    for channels in (1, 3):
        images = privbench.ImageSet(rng.random((5, channels, 8, 8), np.float32), np.array(list("abcde")))
        gridded = on_grid(images)
        assert gridded.pixels.dtype == np.float32
        np.testing.assert_array_equal(on_grid(gridded).pixels, gridded.pixels)
    assert (np.abs(_read(guarded / "samples" / "images" / "000000.png")) <= 1).all()


def test_a_guarded_audit_proves_the_certificate_again(guarded):
    record = load_record(guarded)
    proof = record.finding("certificate")
    assert (proof.kind, proof.family, proof.status) == ("check", "guard", "ok")
    assert proof.estimate("guard_closest").value == pytest.approx(record.guard.closest, rel=1e-9)
    assert proof.estimate("guard_too_close").value == 0
    assert {r.name: r.outcome for r in record.verdict.rules}["guard.certificate"] == "pass"
    report = (guarded / "report.html").read_text(encoding="utf-8")
    assert "Proved again by this audit" in report
    assert "Yes: the members are the" in report
    assert record.finding("certificate") in record.findings


def test_a_guard_that_lies_fails_the_audit(toy, monkeypatch):
    """It certifies what it did not look at: all comes through."""
    from privbench.guards.min_distance import MinDistance

    monkeypatch.setattr(MinDistance, "_distances", lambda self, images, *args, **kwargs: np.full(len(images), 0.5))
    record = toy(guard=GUARD)
    proof = record.finding("certificate")
    assert proof.status == "invalid"
    assert proof.reason.startswith("12 of them are closer to a member than tau = 0.02, one at ")
    assert proof.estimate("guard_too_close").value == pytest.approx(12 / 40)
    (rule,) = (r for r in record.verdict.rules if r.name == "guard.certificate")
    assert (rule.outcome, record.verdict.outcome) == ("fail", "fail")
    assert not [r for r in record.verdict.rules if r.name.startswith("validity.certificate")]


def test_a_proof_that_breaks_leaves_the_verdict_open(toy, monkeypatch):
    from privbench.guards.min_distance import MinDistance

    def broken(*_: object) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(MinDistance, "prove", broken)
    record = toy(guard=GUARD)
    proof = record.finding("certificate")
    assert (proof.kind, proof.family, proof.status, proof.reason) == (
        "check",
        "guard",
        "error",
        "RuntimeError: no memory",
    )
    (rule,) = (r for r in record.verdict.rules if r.name == "guard.certificate")
    assert rule.outcome == "inconclusive"
