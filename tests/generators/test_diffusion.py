"""The diffusion model's schedules and samplers, on distributions whose best denoiser is known in closed form."""

import math

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

from privbench.generators.latent.diffusion import (
    NOISE_STEPS,
    NoisePredictor,
    UNetShape,
    alphas_cumprod,
    draw_latents,
    noise_loss,
    withheld,
)

BETAS = {"linear": "linear", "cosine": "squaredcos_cap_v2"}
SPREAD = 0.5
LABELS = torch.arange(1000) % 2


class Gaussian(NoisePredictor):
    """The best predictor for latents N(mean of the label, 0.5): label 0 has mean 1, label 1 has -1, none has 0."""

    def __init__(self, schedule: str, prediction: str) -> None:
        super().__init__(
            UNetShape(
                latent_channels=1, spatial=(2, 2), channels=16, classes=2, schedule=schedule, prediction=prediction
            )
        )
        self.abar = alphas_cumprod(schedule)
        self.rows: list[int] = []

    def forward(
        self, x_t: Tensor, t: Tensor, label: Tensor, condition: Tensor | None = None, given: Tensor | None = None
    ) -> Tensor:
        self.rows.append(len(x_t))
        abar = self.abar[t][:, None, None, None]
        mean = torch.tensor([1.0, -1.0, 0.0], dtype=torch.float64)[label][:, None, None, None]
        x_t = x_t.double()
        epsilon = (1 - abar).sqrt() * (x_t - abar.sqrt() * mean) / (abar * SPREAD**2 + 1 - abar)
        x_0 = (x_t - (1 - abar).sqrt() * epsilon) / abar.sqrt()
        v = abar.sqrt() * epsilon - (1 - abar).sqrt() * x_0
        return (epsilon if self.shape.prediction == "epsilon" else v).float()


def tiny(**options: object) -> NoisePredictor:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        shape = {"latent_channels": 2, "spatial": (4, 4), "channels": 16, "classes": 2, **options}
        return NoisePredictor(UNetShape(**shape)).eval()


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def drawn(model: NoisePredictor, steps: int = 50, label: Tensor = LABELS, **options: object) -> Tensor:
    condition = options.pop("condition", None)
    return draw_latents(model, label, condition, steps, rng(), lambda n: None, **options)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_abar_is_that_of_every_scheduler(schedule: str) -> None:
    abar = alphas_cumprod(schedule)
    assert abar.dtype == torch.float64
    assert (abar.diff() < 0).all()
    for kind in (DDPMScheduler, DDIMScheduler, DPMSolverMultistepScheduler):
        theirs = kind(NOISE_STEPS, beta_schedule=BETAS[schedule]).alphas_cumprod
        # The last betas of the cosine are capped at 0.999: float32 keeps few digits of 1 minus them.
        assert torch.allclose(abar.float(), theirs, rtol=1e-3, atol=1e-7)


def test_the_cosine_is_that_of_its_paper() -> None:
    at = torch.arange(1, 900, dtype=torch.float64) / 1000

    def f(u: Tensor | float) -> Tensor:
        return torch.cos(torch.as_tensor((u + 0.008) / 1.008 * math.pi / 2, dtype=torch.float64)) ** 2

    assert torch.allclose(alphas_cumprod("cosine")[:899], f(at) / f(0.0), rtol=1e-4)


@pytest.mark.parametrize("sampler", ["ddim", "dpm-solver"])
@pytest.mark.parametrize("prediction", ["v", "epsilon"])
@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_samples_have_the_mean_and_spread_of_the_distribution(schedule: str, prediction: str, sampler: str) -> None:
    found = drawn(Gaussian(schedule, prediction), {"ddim": 250, "dpm-solver": 50}[sampler], sampler=sampler)
    for label, mean in ((0, 1.0), (1, -1.0)):
        own = found[label == LABELS]
        assert own.mean() == pytest.approx(mean, abs=0.05)
        assert own.std() == pytest.approx(SPREAD, abs=0.03)


def test_dpm_solver_needs_fewer_steps_than_ddim() -> None:
    exact = drawn(Gaussian("linear", "v"), 500)
    error = {s: (drawn(Gaussian("linear", "v"), 25, sampler=s) - exact).abs().mean() for s in ("ddim", "dpm-solver")}
    assert error["dpm-solver"] < error["ddim"] / 4


@pytest.mark.parametrize("prediction", ["v", "epsilon"])
def test_guidance_moves_samples_away_from_the_unconditional_ones(prediction: str) -> None:
    # All distributions have one spread, so guidance g is the best denoiser of N(g * mean, spread).
    found = drawn(Gaussian("linear", prediction), 250, guidance=3.0)
    assert found[LABELS == 0].mean() == pytest.approx(3.0, abs=0.05)
    assert found[LABELS == 0].std() == pytest.approx(SPREAD, abs=0.03)
    assert drawn(Gaussian("linear", prediction), guidance=0.0)[LABELS == 0].mean() == pytest.approx(0.0, abs=0.04)


def test_guidance_of_one_is_none_to_the_bit_and_costs_nothing() -> None:
    plain, guided, twice = Gaussian("linear", "v"), Gaussian("linear", "v"), Gaussian("linear", "v")
    few = LABELS[:300]
    expected = drawn(plain, 4, few, batch=100)
    assert torch.equal(drawn(guided, 4, few, batch=100, guidance=1.0), expected)
    assert guided.rows == plain.rows == [100] * 12
    drawn(twice, 4, few, batch=100, guidance=2.0)
    assert twice.rows == [200] * 12, "one pass of both halves"


@pytest.mark.parametrize("prediction", ["v", "epsilon"])
@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_noise_and_clean_are_two_views_of_one_output(schedule: str, prediction: str) -> None:
    model = tiny(schedule=schedule, prediction=prediction)
    x_t, t, label = (
        torch.randn((5, 2, 4, 4), generator=rng()),
        torch.tensor([0, 10, 400, 700, 950]),
        torch.arange(5) % 3,
    )
    abar = alphas_cumprod(schedule)[t][:, None, None, None].float()
    with torch.no_grad():
        noise, clean, output = (call(x_t, t, label) for call in (model.noise, model.clean, model))
        assert torch.allclose(abar.sqrt() * clean + (1 - abar).sqrt() * noise, x_t, atol=1e-4)
        theirs = DDIMScheduler(NOISE_STEPS, beta_schedule=BETAS[schedule], clip_sample=False)
        theirs.register_to_config(prediction_type={"v": "v_prediction", "epsilon": "epsilon"}[prediction])
        theirs.set_timesteps(1000)
        for row, step in enumerate(t):
            one = slice(row, row + 1)
            expected = theirs.step(output[one], int(step), x_t[one]).pred_original_sample
            assert torch.allclose(clean[one], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("prediction", ["v", "epsilon"])
def test_the_loss_of_a_perfect_predictor_is_the_noise_that_cannot_be_known(prediction: str) -> None:
    model = Gaussian("linear", prediction)
    label = torch.arange(4000) % 2
    x_0 = torch.tensor([1.0, -1.0])[label][:, None, None, None] + SPREAD * torch.randn((4000, 1, 2, 2), generator=rng())
    abar = alphas_cumprod()
    left = SPREAD**2 / (abar * SPREAD**2 + 1 - abar)  # variance of v given x_t; of epsilon, times abar
    expected = (left if prediction == "v" else left * abar).mean()
    assert noise_loss(model, x_0, label, None, 0.0, rng()) == pytest.approx(float(expected), rel=0.03)


def test_what_is_withheld_leaves_no_trace() -> None:
    shape = UNetShape(
        latent_channels=2, condition_channels=3, spatial=(4, 4), channels=16, classes=2, centers=2, attributes=3
    )
    model = tiny(condition_channels=3, centers=2, attributes=3)
    told = (
        torch.tensor([0, 1]),
        torch.randn((2, 3, 4, 4), generator=rng()),
        torch.tensor([[0.0, 1, 2, 3], [1.0, 4, 5, 6]]),
    )
    x_t, t = torch.randn((1, 2, 4, 4), generator=rng()).expand(2, -1, -1, -1), torch.tensor([5, 5])
    with torch.no_grad():
        assert not torch.allclose(*model(x_t, t, *told))
        assert torch.equal(*model(x_t, t, *withheld(shape, *told, torch.ones(2, 4, dtype=torch.bool))))
        for part in range(4):  # each alone changes what is predicted
            which = torch.zeros(2, 4, dtype=torch.bool)
            which[0, part] = True
            changed = model(x_t, t, *withheld(shape, *told, which)) - model(x_t, t, *told)
            assert changed[0].abs().max() > 0
            assert changed[1].abs().max() == 0
