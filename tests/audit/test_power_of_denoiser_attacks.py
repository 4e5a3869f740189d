"""An attack on the denoiser is certified with a model that is really overfitted to known patients."""

import pytest

import privbench
from privbench.audit.stages import Stages
from privbench.generators import ldm
from privbench.generators.latent.training import Plan

SPEC = {
    "cohort": {
        "name": "brain-sim",
        "options": {
            "size": 32,
            "members": 16,
            "holdout": 16,
            "reference": 8,
            "public": 4,
            "reserve": 0,
            "visits": 1,
            "slices": 1,
        },
    },
    "generator": {
        "name": "ldm",
        "options": {"autoencoder_steps": 10, "steps": 20, "channels": 16, "autoencoder_channels": 16, "batch": 8},
    },
    "attacks": [{"name": "loss", "options": {"timesteps": 3, "noises": 2}}],
    "metrics": [],
}


@pytest.fixture
def audit(tmp_path, monkeypatch):
    monkeypatch.setattr(ldm, "OVERFIT", Plan(steps=150, learning_rate=4e-3))

    def run(**changes):
        return privbench.run(SPEC | changes, out=tmp_path / "run", store=tmp_path / "store")

    return run


@pytest.mark.parametrize("certificate", ["light", "thorough"])
def test_how_many_patients_must_leak_is_said_in_patients(audit, tmp_path, certificate):
    loss = audit(certificate=certificate).finding("loss")
    planted = loss.estimate("detectable_share", "overfitted")
    assert loss.status == "ok"
    assert planted.unit == "patient"
    assert planted.value is None or 0 < planted.value <= 0.4
    assert any(p.kind == "power" and p.series[0].label == "overfitted" for p in loss.plots)
    assert any("overfitted to" in note for note in loss.notes)
    assert len(list((tmp_path / "store" / "model").glob("*/stage.json"))) == 2, "the audited model and the overfitted"


def test_where_no_model_can_be_overfitted_cheaply_power_is_unknown_and_nothing_passes(audit, monkeypatch):
    monkeypatch.delattr(ldm.Ldm, "overfit")
    record = audit()
    loss = record.finding("loss")
    assert not any(e.name == "detectable_share" for e in loss.estimates)
    assert any("privbench certify" in note for note in loss.notes)
    (rule,) = (r for r in record.verdict.rules if r.name == "membership.loss.auc")
    assert (rule.outcome, "was not measured" in rule.reason or "reaches beyond" in rule.reason) == (
        "inconclusive",
        True,
    )


def test_a_certificate_that_breaks_leaves_the_finding_and_its_traceback(audit, tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("no luck")

    monkeypatch.setattr(Stages, "_overfitted", broken)
    loss = audit().finding("loss")
    assert loss.status == "ok"
    assert any("RuntimeError: no luck" in note for note in loss.notes)
    assert "no luck" in (tmp_path / "run" / "confidential" / "loss.power.traceback.txt").read_text()
