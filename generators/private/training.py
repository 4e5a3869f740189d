"""Differentially private training of the denoiser: DP-SGD whose unit is a patient, or an image."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from opacus.accountants import PRVAccountant
from opacus.optimizers import DPOptimizer
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ...audit.context import Context
from ...audit.whole import write_whole
from ..latent.diffusion import NOISE_STEPS, NoisePredictor
from ..latent.training import Plan, checkpoint_file
from .accounting import Mechanism
from .gradients import Gradients, unit_gradients
from .noise import Chance, Secure, Seeded

CHECKPOINT_EVERY = 10


@dataclass(frozen=True, eq=False)
class Private:
    """What is learnt from.

    Attributes:
        latents: ``(n, c, h, w)`` of the private images.
        label: ``(n,)`` class indices.
        unit: ``(n,)`` int64, from 0 on: which privacy unit each image belongs to.
    """

    latents: Tensor
    label: Tensor
    unit: Tensor

    @property
    def units(self) -> int:
        """How many units there are."""
        return int(self.unit.max()) + 1


@dataclass(frozen=True)
class DpPlan:
    """How DP-SGD is done.

    Attributes:
        mechanism: noise, sample rate and steps.
        max_grad_norm: that a unit's gradient is clipped to.
        multiplicity: draws of time and noise of each image (Dockhorn et al. 2023, arXiv 2210.09929).
        physical: images with noise that are differentiated at once.
        learning_rate: Adam's highest.
        ema: decay of the moving average of the weights, which is post-processing and costs no privacy.
        secure: draw sampling and noise from the operating system instead of the audit's seed.
    """

    mechanism: Mechanism
    max_grad_norm: float
    multiplicity: int
    physical: int
    learning_rate: float
    ema: float
    secure: bool


class UnitOptimizer(DPOptimizer):  # type: ignore[misc]  # Opacus has no types
    """Opacus' optimizer, which clips each unit's gradient and sums them, with noise from ``chance``.

    Attributes:
        chance: where the noise comes from; set anew for every step.
    """

    chance: Chance

    def add_noise(self) -> None:
        """Add Gaussian noise of standard deviation ``noise_multiplier * max_grad_norm`` to the clipped sum."""
        for p in self.params:
            noise = self.chance.normal(tuple(p.shape)).to(p)
            p.grad = p.summed_grad + self.noise_multiplier * self.max_grad_norm * noise


def train_privately(name: str, model: NoisePredictor, data: Private, plan: DpPlan, context: Context) -> Mechanism:
    """Fine-tune the weights of ``model`` that require a gradient, in place, and leave their moving average in it.

    Every step draws each unit with the sample rate, on its own (Poisson); all images of a drawn unit, each with
    ``multiplicity`` draws of time and noise, make one mean loss, whose gradient is clipped. One unit more or less thus
    changes the sum by at most ``max_grad_norm``, however many images it has. The sum with noise is divided by the
    expected number of units, never by the number drawn. A step without any unit is made like any other.

    A checkpoint is taken up where there is one; unless ``plan.secure``, a run that was killed ends with the same
    weights, to the bit on a CPU, as one that was not.

    Args:
        name: names the progress bar, the checkpoint and the place in the tree of seeds.
        model: on ``context.device``.
        data: the private images.
        plan: how.
        context: randomness, progress, folder.

    Returns:
        The mechanism as it was run: what the accountant is to count.
    """
    model.train()
    wanted, trained = plan.mechanism, {n: p for n, p in model.named_parameters() if p.requires_grad}
    pace = Plan(wanted.steps, plan.learning_rate)
    optimizer = UnitOptimizer(
        torch.optim.Adam(trained.values(), lr=plan.learning_rate),
        noise_multiplier=wanted.noise_multiplier,
        max_grad_norm=plan.max_grad_norm,
        expected_batch_size=wanted.sample_rate * data.units,
    )
    accountant = PRVAccountant()
    optimizer.attach_step_hook(accountant.get_optimizer_hook_fn(wanted.sample_rate))
    average = {n: p.detach().clone() for n, p in trained.items()}
    file, start = checkpoint_file(name, context), 0
    if file.exists():
        start = _load(file, trained, average, optimizer.original_optimizer)
        accountant.history = [(wanted.noise_multiplier, wanted.sample_rate, start)]
    with context.progress.task(f"training {name}", wanted.steps) as advance:
        advance(start)
        for step in range(start, wanted.steps):
            if step > start and step % CHECKPOINT_EVERY == 0:
                _save(file, step, trained, average, optimizer.original_optimizer)
            for group in optimizer.param_groups:
                group["lr"] = pace.rate(step)
            _step(model, optimizer, data, plan, context.under(name, str(step)))
            decay = min(plan.ema, (1 + step) / (10 + step))
            torch._foreach_lerp_(list(average.values()), [p.detach() for p in trained.values()], 1 - decay)
            advance()
    model.load_state_dict(average, strict=False)
    model.eval()
    return Mechanism(*accountant.history[-1])


def draw_units(units: int, sample_rate: float, chance: Chance) -> Tensor:
    """``(units,)`` bool: each unit with probability ``sample_rate``, on its own."""
    return chance.uniform(units) < sample_rate


def _step(model: NoisePredictor, optimizer: UnitOptimizer, data: Private, plan: DpPlan, context: Context) -> None:
    rng = context.torch_rng("times")
    optimizer.chance = Secure() if plan.secure else Seeded(context.torch_rng("privacy"))
    drawn = draw_units(data.units, plan.mechanism.sample_rate, optimizer.chance)
    rows = torch.nonzero(drawn[data.unit])[:, 0].repeat_interleave(plan.multiplicity)
    x_0, t = data.latents[rows], torch.randint(NOISE_STEPS, (len(rows),), generator=rng)
    noise = torch.randn(x_0.shape, generator=rng)
    inputs = (model.schedule.add_noise(x_0, noise, t), t, data.label[rows])
    private_step(model, optimizer, inputs, model.target(x_0, noise, t), data.unit[rows], plan.physical)


def private_step(
    model: nn.Module,
    optimizer: UnitOptimizer,
    inputs: tuple[Tensor, ...],
    target: Tensor,
    owner: Tensor,
    physical: int,
) -> None:
    """One step down the noised sum of the units' clipped gradients; arguments as in ``unit_gradients``."""
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    for gradients in unit_gradients(model, squared_error, inputs, target, owner, physical):
        _hand_over(trained, gradients)
        optimizer.signal_skip_step()  # this part is clipped and added up, no more
        optimizer.step()
        optimizer.zero_grad()
    # Nobody's gradients, and the step: an empty Poisson batch is one like any other.
    _hand_over(trained, {n: p.new_zeros((0, *p.shape)) for n, p in trained.items()})
    optimizer.step()
    optimizer.zero_grad()


def _hand_over(parameters: dict[str, nn.Parameter], gradients: Gradients) -> None:
    for name, parameter in parameters.items():
        cast("Any", parameter).grad_sample = gradients[name]


def squared_error(predicted: Tensor, wanted: Tensor) -> Tensor:
    """``(n,)`` mean squared error of each row."""
    return (predicted - wanted).square().flatten(1).mean(1)


def _save(
    file: Path, step: int, trained: dict[str, nn.Parameter], average: Gradients, optimizer: torch.optim.Optimizer
) -> None:
    tensors = {f"trained.{n}": p for n, p in trained.items()} | {f"average.{n}": v for n, v in average.items()}
    for i, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{k}": v for k, v in state.items()}
    with write_whole(file) as temporary:
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, temporary, {"step": str(step)})


def _load(file: Path, trained: dict[str, nn.Parameter], average: Gradients, optimizer: torch.optim.Optimizer) -> int:
    with safe_open(file, "pt") as opened:
        step = int(opened.metadata()["step"])
    tensors = load_file(file)
    moments: dict[int, Gradients] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, number, name = key.split(".")
            moments.setdefault(int(number), {})[name] = value
    with torch.no_grad():
        for name, parameter in trained.items():
            parameter.copy_(tensors[f"trained.{name}"])
            average[name].copy_(tensors[f"average.{name}"])
    optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
    return step
