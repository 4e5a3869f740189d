"""Attacks that own shadow models, on models that know their images by heart and on small networks."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from privbench.attacks.gradient_norms import gradient_norms
from privbench.attacks.gradients import gradient_norms as norms_of
from privbench.attacks.learning import Lesson, log_odds
from privbench.attacks.lira import lira
from privbench.attacks.loss import loss
from privbench.attacks.rmia import rmia
from privbench.attacks.shadows import shadow_models
from privbench.audit.context import Auxiliary, Context
from privbench.audit.errors import SkippedError
from privbench.audit.target import Access, Queries, Target
from privbench.audit.types import ImageSet, concatenate

ATTACKS = {"lira": lira, "rmia": rmia, "gradient-norms": gradient_norms}


class Network(nn.Module):
    """A pixel-space denoiser small enough to be trained in a second."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(65, 128), nn.SiLU(), nn.Linear(128, 128), nn.SiLU(), nn.Linear(128, 64))

    def forward(self, x_t, t):
        return self.layers(torch.cat([x_t.flatten(1), t[:, None].float() / 1000], 1)).view_as(x_t)


@dataclass(frozen=True, eq=False)
class Tiny:
    """A denoiser whose network was trained on some images, for long."""

    module: nn.Module

    @property
    def alphas_cumprod(self):
        return torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)

    def prepare(self, images):
        return Queries(2 * torch.from_numpy(np.array(images.pixels)) - 1)

    def predict_noise(self, x_t, t, condition):
        return self.module(x_t, t)


def trained(images, steps, seed):
    """A target at WEIGHTS whose network saw ``images`` in every step."""
    context = Context(seed=seed)
    with context.torch_scope("weights"):
        denoiser = Tiny(Network())
    optimiser = torch.optim.Adam(denoiser.module.parameters(), 2e-3)
    x_0, rng = denoiser.prepare(images).latents, context.torch_rng("noise")
    for _ in range(steps):
        t = torch.randint(0, 1000, (len(x_0),), generator=rng)
        abar = denoiser.alphas_cumprod[t].float()[:, None, None, None]
        eps = torch.randn(x_0.shape, generator=rng)
        error = denoiser.predict_noise(abar.sqrt() * x_0 + (1 - abar).sqrt() * eps, t, ()) - eps
        optimiser.zero_grad()
        error.square().mean().backward()
        optimiser.step()
    optimiser.zero_grad()
    denoiser.module.eval().requires_grad_(requires_grad=False)
    return Target(images.take(slice(0, 0)), Access.WEIGHTS, "tiny", lambda: denoiser)


@dataclass
class Trainer:
    steps: int
    trainings: int = 0

    def shadow(self, images, name="shadow model"):
        self.trainings += 1
        return trained(images, self.steps, seed=100 + self.trainings)


def patients(prefix, n, seed):
    """Checks of a contrast that differs from patient to patient: images of low contrast are easy for any model."""
    rng = np.random.default_rng([seed, *prefix.encode()])
    contrast = np.exp(rng.uniform(np.log(0.3), 0, n)).repeat(2)[:, None, None, None]
    picture = np.sign(rng.standard_normal((n, 1, 8, 8))).repeat(2, 0) + 0.1 * rng.standard_normal((2 * n, 1, 8, 8))
    pixels = np.clip(0.5 + 0.45 * contrast * picture, 0, 1).astype(np.float32)
    return ImageSet(pixels, np.repeat([f"{prefix}{i:03d}" for i in range(n)], 2))


STEPS = 1200


@pytest.fixture(scope="module")
def world():
    members, holdout, reference = (patients(p, 24, 0) for p in ("m", "h", "r"))
    return concatenate(members, holdout), Auxiliary(reference, None, Context(seed=3, path=("attack", "test")))


@pytest.fixture(scope="module")
def shadowed(world):
    """The trainer's models are trained once for all tests, as the engine does it."""
    trainer = Trainer(STEPS)
    kept = {}

    class Kept:
        def shadow(self, images, name="shadow model"):
            key = tuple(images.patients.tolist())
            if key not in kept:
                kept[key] = trainer.shadow(images, name)
            return kept[key]

    return replace(world[1], trainer=Kept())


@pytest.fixture(scope="module")
def leaky(world):
    members = np.char.startswith(world[0].patient, "m")
    return trained(world[0].take(members), STEPS, seed=1)


@pytest.fixture(scope="module")
def harmless():
    return trained(patients("elsewhere", 24, 0), STEPS, seed=2)


def auc(score, candidates):
    names, place = np.unique(candidates.patient, return_inverse=True)
    largest = np.full(len(names), -np.inf)
    np.maximum.at(largest, place, score)
    return roc_auc_score(np.char.startswith(names, "m"), largest)


@pytest.mark.parametrize("combine", ["max", "mean", "learned"])
@pytest.mark.parametrize("name", ATTACKS)
def test_an_overtrained_network_is_found_out_and_a_stranger_is_not_accused(
    world, shadowed, leaky, harmless, name, combine
):
    found = ATTACKS[name](leaky, world[0], shadowed, shadows=4, combine=combine)
    assert auc(found.score, world[0]) > 0.85
    assert any("4 shadow models, each trained on 12 reference patients" in note for note in found.notes)
    nothing = ATTACKS[name](harmless, world[0], shadowed, shadows=4, combine=combine)
    assert abs(auc(nothing.score, world[0]) - 0.5) < 3 * 0.084  # the deviation of U for 24 and 24


def test_calibration_by_shadow_models_beats_plain_loss_where_images_differ_in_difficulty(world, shadowed, leaky):
    plain = auc(loss(leaky, world[0], shadowed).score, world[0])
    assert auc(lira(leaky, world[0], shadowed, shadows=4).score, world[0]) > plain + 0.03
    assert auc(rmia(leaky, world[0], shadowed, shadows=4).score, world[0]) > plain


def test_rmias_scores_are_the_published_share_but_for_less_than_a_step(world, shadowed, leaky):
    score = rmia(leaky, world[0], shadowed, shadows=4).score
    step = 1 / len(shadowed.reference)
    share = np.round(score / step) * step
    assert np.abs(score - share).max() < step / 2
    assert np.all((share >= 0) & (share <= 1))
    assert len(np.unique(score)) == len(score)


def test_a_patients_images_share_the_score_that_was_asked_for(world, shadowed, leaky):
    each, mean = (lira(leaky, world[0], shadowed, shadows=4, combine=c).score for c in ("max", "mean"))
    np.testing.assert_allclose(mean[::2], each.reshape(-1, 2).mean(1))
    np.testing.assert_array_equal(mean[::2], mean[1::2])


def test_learning_to_combine_needs_models_that_can_judge_one_another(world, shadowed, leaky):
    with pytest.raises(SkippedError, match=r"needs 3 shadow models, not 2; give lira.shadows=3"):
        lira(leaky, world[0], shadowed, shadows=2, combine="learned")


def test_all_attacks_ask_for_the_same_models(world):
    asked = []

    class Spy:
        def shadow(self, images, name="shadow model"):
            asked.append((name, tuple(images.patients.tolist())))
            return Target(images)

    for attack in ("lira", "rmia"):
        context = Context(seed=3, path=("attack", attack))
        shadow_models(4, attack, Auxiliary(world[1].reference, None, context, trainer=Spy()))
    assert asked[:4] == asked[4:]
    assert [name for name, _ in asked[:4]] == [f"shadow model {i} of 4" for i in (1, 2, 3, 4)]


def test_gradient_norms_are_those_of_the_loss_tensor_by_tensor(world, leaky):
    some = world[0].take(slice(0, 6))
    found = norms_of(leaky, some, world[1], timesteps=2, noises=3)
    denoiser = leaky.weights()
    weights = list(denoiser.module.parameters())
    assert all(w.grad is None for w in weights), "an attack leaves the network as it is"
    x_0, expected = denoiser.prepare(some).latents, []
    for i in range(6):
        total = 0.0
        for t in (250, 750):
            for k in range(3):
                rng = world[1].shared.torch_rng("noise", str(t), str(k))
                eps, abar = torch.randn((1, 8, 8), generator=rng), float(denoiser.alphas_cumprod[t])
                x_t = abar**0.5 * x_0[i] + (1 - abar) ** 0.5 * eps
                total = total + (denoiser.predict_noise(x_t[None], torch.tensor([t]), ()) - eps).square().mean() / 6
        total.backward()
        expected.append([float(w.grad.norm()) for w in weights])
        denoiser.module.zero_grad(set_to_none=True)
    assert found.shape == (6, len(weights))
    np.testing.assert_allclose(np.exp(found), expected, rtol=1e-4)


def test_a_gradient_that_is_no_number_is_an_error_that_names_the_generator(world):
    with Context().torch_scope("weights"):
        broken = Tiny(Network().eval().requires_grad_(requires_grad=False))
    with torch.no_grad():
        next(broken.module.parameters())[0] = float("nan")
    target = Target(world[0], Access.WEIGHTS, "broken", lambda: broken)
    with pytest.raises(ValueError, match="broken's denoiser gave gradients that are not finite"):
        norms_of(target, world[0].take(slice(0, 1)), world[1], timesteps=1, noises=1)


def test_what_is_learned_is_told_by_membership_and_not_by_how_a_model_differs_from_another():
    rng = np.random.default_rng(0)
    lessons = []
    for shift in (0.0, 5.0, -3.0):
        seen = rng.random(80) < 0.5
        features = np.stack([shift + 2 * seen, 10 * shift + np.zeros(80)], 1) + rng.standard_normal((80, 2))
        lessons.append(Lesson(features, seen, np.repeat(np.arange(40), 2).astype(str)))
    member = np.arange(100) < 50
    asked = np.stack([40 + 2 * member, np.full(100, -70.0)], 1) + rng.standard_normal((100, 2))
    strangers = np.array([40.0, -70.0]) + rng.standard_normal((60, 2))
    found, held = log_odds(lessons, asked, strangers, 1.0)
    assert roc_auc_score(member, found) > 0.85
    assert ((found > 0) == member).mean() > 0.75, "log-odds, not only an order"
    assert [len(h) for h in held] == [80, 80, 80]
    assert all(roc_auc_score(one.seen, own) > 0.8 for one, own in zip(lessons, held, strict=True))
