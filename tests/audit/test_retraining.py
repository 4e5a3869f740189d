"""Shadow models are stages of the store: trained once, by whoever comes first, and found by every attack and run."""

import functools
import subprocess
import sys

import numpy as np
import pytest

import privbench
from privbench.audit.errors import SkippedError
from privbench.audit.making import Making
from privbench.audit.outputs import load_spec
from privbench.audit.retraining import shadow_half
from privbench.audit.runner import train_shadows
from privbench.audit.stages import Stages
from privbench.testing import World

SPEC = {
    "cohort": {"name": "example-blobs", "options": {"patients": 20}},
    "generator": "example-rote",
    "attacks": [{"name": "lira", "options": {"shadows": 2, "timesteps": 2, "noises": 1}}],
    "metrics": [],
    "certificate": "none",
}
TOML = """
attacks = [{name = "lira", options = {shadows = 3}}]
metrics = []
certificate = "none"
generator = "example-rote"
cohort = {name = "example-blobs", options = {patients = 12}}
"""


@pytest.fixture
def audit(example, tmp_path):
    def run(out="run", **changes):
        return privbench.run(SPEC | changes, out=tmp_path / out, store=tmp_path / "store")

    return run


def models(tmp_path):
    return len(list((tmp_path / "store").glob("model/*/stage.json")))


@pytest.fixture
def fits(example, monkeypatch):
    """The patients of every training, as it happens."""
    from privbench_example.plugins import Rote

    seen, real = [], Rote.fit

    def fit(self, data, context):
        seen.append(set(data.members.patient.tolist()))
        real(self, data, context)

    monkeypatch.setattr(Rote, "fit", fit)
    return seen


@pytest.mark.parametrize("centres", [True, False])
def test_two_shadow_models_divide_the_reference_by_patient_and_by_centre(centres):
    reference = World(reference=21, images=3).draw("reference", 21, seed=5)
    if not centres:
        reference = privbench.ImageSet(reference.pixels, reference.patient)
    halves = [shadow_half(reference, i, seed=3) for i in range(6)]
    for one, other in zip(halves[::2], halves[1::2], strict=True):
        assert np.array_equal(one, ~other)
    for half in halves:
        inside, outside = (set(reference.patient[side]) for side in (half, ~half))
        assert not inside & outside
        assert abs(len(inside) - len(outside)) <= 1
        if centres:
            first = dict(zip(reference.patient, reference.center, strict=True))
            for name in np.unique(reference.center):
                own = [sum(first[p] == name for p in side) for side in (inside, outside)]
                assert abs(own[0] - own[1]) <= 1
    assert not np.array_equal(halves[0], halves[2])
    assert not np.array_equal(halves[0], shadow_half(reference, 0, seed=4))


def test_shadow_models_are_trained_once_and_serve_every_attack_and_run(audit, fits, tmp_path):
    record = audit()
    lira = record.finding("lira")
    assert lira.status == "ok"
    assert lira.estimate("auc").value == 1, "the model knows its members by heart"
    assert "2 shadow models, each trained on 10 reference patients" in lira.notes
    assert len(fits) == 3
    members, *halves = fits
    assert all(p.startswith("members") for p in members)
    assert all(p.startswith("reference") for half in halves for p in half)
    assert not halves[0] & halves[1]
    names = ("lira", "rmia", "gradient-norms")
    again = audit("more", attacks=[{"name": n, "options": {"shadows": 2, "timesteps": 2, "noises": 1}} for n in names])
    assert [again.finding(name).status for name in names] == ["ok"] * 3
    assert again.finding("lira").estimates == lira.estimates
    assert len(fits) == 3
    audit("most", attacks=[{"name": "rmia", "options": {"shadows": 4, "timesteps": 2, "noises": 1}}])
    assert len(fits) == 5, "two more were asked for"


def test_a_run_that_was_killed_goes_on_at_the_shadow_model_where_it_was(audit, fits, tmp_path, monkeypatch):
    real = Making.trained_again
    calls = []

    def killed(self, *data):
        calls.append(data)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(self, *data)

    monkeypatch.setattr(Making, "trained_again", killed)
    with pytest.raises(KeyboardInterrupt):
        audit()
    assert models(tmp_path) == 2
    monkeypatch.setattr(Making, "trained_again", real)
    assert audit().finding("lira").status == "ok"
    assert models(tmp_path) == len(fits) == 3


def test_at_quick_nothing_is_trained_and_the_reason_names_cost_and_option(audit, fits):
    record = audit(attacks=["lira", "rmia", "gradient-norms"])
    for name in ("lira", "rmia", "gradient-norms"):
        finding = record.finding(name)
        assert finding.status == "skipped"
        assert "as many trainings of the generator" in finding.reason
        assert f"--attack-opt {name}.shadows=4" in finding.reason
    assert len(fits) == 1
    assert record.verdict.outcome == "inconclusive"


def test_a_generator_that_cannot_be_trained_again_is_skipped_before_anything_is_trained(audit, fits, monkeypatch):
    from privbench_example.plugins import Rote

    monkeypatch.setattr(Rote, "pretrained", True, raising=False)
    finding = audit().finding("lira")
    assert finding.status == "skipped"
    assert finding.reason == "example-rote was trained elsewhere and cannot be trained again"
    assert len(fits) == 1


def test_a_generator_that_needs_more_patients_than_a_half_is_skipped_with_what_it_needs(audit):
    finding = audit(generator={"name": "example-rote", "options": {"least": 15}}).finding("lira")
    assert finding.status == "skipped"
    assert "example-rote cannot be trained on 10 patients for the shadow model 1 of 2" in finding.reason
    assert "give it 15" in finding.reason


def test_a_generator_that_grants_too_little_is_skipped(audit):
    record = audit(generator={"name": "example-mixture", "options": {"leak": 0.5}})
    assert record.finding("lira").reason == "needs DENOISER, example-mixture grants SAMPLES"
    finding = audit("other", access="denoiser", attacks=["gradient-norms"]).finding("gradient-norms")
    assert finding.reason == "needs WEIGHTS, example-rote grants DENOISER"


def test_the_certificate_asks_the_overfitted_model_and_not_what_is_kept_of_the_audited_one(audit, monkeypatch):
    asked = []
    real = Stages.power

    def power(self, asked_for, target, *rest):
        plugin = self.plugins["attack", asked_for.name]
        spied = plugin.target

        @functools.wraps(spied)
        def spy(planted, candidates, aux, **options):
            asked.append((target.key, planted.key, len(candidates.patients)))
            return spied(planted, candidates, aux, **options)

        object.__setattr__(plugin, "target", spy)
        return real(self, asked_for, target, *rest)

    monkeypatch.setattr(Stages, "power", power)
    larger = {"name": "example-blobs", "options": {"patients": 60}}
    lira = audit(certificate="light", cohort=larger).finding("lira")
    ((audited, planted, patients),) = asked
    assert planted
    assert planted != audited
    assert patients == 12
    share = lira.estimate("detectable_share", "overfitted")
    assert share.value is not None, "a model that learned four patients by heart is found out"


def test_public_images_are_part_of_what_a_shadow_model_depends_on(audit, tmp_path):
    from privbench.audit.making import _mark
    from privbench.audit.types import TrainingData

    world = World(patients=3)
    members, public = world.draw("members", 3, 0), world.draw("public", 3, 0)
    marks = {
        _mark(TrainingData(members)),
        _mark(TrainingData(members, public)),
        _mark(TrainingData(members, None, public)),
    }
    assert len(marks) == 3


def test_processes_share_the_training_and_a_run_finds_what_they_trained(fits, tmp_path):
    (tmp_path / "audit.toml").write_text(TOML)
    spec, store = load_spec(tmp_path / "audit.toml"), tmp_path / "store"
    assert list(train_shadows(spec, [1], store=store)) == [(1, "open")]
    assert list(train_shadows(spec, None, store=store)) == [(0, "open"), (1, "done"), (2, "open")]
    assert len(fits) == 3, "the audited model itself was not needed"
    privbench.run(spec, out=tmp_path / "run", store=store)
    assert len(fits) == 4
    assert [before for _, before in train_shadows(load_spec(tmp_path / "run"), None, store=store)] == ["done"] * 3


def test_a_model_that_another_process_is_training_is_left_to_it(example, tmp_path):
    (tmp_path / "audit.toml").write_text(TOML)
    spec, store = load_spec(tmp_path / "audit.toml"), tmp_path / "store"
    assert list(train_shadows(spec, [0], store=store)) == [(0, "open")]
    (model,) = (store / "model").glob("*/stage.json")
    model.unlink()
    lock = model.parent.with_suffix(".lock")
    holder = "import sys; from filelock import FileLock\nwith FileLock(sys.argv[1]): print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", holder, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        assert list(train_shadows(spec, [0], store=store)) == [(0, "underway")]
        other.communicate("\n")
    assert list(train_shadows(spec, [0], store=store)) == [(0, "open")]


def test_the_command_trains_one_model_and_says_so(example_site, command, tmp_path):
    (tmp_path / "audit.toml").write_text(TOML)
    done = command("shadow", "audit.toml", "--index", "1", "--store", tmp_path / "store", site=example_site)
    assert (done.returncode, done.stdout) == (0, "shadow model 1: trained\n"), done.stderr
    assert models(tmp_path) == 1


def test_what_is_wrong_with_a_request_for_shadow_models_is_said(example, tmp_path):
    file = tmp_path / "audit.toml"
    file.write_text(TOML.replace("options = {shadows = 3}", "options = {}"))
    with pytest.raises(privbench.BadInputError, match="no attack of this audit asks for shadow models\n"):
        list(train_shadows(load_spec(file), None, store=tmp_path / "store"))
    file.write_text(TOML.replace("example-rote", "example-mixture"))
    with pytest.raises(SkippedError, match="grants SAMPLES only"):
        list(train_shadows(load_spec(file), None, store=tmp_path / "store"))
    assert not (tmp_path / "store" / "model").exists()
    with pytest.raises(privbench.BadInputError, match=r"holds no spec.json"):
        load_spec(tmp_path)


def test_without_a_trainer_the_reason_says_so():
    from privbench.attacks.shadows import shadow_models
    from privbench.audit.context import Auxiliary, Context

    aux = Auxiliary(World().draw("reference", 4, 0), None, Context())
    with pytest.raises(SkippedError, match="nobody offers to train"):
        shadow_models(2, "lira", aux)
