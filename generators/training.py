"""Training that survives a kill: the step alone decides batch and noise, and the rest is in a checkpoint."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ..audit.context import Context
from ..audit.whole import write_whole

CHECKPOINT_EVERY = 250
Tensors = tuple[Tensor, ...] | list[Tensor]


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train.

    Attributes:
        steps: optimiser steps.
        learning_rate: Adam's highest; a short warm-up leads to it, a cosine down from it to zero.
        ema: decay of the exponential moving average of the weights that is kept in the end; 0 keeps the last weights.
        clip: largest gradient norm.
    """

    steps: int
    learning_rate: float
    ema: float = 0.0
    clip: float = 1.0

    def rate(self, step: int) -> float:
        """The learning rate at ``step``."""
        warm = min(1.0, (step + 1) / max(1, min(100, self.steps // 10)))
        return self.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / self.steps))


def train(name: str, model: nn.Module, loss: Callable[[torch.Generator], Tensor], plan: Plan, context: Context) -> None:
    """Minimise ``loss`` over the weights of ``model``, in place, and leave their moving average in it.

    A checkpoint under ``context.folder`` is taken up where there is one; a run that was killed ends with the same
    weights, to the bit on a CPU, as one that was not. Call ``forget`` once the trained model is stored.

    Args:
        name: what is trained: names the progress bar, the checkpoint and the place in the tree of seeds.
        model: on ``context.device``.
        loss: draws a batch and its noise from the generator it is given, and nothing else that is random.
        plan: how long and how fast.
        context: randomness, progress, folder.
    """
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=plan.learning_rate, fused=True)

    def blend(averages: Tensors, weights: Tensors, count: Tensor | int) -> None:
        # The warm-up keeps the random first weights out of short trainings.
        decay = min(plan.ema, (1 + int(count)) / (10 + int(count)))
        torch._foreach_lerp_(averages, weights, 1 - decay)

    average = AveragedModel(model, multi_avg_fn=torch.no_grad()(blend))
    file = checkpoint_file(name, context)
    start = _load(file, model, average, optimizer) if file.exists() else 0
    with context.progress.task(f"training {name}", plan.steps) as advance:
        advance(start)
        for step in range(start, plan.steps):
            if step > start and step % CHECKPOINT_EVERY == 0:
                _save(file, step, model, average, optimizer)
            for group in optimizer.param_groups:
                group["lr"] = plan.rate(step)
            value = loss(context.torch_rng(name, str(step)))
            optimizer.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
            optimizer.step()
            average.update_parameters(model)
            advance(1, f"loss {value.item():.4f}")
    model.load_state_dict(average.module.state_dict())
    model.eval()


def draw_batch(n: int, batch: int, rng: torch.Generator) -> Tensor:
    """Positions of a batch: without replacement, and of the same size however few images there are."""
    rounds = -(-batch // n)
    return torch.cat([torch.randperm(n, generator=rng) for _ in range(rounds)])[:batch]


def checkpoint_file(name: str, context: Context) -> Path:
    """Where training ``name`` leaves its checkpoint."""
    return context.folder / f"{name.replace(' ', '-')}.checkpoint.safetensors"


def forget(name: str, context: Context) -> None:
    """Remove the checkpoint, so that a killed and an uninterrupted run leave the same files."""
    checkpoint_file(name, context).unlink(missing_ok=True)


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the weights of ``model`` as safetensors, whole or not at all."""
    with write_whole(path) as file:
        save_file({k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}, file)


def load_weights(model: nn.Module, path: Path, device: str) -> None:
    """Read weights into ``model``, which then is on ``device`` and ready for use."""
    model.load_state_dict(load_file(path))
    model.to(device).eval().requires_grad_(False)


def _save(file: Path, step: int, model: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.state_dict().items()}
    for i, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{k}": v for k, v in state.items()}
    with write_whole(file) as temporary:
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, temporary, {"step": str(step)})


def _load(file: Path, model: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    with safe_open(file, "pt") as opened:
        step = int(opened.metadata()["step"])
    tensors = load_file(file)

    def part(prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

    model.load_state_dict(part("model."))
    average.load_state_dict(part("average."))
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in part("optimizer.").items():
        number, name = key.split(".")
        moments.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
    return step
