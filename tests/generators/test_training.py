"""Training: its learning rates, its clipping, its checkpoints, and what it says of files that it cannot use."""

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from privbench.audit.context import Context, Silent
from privbench.audit.errors import BadInputError
from privbench.audit.store import Store
from privbench.generators.latent import training
from privbench.generators.latent.autoencoder import Autoencoder, AutoencoderShape, load_autoencoder, save_autoencoder
from privbench.generators.latent.diffusion import NoisePredictor, UNetShape, load_predictor, save_predictor
from privbench.generators.latent.training import Plan, checkpoint_file, forget, load_weights, save_weights, train


def train_a_line(context: Context, plan: Plan, width: int = 3, scale: float = 1.0) -> nn.Linear:
    """Fit a line to the sum of its inputs."""
    with context.torch_scope("weights"):
        model = nn.Linear(width, 1)

    def loss(rng: torch.Generator) -> Tensor:
        x = torch.randn((16, width), generator=rng)
        return scale * ((model(x) - x.sum(1, keepdim=True)) ** 2).mean()

    train("line", model, loss, plan, context)
    return model


@pytest.fixture
def checkpointed(context: Context, monkeypatch: pytest.MonkeyPatch) -> Context:
    """A context in whose folder a training of 20 steps left the checkpoint of step 16."""
    monkeypatch.setattr(training, "CHECKPOINT_EVERY", 8)
    train_a_line(context, Plan(20, 0.1))
    return context


def test_the_learning_rate_warms_up_and_goes_down_as_asked() -> None:
    rates = {
        kind: [Plan(1000, 0.5, schedule=kind).rate(s) for s in range(1000)] for kind in ("cosine", "linear", "constant")
    }
    for of in rates.values():
        assert of[:100] == sorted(of[:100])
        assert max(of) <= 0.5
        assert of[100] > 0.44
    assert rates["cosine"][500] == pytest.approx(0.25)
    assert rates["linear"][500] == pytest.approx(0.25)
    assert rates["linear"][750] == pytest.approx(0.125)
    assert rates["cosine"][750] == pytest.approx(0.5 * 0.5 * (1 - 0.5**0.5))
    assert set(rates["constant"][100:]) == {0.5}


def test_gradients_are_clipped_to_the_norm_asked_for(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    norms: list[float] = []
    step = torch.optim.Adam.step

    def watched(self: torch.optim.Adam, *args: object) -> object:
        norms.append(float(torch.cat([p.grad.flatten() for g in self.param_groups for p in g["params"]]).norm()))
        return step(self, *args)

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    train_a_line(context, Plan(5, 1e-3, clip=0.25), scale=100)
    assert norms == pytest.approx([0.25] * 5, rel=1e-4)
    norms.clear()
    train_a_line(context, Plan(5, 1e-3, clip=0), scale=100)
    assert min(norms) > 1


def test_a_moving_average_of_the_weights_is_kept(context: Context) -> None:
    last, averaged = (train_a_line(context, Plan(30, 0.1, ema=ema, schedule="constant")) for ema in (0.0, 0.9))
    assert (averaged.weight - 1).abs().max() > (last.weight - 1).abs().max()


def broken(change: Callable[[dict[str, str], dict[str, Tensor]], None], file: Path) -> None:
    """Write ``file`` again, with its metadata or tensors changed."""
    from safetensors import safe_open

    with safe_open(file, "pt") as opened:
        about = json.loads(opened.metadata()["privbench"])
    tensors = load_file(file)
    change(about, tensors)
    save_file(tensors, file, {"privbench": json.dumps(about)})


def test_a_checkpoint_says_what_it_is(checkpointed: Context) -> None:
    seen = {}
    broken(lambda about, _: seen.update(about), checkpoint_file("line", checkpointed))
    assert (seen["format"], seen["version"], seen["step"]) == ("privbench-checkpoint", "1", 16)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda about, _: about.update(version="9"), "privbench-checkpoint, version 9; this privbench reads"),
        (lambda about, _: about.clear(), "format unknown, version unknown"),
        (lambda about, _: about.update(format="privbench-weights"), "format privbench-weights"),
        (lambda _, tensors: tensors.update({"model.weight": torch.zeros(1, 7)}), "holds another model: size mismatch"),
        (lambda _, tensors: tensors.pop("average.module.bias"), "holds another model: Missing key"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_bad_input(
    change: Callable[..., None], message: str, checkpointed: Context
) -> None:
    file = checkpoint_file("line", checkpointed)
    broken(change, file)
    with pytest.raises(BadInputError, match=message) as caught:
        train_a_line(checkpointed, Plan(20, 0.1))
    assert str(file) in str(caught.value)
    assert "delete the file" in str(caught.value)
    assert str(caught.value).count("\n") == 1
    forget("line", checkpointed)
    train_a_line(checkpointed, Plan(20, 0.1))


def test_a_torn_checkpoint_is_bad_input(checkpointed: Context) -> None:
    file = checkpoint_file("line", checkpointed)
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(BadInputError, match="not a whole safetensors file"):
        train_a_line(checkpointed, Plan(20, 0.1))


def test_the_checkpoint_of_another_model_is_bad_input(checkpointed: Context) -> None:
    with pytest.raises(BadInputError, match=r"\(version 1\) holds another model"):
        train_a_line(checkpointed, Plan(20, 0.1), width=5)


def test_weights_of_another_version_are_bad_input(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    save_weights(nn.Linear(2, 2), file)
    load_weights(nn.Linear(2, 2), file, "cpu")
    with pytest.raises(BadInputError, match="holds another model"):
        load_weights(nn.Linear(3, 2), file, "cpu")
    broken(lambda about, _: about.update(version="2"), file)
    with pytest.raises(
        BadInputError, match=r"version 2; this privbench reads privbench-weights, version 1\n.*train anew"
    ):
        load_weights(nn.Linear(2, 2), file, "cpu")


def test_a_shape_of_another_version_is_bad_input(context: Context) -> None:
    save_autoencoder(
        Autoencoder(AutoencoderShape(image_channels=1, factor=4, channels=16, latent_channels=2)), context.folder
    )
    save_predictor(NoisePredictor(UNetShape(latent_channels=2, spatial=(4, 4), channels=16)), context.folder, "unet")
    for name, load in (
        ("autoencoder", lambda: load_autoencoder(context.folder, "cpu")),
        ("unet", lambda: load_predictor(context.folder, "unet", context)),
    ):
        load()
        file = context.folder / f"{name}.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"levels": 4}))
        with pytest.raises(BadInputError, match=r"another version of privbench: levels"):
            load()


def test_a_disk_that_fills_up_costs_no_step_and_no_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_EVERY", 4)
    store = Store(tmp_path / "store", Silent())
    write, written = Path.write_bytes, []

    def full(self: Path, content: bytes) -> int:
        if "checkpoint" in self.name:
            written.append(self)
            if len(written) == 3:
                write(self, content[: len(content) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, content)

    def fit(folder: Path) -> None:
        context = Context(seed=2, path=("generator",), folder=folder)
        save_weights(train_a_line(context, Plan(20, 0.1, ema=0.9)), folder / "line.safetensors")
        forget("line", context)

    expected = store.stage("model", {"uninterrupted": True}, fit)
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(BadInputError, match=r"store folder .* is on a full disk\nchoose another with --store"):
        store.stage("model", {"uninterrupted": False}, fit)
    (checkpoint,) = (tmp_path / "store").rglob("*.checkpoint.safetensors")
    seen = {}
    broken(lambda about, _: seen.update(about), checkpoint)
    assert seen["step"] == 8, "the one before is whole"
    assert not list((tmp_path / "store").rglob("*.tmp"))
    resumed = store.stage("model", {"uninterrupted": False}, fit)
    assert len(written) == 5, "steps 12 and 16 are written, 4 and 8 were not computed again"
    assert (resumed / "line.safetensors").read_bytes() == (expected / "line.safetensors").read_bytes()
    assert {p.name for p in resumed.iterdir()} == {p.name for p in expected.iterdir()}
