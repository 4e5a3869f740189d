"""A private step against a plain one: dp-ldm's default model, 64 rows, one image of one draw a patient."""

import pytest
import torch
from opacus import GradSampleModule

from privbench.audit.context import Context
from privbench.generators.latent.diffusion import NoisePredictor, UNetShape
from privbench.generators.private.gradients import unit_gradients
from privbench.generators.private.noise import Seeded
from privbench.generators.private.training import UnitOptimizer, private_step, squared_error

ROWS, PHYSICAL = 64, 128
ROUNDS = {"rounds": 5, "warmup_rounds": 1, "iterations": 1}


@pytest.fixture
def model():
    with Context().torch_scope("weights"):
        return NoisePredictor(UNetShape(latent_channels=4, spatial=(16, 16), channels=32, classes=2)).train()


@pytest.fixture(scope="module")
def batch():
    rng = torch.Generator().manual_seed(1)
    x_t, velocity = (torch.randn((ROWS, 4, 16, 16), generator=rng) for _ in range(2))
    return (x_t, torch.randint(1000, (ROWS,), generator=rng), torch.randint(3, (ROWS,), generator=rng)), velocity


def test_a_plain_step(benchmark, model, batch):
    """What the others are to be compared with."""
    inputs, velocity = batch
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)

    def step():
        optimizer.zero_grad()
        squared_error(model(*inputs), velocity).mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    benchmark.pedantic(step, **ROUNDS)


@pytest.mark.parametrize("images", [1, 4])
def test_a_private_step(benchmark, model, batch, images):
    """As many rows, of 64 patients or of 16: gradients, clipping, noise and Adam's step."""
    inputs, velocity = batch
    optimizer = UnitOptimizer(
        torch.optim.Adam(model.parameters(), lr=1e-4),
        noise_multiplier=1.0,
        max_grad_norm=1.0,
        expected_batch_size=ROWS / images,
    )
    optimizer.chance = Seeded(torch.Generator().manual_seed(2))
    owner = torch.arange(ROWS) // images
    benchmark.pedantic(private_step, (model, optimizer, inputs, velocity, owner, PHYSICAL), **ROUNDS)


def test_gradients_of_each_patient(benchmark, model, batch):
    """The part of a private step that torch.func does."""
    inputs, velocity = batch
    owner = torch.arange(ROWS)
    benchmark.pedantic(lambda: list(unit_gradients(model, squared_error, inputs, velocity, owner, PHYSICAL)), **ROUNDS)


def test_gradients_by_opacus_hooks(benchmark, model, batch):
    """The same by Opacus' hooks, whose convolutions are wrong here: for its cost only."""
    inputs, velocity = batch
    hooked = GradSampleModule(model, loss_reduction="sum")

    def differentiate():
        hooked.zero_grad()
        squared_error(hooked(*inputs), velocity).sum().backward()

    benchmark.pedantic(differentiate, **ROUNDS)
