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
from privbench.generators import ldm
from privbench.generators.latent import training
from privbench.generators.latent.diffusion import alphas_cumprod
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


def test_a_sample_follows_the_record_of_its_source(data: TrainingData, context: Context) -> None:
    generator, members = tiny(), data.members
    generator.fit(data, context)
    samples = generator.sample(20, data, context.folder, context)
    assert samples.source is not None
    assert {*samples.source.tolist()} == {*members.patient.tolist()}, "patients are taken evenly"
    for i, patient in enumerate(samples.source):
        theirs = members.patient == patient
        assert samples.label[i] in members.label[theirs]
        assert samples.center[i] in members.center[theirs]
        assert samples.mask[i].any()
        assert not (members.mask == samples.mask[i]).all((1, 2)).any(), "no member's own mask is released"


@pytest.mark.parametrize("lesion", ["mask", "box", "attributes", "none"])
def test_lesions_can_be_told_in_several_ways(lesion: str, data: TrainingData, context: Context) -> None:
    generator = tiny(1, 2, lesion=lesion, augment=True)
    generator.fit(data, context)
    samples = generator.sample(3, data, context.folder, context)
    assert (samples.mask is not None) == (lesion == "mask")
    assert (samples.source is not None) == (lesion != "none")
    queries = generator.denoiser(data, context.folder, context).prepare(data.members)
    assert {len(part) for part in queries.condition} == {40}


def test_an_unconditional_model_is_told_nothing(data: TrainingData, context: Context) -> None:
    generator = tiny(label=False, center=False, lesion="none")
    generator.fit(data, context)
    samples = generator.sample(3, data, context.folder, context)
    assert (samples.label, samples.center, samples.mask, samples.source) == (None, None, None, None)
    denoiser = generator.denoiser(data, context.folder, context)
    bare = ImageSet(data.members.pixels, data.members.patient)
    for told, free in zip(denoiser.prepare(data.members).condition, denoiser.prepare(bare).condition, strict=True):
        assert torch.equal(told, free)


def test_an_attack_can_ask_for_the_unconditional_noise(data: TrainingData, context: Context) -> None:
    generator = tiny(1, 10)
    generator.fit(data, context)
    denoiser = generator.denoiser(data, context.folder, context)
    queries, bare = (denoiser.prepare(of) for of in (data.members, ImageSet(data.members.pixels, data.members.patient)))
    t = torch.full((40,), 300)
    told, free, same = (
        denoiser.predict_noise(queries.latents, t, condition)
        for condition in (queries.condition, denoiser.unconditional(queries.condition), bare.condition)
    )
    assert torch.equal(free, same)
    assert (told - free).abs().amax((1, 2, 3)).min() > 0


@pytest.mark.parametrize("asked", [{"label": True}, {"center": True}, {"lesion": "mask"}, {"lesion": "attributes"}])
def test_asking_for_what_a_cohort_lacks_is_bad_input(asked: dict, data: TrainingData, context: Context) -> None:
    bare = TrainingData(ImageSet(data.members.pixels, data.members.patient))
    with pytest.raises(BadInputError, match="the cohort's members have no"):
        tiny(**asked).fit(bare, context)
    assert not list(context.folder.iterdir()), "before any training"
    tiny(1, 1).fit(bare, context)


def test_guidance_needs_a_model_that_learnt_to_do_without(data: TrainingData, context: Context) -> None:
    with pytest.raises(BadInputError, match="guidance=2 with drop=0"):
        tiny(guidance=2.0, drop=0.0).fit(data, context)


@pytest.mark.parametrize(
    "options",
    [
        {"schedule": "cosine", "prediction": "epsilon", "sampler": "dpm-solver", "guidance": 2.0},
        {"prediction": "epsilon", "rate_schedule": "linear", "precision": "bf16", "clip": 0.0},
        {"schedule": "cosine", "rate_schedule": "constant", "guidance": 0.0},
    ],
)
def test_every_choice_trains_and_samples(options: dict, data: TrainingData, context: Context) -> None:
    generator = tiny(2, 6, **options)
    generator.fit(data, context)
    pixels = generator.sample(3, data, context.folder, context).pixels
    assert np.isfinite(pixels).all()
    assert pixels.std() > 0
    denoiser = generator.denoiser(data, context.folder, context)
    name = options.get("schedule", "linear")
    assert torch.equal(denoiser.alphas_cumprod, alphas_cumprod(name))


def test_lesions_appear_where_the_mask_says(data: TrainingData, context: Context) -> None:
    generator = Ldm(
        autoencoder_steps=60,
        steps=150,
        autoencoder_channels=16,
        batch=16,
        learning_rate=3e-3,
        ema=0.98,
        sampling_steps=10,
        guidance=1.5,
    )
    generator.fit(data, context)
    samples = generator.sample(30, data, context.folder, context)

    def contrast(images: ImageSet, mask: np.ndarray) -> float:
        grey = images.pixels[:, 0]
        tissue = (mask == 0) & (grey > 0.2)
        return float(np.mean([g[m > 0].mean() - g[t].mean() for g, m, t in zip(grey, mask, tissue, strict=True)]))

    assert contrast(data.members, data.members.mask) == pytest.approx(0.3, abs=0.05)
    assert contrast(samples, samples.mask) > 0.2
    assert abs(contrast(samples, samples.mask[::-1])) < 0.1


@pytest.mark.parametrize(
    ("shape", "channels"), [((32, 40), 1), ((48, 32), 3), ((64, 64), 4), ((128, 128), 2), ((512, 512), 1)]
)
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
