"""The latent diffusion model: what it takes, that it can be interrupted, that it can memorize."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from privbench.audit.context import Context
from privbench.audit.errors import BadInputError
from privbench.audit.target import Denoiser
from privbench.audit.types import ImageSet, TrainingData
from privbench.generators import ldm, training
from privbench.generators.ldm import Ldm

SMALL = {"channels": 16, "autoencoder_channels": 16, "batch": 8, "sampling_steps": 4}


def tiny(autoencoder_steps: int = 3, steps: int = 3, **options: object) -> Ldm:
    return Ldm(autoencoder_steps=autoencoder_steps, steps=steps, **{**SMALL, **options})


def losses(denoiser: Denoiser, images: ImageSet) -> np.ndarray:
    """Mean squared error of the predicted noise, the same noises for every image."""
    queries = denoiser.prepare(images)
    rng = torch.Generator().manual_seed(0)
    total = torch.zeros(len(images))
    for t in (200, 300, 400, 500) * 2:
        noise = torch.randn(queries.latents.shape[1:], generator=rng)
        abar = denoiser.alphas_cumprod[t]
        x_t = (abar.sqrt() * queries.latents + (1 - abar).sqrt() * noise).float()
        predicted = denoiser.predict_noise(x_t, torch.full((len(images),), t), queries.condition)
        total += ((predicted - noise) ** 2).mean((1, 2, 3))
    return total.numpy()


def test_samples_are_images_with_labels_at_the_members_frequencies(data: TrainingData, context: Context) -> None:
    uneven = replace(data, members=replace(data.members, label=np.repeat([3, 7], [4, 36]).astype(np.int64)))
    generator = tiny()
    generator.fit(uneven, context)
    samples = generator.sample(200, uneven, context.folder, context)
    assert samples.pixels.shape == (200, 1, 32, 32)
    assert samples.pixels.dtype == np.float32
    assert np.isfinite(samples.pixels).all()
    assert samples.pixels.min() >= 0
    assert samples.pixels.max() <= 1
    assert set(np.unique(samples.label)) == {3, 7}
    assert (samples.label == 7).mean() == pytest.approx(0.9, abs=0.07)
    assert len(generator.sample(None, uneven, context.folder, context)) == 40


@pytest.mark.parametrize(("shape", "channels"), [((32, 40), 1), ((48, 32), 3), ((128, 128), 2)])
def test_any_size_divisible_by_eight_will_do(shape: tuple[int, int], channels: int, context: Context) -> None:
    pixels = np.random.default_rng(0).random((4, channels, *shape), np.float32)
    members = ImageSet(pixels, np.array(list("aabb")))
    generator = tiny(1, 1)
    generator.fit(TrainingData(members), context)
    samples = generator.sample(2, TrainingData(members), context.folder, context)
    assert samples.pixels.shape == (2, channels, *shape)
    assert samples.label is None


@pytest.mark.parametrize("shape", [(1, 36, 36), (1, 24, 24), (1, 520, 32), (5, 32, 32), (1, 32, 32, 32)])
def test_other_shapes_are_bad_input(shape: tuple[int, ...], context: Context) -> None:
    members = ImageSet(np.zeros((2, *shape), np.float32), np.array(["a", "b"]))
    with pytest.raises(BadInputError, match=r"images (are|have)"):
        tiny().fit(TrainingData(members), context)


def test_the_schedule_is_a_double_precision_product(data: TrainingData, context: Context) -> None:
    generator = tiny(1, 1)
    generator.fit(data, context)
    denoiser = generator.denoiser(data, context.folder, context)
    expected = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    assert denoiser.alphas_cumprod.dtype == torch.float64
    assert np.allclose(denoiser.alphas_cumprod.numpy(), expected, rtol=1e-5)
    queries = denoiser.prepare(data.members)
    assert queries.latents.mean((0, 2, 3)).abs().max() < 1e-3
    assert queries.latents.std((0, 2, 3)).numpy() == pytest.approx(1, abs=1e-3)
    unknown = denoiser.prepare(replace(data.members, label=np.full(40, 99)))
    assert set(unknown.condition[0].tolist()) == {2}, "a label no member has is no label"


class KilledError(Exception):
    """The process is gone."""


@dataclass
class Mortal:
    """Progress that ends with the process after so many training steps."""

    left: int

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Callable[..., None]]:
        def step(n: int = 1, detail: str = "") -> None:
            if detail:
                self.left -= 1
            if self.left < 0:
                raise KilledError

        yield step

    def message(self, text: str) -> None:
        pass


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


@pytest.mark.parametrize("after", [3, 5, 11, 16])
def test_a_killed_fit_ends_as_an_uninterrupted_one(
    after: int, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_EVERY", 2)
    whole = Context(seed=3, path=("generator",), folder=tmp_path / "whole")
    killed = replace(whole, folder=tmp_path / "killed")
    tiny(9, 9).fit(data, whole)
    with pytest.raises(KilledError):
        tiny(9, 9).fit(data, replace(killed, progress=Mortal(after)))
    resumed = Mortal(1000)
    tiny(9, 9).fit(data, replace(killed, progress=resumed))
    assert 1000 - resumed.left < 18, "what was finished is not computed again"
    assert files(whole.folder) == files(killed.folder)
    assert not [name for name in files(whole.folder) if "checkpoint" in name]


def test_one_seed_gives_one_model_and_one_release(data: TrainingData, tmp_path: Path) -> None:
    releases = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        context = Context(seed=seed, path=("generator",), folder=tmp_path / name)
        tiny(augment=True).fit(data, context)
        releases.append(tiny().sample(3, data, context.folder, context).pixels)
    assert (releases[0] == releases[1]).all()
    assert not (releases[0] == releases[2]).all()


def test_an_overtrained_model_gives_its_patients_away(make_images: Callable[..., ImageSet], context: Context) -> None:
    members, holdout = make_images("member", 4, 1), make_images("holdout", 16, 1)
    data = TrainingData(members)
    generator = Ldm(
        autoencoder_steps=30,
        steps=250,
        autoencoder_channels=16,
        batch=8,
        learning_rate=3e-3,
        ema=0.98,
        sampling_steps=4,
    )
    generator.fit(data, context)
    denoiser = generator.denoiser(data, context.folder, context)
    score = -np.concatenate((losses(denoiser, members), losses(denoiser, holdout)))
    assert roc_auc_score(np.repeat([1, 0], [4, 16]), score) > 0.95


def test_a_fitted_model_can_soon_be_overfitted_to_a_few_patients(
    make_images: Callable[..., ImageSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ldm, "OVERFIT", training.Plan(steps=150, learning_rate=3e-3))
    members, known, others = (make_images(*of) for of in (("member", 12, 2), ("known", 4, 2), ("other", 12, 2)))
    generator = Ldm(autoencoder_steps=30, steps=30, autoencoder_channels=16, batch=8, sampling_steps=4)
    fitted = Context(seed=1, path=("generator",), folder=tmp_path / "fitted")
    generator.fit(TrainingData(members), fitted)
    before = files(fitted.folder)
    denoisers = [generator.denoiser(TrainingData(members), fitted.folder, fitted)]
    for name in ("overfitted", "again"):
        context = replace(fitted, folder=tmp_path / name)
        generator.overfit(TrainingData(known), fitted.folder, context)
        denoisers.append(generator.denoiser(TrainingData(known), context.folder, context))
    assert files(fitted.folder) == before, "the audited model stays as it was"
    assert files(tmp_path / "overfitted") == files(tmp_path / "again")
    truth = np.repeat([1, 0], [8, 24])
    fresh, overfitted = (
        roc_auc_score(truth, -np.concatenate((losses(d, known), losses(d, others)))) for d in denoisers[:2]
    )
    assert overfitted > 0.9
    assert overfitted > fresh + 0.2
