"""Several processes for one audit, as ``accelerate launch`` or ``torchrun`` start them: they train together, once."""

import os

_STARTED = ("WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def rank() -> int:
    """Which of the processes this is; 0 for the first, and for one that is alone."""
    return int(os.environ.get("RANK", "0")) if int(os.environ.get("WORLD_SIZE", "1")) > 1 else 0


def meet(device: str) -> None:
    """Wait for the others, and on GPUs take the one of this process: before a generator builds its first network."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from accelerate import PartialState

        PartialState(cpu=device == "cpu")


def part() -> None:
    """Be alone from here on: what is trained later, for a certificate or a metric, this process trains by itself."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from accelerate.state import AcceleratorState
        from torch import distributed

        AcceleratorState._reset_state(reset_partial_state=True)  # noqa: SLF001
        if distributed.is_initialized():
            distributed.destroy_process_group()
    for name in _STARTED:
        os.environ.pop(name, None)
