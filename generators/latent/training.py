"""Training that survives a kill: the step alone decides batch and noise, and the rest is in a checkpoint."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ...audit.context import Context
from ...audit.errors import BadInputError
from ...audit.whole import write_text_whole, write_whole
from .devices import Precision, Stepper, is_main, join, stepper, wait

CHECKPOINT_EVERY = 250
CHECKPOINT, WEIGHTS, VERSION = "privbench-checkpoint", "privbench-weights", "1"
Tensors = tuple[Tensor, ...] | list[Tensor]
RateSchedule = Literal["cosine", "linear", "constant"]

Shape = TypeVar("Shape", bound=BaseModel)


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train.

    Attributes:
        steps: optimiser steps.
        learning_rate: Adam's highest; a short warm-up leads to it.
        ema: decay of the exponential moving average of the weights that is kept in the end; 0 keeps the last weights.
        clip: largest gradient norm; 0: any.
        schedule: what follows the warm-up: a cosine or a straight line down to zero, or no change.
        precision: ``auto`` computes in mixed precision on a GPU and in full precision on a CPU.
    """

    steps: int
    learning_rate: float
    ema: float = 0.0
    clip: float = 1.0
    schedule: RateSchedule = "cosine"
    precision: Precision = "auto"

    def rate(self, step: int) -> float:
        """The learning rate at ``step``."""
        warm = min(1.0, (step + 1) / max(1, min(100, self.steps // 10)))
        if self.schedule == "constant":
            return self.learning_rate * warm
        if self.schedule == "linear":
            return self.learning_rate * warm * (1 - step / self.steps)
        return self.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / self.steps))


def train(name: str, model: nn.Module, loss: Callable[[torch.Generator], Tensor], plan: Plan, context: Context) -> None:
    """Minimise ``loss`` over the weights of ``model``, in place, and leave their moving average in it.

    A checkpoint under ``context.folder`` is taken up where there is one; a run that was killed ends with the same
    weights, to the bit on a CPU, as one that was not. Call ``forget`` once the trained model is stored.

    Where ``accelerate launch`` or ``torchrun`` started several processes, each calls this with the same arguments, and
    they make one training: same batch, same noise, each computing its ``devices.share`` of the rows.

    Args:
        name: what is trained: names the progress bar, the checkpoint and the place in the tree of seeds.
        model: on ``context.device``.
        loss: draws a batch and its noise from the generator it is given, and nothing else that is random. Its value is
            the mean over the batch, or over this process' share of it.
        plan: how long and how fast.
        context: randomness, progress, folder.

    Raises:
        BadInputError: if the checkpoint is of another version or another model, or the device lacks the precision.
    """
    join(context.device)
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=plan.learning_rate, fused=True)

    def blend(averages: Tensors, weights: Tensors, count: Tensor | int) -> None:
        # The warm-up keeps the random first weights out of short trainings.
        decay = min(plan.ema, (1 + int(count)) / (10 + int(count)))
        torch._foreach_lerp_(averages, weights, 1 - decay)

    average = AveragedModel(model, multi_avg_fn=torch.no_grad()(blend))
    steps = stepper(model, optimizer, plan.clip, plan.precision, context.device)
    file = checkpoint_file(name, context)
    start = _load(file, model, average, optimizer, steps) if file.exists() else 0
    with context.progress.task(f"training {name}", plan.steps) as advance:
        advance(start)
        for step in range(start, plan.steps):
            if step > start and step % CHECKPOINT_EVERY == 0 and is_main():
                _save(file, step, model, average, optimizer, steps)
            for group in optimizer.param_groups:
                group["lr"] = plan.rate(step)
            value = steps.step(partial(loss, context.torch_rng(name, str(step))))
            average.update_parameters(model)
            advance(1, f"loss {value:.4f}")
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
    if is_main():
        checkpoint_file(name, context).unlink(missing_ok=True)


def leave(path: Path, value: BaseModel) -> None:
    """Write ``value`` as JSON, whole or not at all, and once where there are several processes."""
    if is_main():
        write_text_whole(path, value.model_dump_json(indent=1))
    wait()


def take_up(path: Path, kind: type[Shape]) -> Shape:
    """What ``leave`` wrote.

    Raises:
        BadInputError: if another version of privbench wrote it.
    """
    try:
        return kind.model_validate_json(path.read_text("utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "content"
        raise BadInputError(
            f"'{path}' was written by another version of privbench: {where}: {first['msg']}\n"
            "delete the folder it lies in and train anew"
        ) from None


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the weights of ``model`` as safetensors, whole or not at all, and once if there are several processes."""
    if is_main():
        _write(path, model.state_dict(), WEIGHTS, {})
    wait()


def load_weights(model: nn.Module, path: Path, device: str) -> None:
    """Read weights into ``model``, which then is on ``device`` and ready for use.

    Raises:
        BadInputError: if the file is of another format or version, or holds another model.
    """
    fix = "delete the folder it lies in and train anew"
    tensors, _ = _read(path, WEIGHTS, fix)
    _fill(model, tensors, path, fix)
    model.to(device).eval().requires_grad_(False)


def _save(
    file: Path, step: int, model: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer, steps: Stepper
) -> None:
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.state_dict().items()}
    for i, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{k}": v for k, v in state.items()}
    _write(file, tensors, CHECKPOINT, {"step": step, "stepper": steps.state()})


def _load(file: Path, model: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer, steps: Stepper) -> int:
    fix = "delete the file, and training starts anew"
    tensors, about = _read(file, CHECKPOINT, fix)

    def part(prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

    _fill(model, part("model."), file, fix)
    _fill(average, part("average."), file, fix)
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in part("optimizer.").items():
        number, name = key.split(".")
        moments.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
    steps.restore(about["stepper"])
    step: int = about["step"]
    return step


def _write(path: Path, tensors: dict[str, Tensor], form: str, about: dict[str, Any]) -> None:
    # One entry: safetensors writes several in an order of chance, and equal models must be equal files.
    metadata = {"privbench": json.dumps({"format": form, "version": VERSION, **about})}
    content = save({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, metadata)
    with write_whole(path) as temporary:
        temporary.write_bytes(content)  # not save_file, which says of a full disk what only a person can read


def _read(path: Path, form: str, fix: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, "pt") as opened:
            about = json.loads((opened.metadata() or {}).get("privbench", "{}"))
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - no mapping
    except SafetensorError as error:
        raise BadInputError(f"'{path}' is not a whole safetensors file: {error}\n{fix}") from None
    found = (about.get("format", "unknown"), about.get("version", "unknown"))
    if found != (form, VERSION):
        raise BadInputError(
            f"'{path}' is of format {found[0]}, version {found[1]}; "
            f"this privbench reads {form}, version {VERSION}\n{fix}"
        )
    return tensors, about


def _fill(model: nn.Module, tensors: dict[str, Tensor], path: Path, fix: str) -> None:
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        detail = str(error).strip().split("\n")[1:2]
        raise BadInputError(
            f"'{path}' (version {VERSION}) holds another model: {detail[0].strip() if detail else error}\n{fix}"
        ) from None
