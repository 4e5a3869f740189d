"""What a training runs on: one process or several, in full or in mixed precision. accelerate does what is not plain."""

import os
from collections.abc import Callable
from typing import Literal, Protocol

import torch
from torch import Tensor, distributed, nn

from ...audit.errors import BadInputError

Precision = Literal["auto", "no", "fp16", "bf16"]


class Stepper(Protocol):
    """Makes optimiser steps."""

    def step(self, loss: Callable[[], Tensor]) -> float:
        """Lower ``loss`` by one step and say what it was."""
        ...

    def state(self) -> dict[str, float]:
        """What the next step depends on beside weights and optimiser: the scale of fp16's gradients."""
        ...

    def restore(self, state: dict[str, float]) -> None:
        """Go on from what ``state`` said."""
        ...


def join(device: str) -> None:
    """Become one of the processes that ``accelerate launch`` or ``torchrun`` started; nothing where they did not.

    From then on ``share`` and ``is_main`` answer for this process, and "cuda" is its own device.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not _several():
        from accelerate import PartialState

        PartialState(cpu=device == "cpu")


def is_main() -> bool:
    """Whether this process writes the files: the only one, or the first of several."""
    return not _several() or distributed.get_rank() == 0


def wait() -> None:
    """Wait until every process has come here, so that none reads what the first has not yet written."""
    if _several():
        distributed.barrier()


def share(n: int) -> slice:
    """The rows of a batch of ``n`` that this process computes; all of them where it is the only one.

    Raises:
        BadInputError: if the rows cannot be shared equally, so that the mean of the shares' means is the batch's.
    """
    if not _several():
        return slice(None)
    rank, world = distributed.get_rank(), distributed.get_world_size()
    if n % world:
        raise BadInputError(
            f"a batch of {n} images cannot be shared equally by {world} processes\n"
            f"set the generator's option batch to a multiple of {world}"
        )
    return slice(rank * n // world, (rank + 1) * n // world)


def stepper(
    model: nn.Module, optimizer: torch.optim.Optimizer, clip: float, precision: Precision, device: str
) -> Stepper:
    """How to train ``model`` here: plainly, or through accelerate where there are several processes or mixed precision.

    Args:
        model: what is trained.
        optimizer: of its weights.
        clip: largest norm of the gradient; 0: any.
        precision: ``auto`` is bfloat16 on a GPU that has it, else float16 on a GPU, and full precision on a CPU.
        device: where the model is.

    Raises:
        BadInputError: if the device cannot compute in that precision.
    """
    join(device)
    cpu = device == "cpu"
    if precision == "auto":
        precision = "no" if cpu else "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    if precision == "fp16" and cpu:
        raise BadInputError("precision 'fp16' needs a GPU, the device is 'cpu'\nset precision to bf16 or no")
    if precision == "no" and not _several():
        return _Plain(model, optimizer, clip)
    return _Accelerated(model, optimizer, clip, precision, cpu=cpu)


class _Plain:
    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, clip: float) -> None:
        self.model, self.optimizer, self.clip = model, optimizer, clip

    def step(self, loss: Callable[[], Tensor]) -> float:
        value = loss()
        self.optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        if self.clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        return value.item()

    def state(self) -> dict[str, float]:
        return {}

    def restore(self, state: dict[str, float]) -> None:
        """Nothing to restore."""


class _Accelerated:
    """The same with autocast, a scaled loss where fp16 asks for it, and the mean gradient of all processes.

    The gradients are averaged here rather than by wrapping the model in DistributedDataParallel: a loss may then call
    whatever method of the model it likes, not only ``forward``.
    """

    def __init__(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, clip: float, precision: str, *, cpu: bool
    ) -> None:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState

        # accelerate keeps one precision and device a process; here each model that is trained has its own.
        AcceleratorState._reset_state(reset_partial_state=not _several())  # noqa: SLF001
        self.accelerator = Accelerator(mixed_precision=precision, cpu=cpu)
        self.model, self.clip = model, clip
        self.optimizer = self.accelerator.prepare_optimizer(optimizer, device_placement=False)

    def step(self, loss: Callable[[], Tensor]) -> float:
        with self.accelerator.autocast():
            value = loss()
        self.optimizer.zero_grad()
        self.accelerator.backward(value)
        if self.accelerator.num_processes > 1:
            self._average()
        if self.clip:
            self.accelerator.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        return value.item()

    def _average(self) -> None:
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        mean = self.accelerator.reduce(torch.cat([g.reshape(-1) for g in gradients]), reduction="mean")
        for gradient, own in zip(gradients, mean.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(own.view_as(gradient))

    def state(self) -> dict[str, float]:
        scaler = self.accelerator.scaler
        return {} if scaler is None else {name: float(value) for name, value in scaler.state_dict().items()}

    def restore(self, state: dict[str, float]) -> None:
        if self.accelerator.scaler is not None and state:
            whole = {"growth_interval", "_growth_tracker"}
            self.accelerator.scaler.load_state_dict({k: int(v) if k in whole else v for k, v in state.items()})


def _several() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
