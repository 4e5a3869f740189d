"""dp-canary: planted bugs are refuted, the correct training is not, and what cannot be tested is said.

The bugs are planted in the product's own DP-SGD by patching it here; there is no switch for them anywhere.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

import privbench
from privbench.attacks.canaries import CELLS, make_canaries
from privbench.attacks.dp_canary import dp_canary
from privbench.audit.errors import AccessError, BadInputError, SkippedError
from privbench.audit.measures.claim import judgement_in
from privbench.audit.measures.measured import Truth
from privbench.audit.record import Finding
from privbench.audit.stages import measure
from privbench.audit.target import Access
from privbench.generators.private import training as dp_training
from privbench.generators.private.training import UnitOptimizer

from .made_private import WORLD, Generator, audited


def attacked(generator, canaries=100):
    """What the attack finds: the scores, and the engine's measurement of them."""
    target, candidates, auxiliary, context = audited(generator)
    scores = dp_canary(target, candidates, auxiliary, canaries=canaries, timesteps=20)
    truth = Truth(candidates, np.zeros(len(candidates), bool), candidates.patient, target.samples)
    return scores, measure(scores, truth, context)


def judged(generator):
    result = attacked(generator)[1]
    finding = Finding(
        plugin="dp-canary",
        kind="attack",
        family="canary",
        summary="",
        access="DENOISER",
        status="ok",
        estimates=result.estimates,
    )
    return judgement_in(finding)


def add_no_noise(optimizer):
    for p in optimizer.params:
        p.grad = p.summed_grad


def clip_all_but(unclipped):
    """Opacus' clipping, but parameters for which ``unclipped`` count in no norm and are added as they are."""

    def clip_and_accumulate(optimizer):
        clipped = [p for i, p in enumerate(optimizer.params) if not unclipped(i)]
        whole = sum(p.grad_sample.flatten(1).square().sum(1) for p in clipped) if clipped else None
        for p in optimizer.params:
            if any(p is q for q in clipped):
                factor = (optimizer.max_grad_norm / (whole.sqrt() + 1e-6)).clamp(max=1)
                part = torch.einsum("i,i...->...", factor, p.grad_sample)
            else:
                part = p.grad_sample.sum(0)
            p.summed_grad = part if p.summed_grad is None else p.summed_grad + part

    return clip_and_accumulate


@pytest.mark.parametrize("seed", [0, 1])
def test_a_correct_training_is_not_refuted(seed, tmp_path):
    assert judged(Generator(tmp_path, seed=seed)) == "consistent"


def test_without_noise_the_claim_is_refuted(tmp_path, monkeypatch):
    monkeypatch.setattr(UnitOptimizer, "add_noise", add_no_noise)
    assert judged(Generator(tmp_path)) == "refuted"


def test_without_clipping_the_claim_is_refuted(tmp_path, monkeypatch):
    monkeypatch.setattr(UnitOptimizer, "clip_and_accumulate", clip_all_but(lambda _: True))
    assert judged(Generator(tmp_path, norm=0.001)) == "refuted"


def test_with_one_layer_left_out_of_clipping_the_claim_is_refuted(tmp_path, monkeypatch):
    middle = 2  # the weight of the second of three layers
    monkeypatch.setattr(UnitOptimizer, "clip_and_accumulate", clip_all_but(lambda i: i == middle))
    assert judged(Generator(tmp_path, norm=0.001, epsilon=1.0, steps=200)) == "refuted"


def test_a_planted_clipping_that_leaves_nothing_out_is_opacus_own(tmp_path, monkeypatch):
    """What is planted above differs from the product in what it names, and in nothing else."""
    correct = attacked(Generator(tmp_path / "a", steps=5))[0]
    monkeypatch.setattr(UnitOptimizer, "clip_and_accumulate", clip_all_but(lambda _: False))
    again = attacked(Generator(tmp_path / "b", steps=5))[0]
    np.testing.assert_allclose(again.score, correct.score, rtol=1e-4, atol=1e-7)


def test_a_wrong_sampling_rate_in_the_accountant_tells_on_canaries_but_may_not_refute(tmp_path, monkeypatch):
    """Told 1 in 200 where all are drawn, it adds little noise; docs/statistics.md says why that can go unseen."""
    monkeypatch.setattr(dp_training, "draw_units", lambda units, *_: torch.ones(units, dtype=torch.bool))
    target = audited(Generator(tmp_path, rate=0.005, steps=5))[0]
    assert target.privacy.sample_rate == 0.005
    assert target.privacy.noise_multiplier < 1


def test_batch_normalisation_with_running_statistics_is_refused(tmp_path):
    with pytest.raises(RuntimeError, match="in-place"):
        audited(Generator(tmp_path, steps=1, layer=torch.nn.BatchNorm1d))


def test_the_same_seed_gives_the_same_scores(tmp_path):
    one, two = (attacked(Generator(tmp_path / name, steps=3))[0] for name in "ab")
    assert np.array_equal(one.score, two.score)
    assert one.claim == two.claim


def test_a_canary_is_like_a_patient_in_all_but_its_pixels():
    reference = WORLD.draw("reference", 5, seed=0)
    made = make_canaries(reference, 40, np.random.default_rng(0))
    assert made.pixels.shape[1:] == reference.pixels.shape[1:]
    assert set(np.unique(made.pixels)) == {0.0, 1.0}
    assert np.array_equal(made.patient, made.patients), "one image a patient, in sorted order"
    for field in ("label", "mask", "center", "visit"):
        own, known = getattr(made, field), getattr(reference, field)
        assert (own is None) == (known is None)
        assert known is None or {v.tobytes() for v in own} <= {v.tobytes() for v in known}


def test_canaries_are_far_from_one_another_at_any_size():
    for side in (20, 33):
        reference = replace(WORLD, side=side).draw("reference", 4, seed=0)
        pixels = make_canaries(reference, 60, np.random.default_rng(0)).pixels.reshape(60, -1)
        differing = (pixels[:, None] != pixels[None]).mean(2)[np.triu_indices(60, 1)]
        assert differing.min() > 0.2
        assert differing.mean() == pytest.approx(0.5, abs=0.02)
        assert (np.diff(pixels.reshape(60, side, side), axis=1) != 0).any(2).sum(1).max() <= CELLS - 1


@pytest.fixture
def prepared(tmp_path):
    return audited(Generator(tmp_path, steps=1))


def test_without_a_claim_there_is_nothing_to_test(prepared):
    target, candidates, auxiliary, _ = prepared
    with pytest.raises(SkippedError, match="claims no differential privacy"):
        dp_canary(replace(target, privacy=None), candidates, auxiliary)
    empty = target.privacy.model_copy(update={"delta": 1.0})
    with pytest.raises(SkippedError, match="delta of 1"):
        dp_canary(replace(target, privacy=empty), candidates, auxiliary)


def test_without_a_denoiser_or_a_trainer_nothing_is_trained(prepared):
    target, candidates, auxiliary, _ = prepared
    with pytest.raises(AccessError):
        dp_canary(replace(target, access=Access.SAMPLES), candidates, auxiliary)
    with pytest.raises(SkippedError, match="not trained again here"):
        dp_canary(target, candidates, replace(auxiliary, trainer=None))


def test_a_claim_that_changes_with_the_canaries_is_noted(tmp_path):
    target, candidates, auxiliary, _ = audited(Generator(tmp_path, steps=1))
    weaker = target.privacy.model_copy(update={"epsilon": 4.0})
    scores = dp_canary(replace(target, privacy=weaker), candidates, auxiliary, canaries=8)
    assert "tested is the former" in scores.notes[0]
    assert scores.claim.epsilon == pytest.approx(2.0, abs=0.05)
    assert not dp_canary(target, candidates, auxiliary, canaries=8).notes


SPEC = {
    "cohort": {
        "name": "brain-sim",
        "options": {"size": 32, "members": 6, "holdout": 6, "reference": 6, "public": 4, "reserve": 1, "slices": 1},
    },
    "generator": {
        "name": "dp-ldm",
        "options": {
            "channels": 16,
            "autoencoder_channels": 16,
            "public_batch": 4,
            "autoencoder_steps": 2,
            "public_steps": 2,
            "steps": 2,
            "sampling_steps": 2,
            "epsilon": 2.0,
        },
    },
    "attacks": [{"name": "dp-canary", "options": {"canaries": 80, "timesteps": 2, "noises": 1}}],
    "metrics": [],
    "certificate": "none",
    "device": "cpu",
}


def test_an_audit_of_dp_ldm_tests_its_claim_and_reports_it(tmp_path):
    record = privbench.run(SPEC, out=tmp_path / "out", store=tmp_path / "store")
    finding = record.finding("dp-canary")
    assert (finding.status, finding.reason) == ("ok", "")
    assert judgement_in(finding) == "consistent"
    assert finding.estimate("epsilon_claimed").value == pytest.approx(record.declaration.privacy.epsilon, abs=0.05)
    assert [r.outcome for r in record.verdict.rules if r.name.startswith("canary")] == ["pass"]
    models = [p for p in (tmp_path / "store" / "model").iterdir() if (p / "unet.safetensors").exists()]
    assert len(models) == 2, "the audited one, and the one with canaries"
    for name in ("autoencoder.safetensors", "public.safetensors"):
        assert len({(model / name).read_bytes() for model in models}) == 1, "public images are learnt from once"
    report = (tmp_path / "out" / "report.html").read_text()
    assert "Audited lower bound" in report


def test_too_few_reference_patients_are_refused_before_training(tmp_path):
    options = {**SPEC["cohort"]["options"], "reference": 3}
    spec = {**SPEC, "cohort": {"name": "brain-sim", "options": options}}
    with pytest.raises(BadInputError, match="dp-canary' needs at least 4 reference patients, the cohort has 3"):
        privbench.run(spec, out=tmp_path / "out", store=tmp_path / "store")
    assert not (tmp_path / "store" / "model").exists()
