"""Training in mixed precision, and by several processes that torchrun started."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from privbench.audit.context import Context
from privbench.audit.errors import BadInputError
from privbench.generators.latent import training
from privbench.generators.latent.devices import is_main, share
from privbench.generators.latent.training import Plan, train

SCRIPT = Path(__file__).with_name("two_processes.py")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Where two processes left one model, and where each left what it knows."""
    shared, own = tmp_path_factory.mktemp("shared"), tmp_path_factory.mktemp("own")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, str(SCRIPT), str(shared), str(own)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return shared, own


def test_two_processes_learn_what_one_does(two: tuple[Path, Path], tmp_path: Path) -> None:
    sys.path.insert(0, str(SCRIPT.parent))
    import two_processes

    two_processes.fit(tmp_path)
    for part in ("autoencoder", "unet"):
        alone, together = (load_file(folder / f"{part}.safetensors") for folder in (tmp_path, two[0]))
        difference = torch.cat([(alone[name] - together[name]).abs().flatten() for name in alone])
        # Adam turns the rounding of a gradient that is nearly zero into a whole step of a thousandth: few weights'.
        assert difference.quantile(0.999) < 1e-5
        assert difference.max() < 2e-3


def test_both_processes_hold_the_same_model_and_one_writes_it(two: tuple[Path, Path]) -> None:
    shared, own = two
    for part in ("autoencoder", "unet"):
        first, second = (load_file(own / f"{name}-{part}.safetensors") for name in ("first", "second"))
        assert all(torch.equal(first[name], second[name]) for name in first)
    assert {p.name for p in shared.iterdir()} == {
        "autoencoder.json",
        "autoencoder.safetensors",
        "told.json",
        "unet.json",
        "unet.safetensors",
    }


def test_a_batch_that_cannot_be_shared_is_bad_input(two: tuple[Path, Path]) -> None:
    for name in ("first", "second"):
        message = json.loads((two[1] / f"{name}.json").read_text())
        assert "batch of 7 images" in message
        assert "multiple of 2" in message


def test_one_process_computes_the_whole_batch() -> None:
    assert is_main()
    assert list(range(7))[share(7)] == list(range(7))


class Seen(nn.Module):
    """A small network that remembers in what precision its layers computed."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.dtypes: set[torch.dtype] = set()

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.layers[0](x)
        self.dtypes.add(hidden.dtype)
        found: Tensor = self.layers[2](self.layers[1](hidden))
        return found


def trained(folder: Path, precision: str, steps: int = 60) -> tuple[Seen, float]:
    context = Context(seed=1, path=("generator",), folder=folder)
    with context.torch_scope("weights"):
        model = Seen()
    values = []

    def loss(rng: torch.Generator) -> Tensor:
        x = torch.randn((32, 4), generator=rng)
        value = ((model(x).float() - x.sum(1, keepdim=True)) ** 2).mean()
        values.append(value.item())
        return value

    train("net", model, loss, Plan(steps, 2e-2, precision=precision), context)
    return model, values[-1] / values[0]


def test_bfloat16_computes_in_bfloat16_and_keeps_full_weights(tmp_path: Path) -> None:
    full, _ = trained(tmp_path / "full", "no")
    mixed, improvement = trained(tmp_path / "mixed", "bf16")
    assert full.dtypes == {torch.float32}
    assert mixed.dtypes == {torch.bfloat16}
    assert {p.dtype for p in mixed.parameters()} == {torch.float32}
    assert improvement < 0.2
    difference = max(
        float((a - b).detach().abs().max()) for a, b in zip(full.parameters(), mixed.parameters(), strict=True)
    )
    assert 0 < difference < 0.2
    again, _ = trained(tmp_path / "auto", "auto")
    assert all(torch.equal(a, b) for a, b in zip(full.parameters(), again.parameters(), strict=True)), "full on a CPU"


def test_mixed_precision_goes_on_from_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_EVERY", 10)
    whole, _ = trained(tmp_path / "whole", "bf16")
    resumed, _ = trained(tmp_path / "whole", "bf16")  # the checkpoint of step 50 is still there
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))


def test_float16_needs_a_gpu(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"fp16.*needs a GPU"):
        trained(tmp_path, "fp16")
