"""What privacy rests on: the gradient of each patient, its clipping, the sum, the noise."""

import numpy as np
import pytest
import torch
from opacus import GradSampleModule
from scipy.stats import kstest

from privbench.generators.latent.diffusion import NoisePredictor, UNetShape
from privbench.generators.private.gradients import unit_gradients
from privbench.generators.private.noise import Secure, Seeded
from privbench.generators.private.trainable import select
from privbench.generators.private.training import UnitOptimizer, draw_units, private_step, squared_error

SMALL = UNetShape(latent_channels=2, spatial=(4, 4), channels=16, classes=2)
DEFAULT = UNetShape(latent_channels=4, spatial=(16, 16), channels=32, classes=2)  # dp-ldm's, at 64 pixels
UNEQUAL = [3, 0, 1, 1, 3, 3, 3, 2, 3]  # the patient of each row: with one, two, one and five rows


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def model_of(shape, what="all"):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = NoisePredictor(shape)
        if what != "all":
            select(model, what, 2)
        for p in model.parameters():  # adapters and last layers start at zero, where gradients hide
            p.data += 0.02 * torch.randn(p.shape)
    return model.train()


def rows(shape, n, seed=0):
    size = (n, shape.latent_channels, *shape.spatial)
    x_t, velocity = (torch.randn(size, generator=rng(seed + i)) for i in range(2))
    t, label = (torch.randint(high, (n,), generator=rng(seed + 2)) for high in (1000, shape.classes + 1))
    return (x_t, t, label), velocity


def one_by_one(model, inputs, target, owner):
    """The reference: plain backward through the mean loss of each owner's rows."""
    found = []
    for unit in torch.unique(owner):
        model.zero_grad()
        mine = owner == unit
        squared_error(model(*(part[mine] for part in inputs)), target[mine]).mean().backward()
        found.append({n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad})
    model.zero_grad()
    return {name: torch.stack([gradient[name] for gradient in found]) for name in found[0]}


def wrong(found, expected):
    """Parameters whose gradient is off by more than 1e-4, beside what float32 loses where it should be zero."""
    whole = torch.sqrt(sum(g.square().sum() for g in expected.values()))
    return [n for n, g in expected.items() if (found[n] - g).norm() > 1e-4 * g.norm() + 1e-6 * whole]


@pytest.mark.parametrize("what", ["all", "attention", "lora"])
def test_every_layer_s_gradient_of_a_row_is_that_of_a_backward_of_its_own(what):
    model = model_of(DEFAULT, what)
    inputs, target = rows(DEFAULT, 4)
    expected = one_by_one(model, inputs, target, torch.arange(4))
    (found,) = unit_gradients(model, squared_error, inputs, target, torch.arange(4), 100)
    assert set(found) == set(expected)
    assert wrong(found, expected) == []


def test_opacus_own_rule_for_convolutions_would_not_have_passed():
    model = model_of(DEFAULT)
    inputs, target = rows(DEFAULT, 4)
    expected = one_by_one(model, inputs, target, torch.arange(4))
    hooked = GradSampleModule(model, loss_reduction="sum")
    squared_error(hooked(*inputs), target).sum().backward()
    found = {n: p.grad_sample for n, p in model.named_parameters()}
    assert wrong(found, expected), "diffusers or Opacus mended it: the warning in dp_gradients can go"
    assert all(n.endswith("weight") and found[n].ndim == 5 for n in wrong(found, expected))


def clipped_sum(gradients, norm):
    whole = torch.sqrt(sum(g.flatten(1).square().sum(1) for g in gradients.values()))
    factor = (norm / whole).clamp(max=1)
    return {n: torch.einsum("i,i...->...", factor, g) for n, g in gradients.items()}


def descended(model, inputs, target, owner, physical=100, noise=0.0, norm=0.05, batch=4.0, chance=None):
    """The step that a private step of rate 1 makes, times the expected batch: the noised sum of clipped gradients."""
    before = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = UnitOptimizer(
        torch.optim.SGD(trained, lr=1.0), noise_multiplier=noise, max_grad_norm=norm, expected_batch_size=batch
    )
    optimizer.chance = chance or Seeded(rng())
    private_step(model, optimizer, inputs, target, owner, physical)
    made = {n: batch * (before[n] - p.detach()) for n, p in model.named_parameters() if p.requires_grad}
    model.load_state_dict(before, strict=False)
    return made


@pytest.mark.parametrize("physical", [2, 6, 100])
def test_a_patient_counts_once_however_many_images_it_has(physical):
    model, owner = model_of(SMALL), torch.tensor(UNEQUAL)
    inputs, target = rows(SMALL, len(owner))
    each = one_by_one(model, inputs, target, owner)
    norms = torch.sqrt(sum(g.flatten(1).square().sum(1) for g in each.values()))
    norm = float(norms.median())  # some are clipped, some are not
    assert norms.min() < norm < norms.max()
    found = descended(model, inputs, target, owner, physical, norm=norm)
    expected = clipped_sum(each, norm)
    error = torch.sqrt(sum((found[n] - g).square().sum() for n, g in expected.items()))
    assert error < 1e-4 * norm


def test_no_patient_moves_the_sum_by_more_than_the_clipping_norm():
    model, owner, norm = model_of(SMALL), torch.tensor(UNEQUAL), 0.01
    (x_t, t, label), target = rows(SMALL, len(owner))
    for loud in (0.0, 1.0, 1e4):
        added = torch.where((owner == 3)[:, None, None, None], loud * torch.sign(target), target)
        others = owner != 3
        without = descended(model, tuple(p[others] for p in (x_t, t, label)), added[others], owner[others], norm=norm)
        with_it = descended(model, (x_t, t, label), added, owner, norm=norm)
        change = torch.sqrt(sum((with_it[n] - without[n]).square().sum() for n in without))
        assert change <= norm * (1 + 1e-3)
    assert change > 0.9 * norm, "the loudest patient reaches the bound"


@pytest.mark.parametrize("chance", [Seeded(rng(5)), Secure()])
def test_the_noise_is_what_the_accountant_counts(chance):
    model = model_of(SMALL)
    inputs, target = rows(SMALL, 0)
    made = descended(model, inputs, target, torch.zeros(0, dtype=torch.int64), noise=3.0, norm=0.5, chance=chance)
    drawn = torch.cat([g.flatten() for g in made.values()]).double().numpy()
    assert drawn.std() == pytest.approx(1.5, rel=0.01), "an empty batch gets noise like any other"
    assert kstest(drawn, "norm", args=(0, 1.5)).pvalue > 1e-6


def test_the_sum_is_divided_by_the_expected_number_of_patients():
    model, owner = model_of(SMALL), torch.tensor(UNEQUAL)
    inputs, target = rows(SMALL, len(owner))
    many, few = (descended(model, inputs, target, owner, batch=batch) for batch in (40.0, 4.0))
    for name, gradient in many.items():
        torch.testing.assert_close(gradient, few[name], rtol=1e-2, atol=1e-5)


def test_patients_are_drawn_each_on_its_own_at_the_stated_rate():
    for chance in (Seeded(rng()), Secure()):
        drawn = torch.stack([draw_units(20, 0.3, chance) for _ in range(4000)]).double().numpy()
        assert np.abs(drawn.mean(0) - 0.3).max() < 0.04  # 5.5 standard errors
        assert np.abs(np.corrcoef(drawn.T) - np.eye(20)).max() < 0.1
        assert drawn.sum(1).var() == pytest.approx(20 * 0.3 * 0.7, rel=0.15), "batches have no fixed size"


def test_secure_draws_never_repeat_and_are_always_finite(monkeypatch):
    assert not torch.equal(Secure().normal((5,)), Secure().normal((5,)))
    for byte in (b"\x00", b"\xff"):
        monkeypatch.setattr("os.urandom", lambda n, byte=byte: n * byte)
        assert 0 <= Secure().uniform(1) < 1
        assert torch.isfinite(Secure().normal((2, 3))).all()
