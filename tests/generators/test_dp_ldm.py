"""DP-LDM: what it learns from whom, what it claims, that it can be interrupted."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from opacus.accountants import PRVAccountant
from safetensors.torch import load_file

from privbench.audit.context import Context
from privbench.audit.errors import BadInputError
from privbench.audit.record import Privacy
from privbench.audit.types import ImageSet, TrainingData
from privbench.generators.dp_ldm import DpLdm
from privbench.generators.latent.diffusion import alphas_cumprod
from privbench.generators.lesions.foreground import tissue_of
from privbench.generators.private import public as dp_public
from privbench.generators.private import training as dp_training
from privbench.generators.private.public import drawn_images

SMALL = {
    "channels": 16,
    "autoencoder_channels": 16,
    "latent_channels": 4,
    "batch": 4,
    "public_batch": 4,
    "sampling_steps": 2,
    "autoencoder_steps": 2,
    "public_steps": 2,
    "steps": 3,
    "noise_multiplier": 1.0,
}


@pytest.fixture(autouse=True)
def _few_drawn_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dp_public, "DRAWN", 16)


def small(**options: object) -> DpLdm:
    return DpLdm(**{**SMALL, **options})


def claimed(generator: DpLdm, data: TrainingData, context: Context) -> Privacy:
    generator.fit(data, context)
    samples = generator.sample(2, data, context.folder, context)
    return generator.declare(samples, data, context.folder, context).privacy


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def beside(context: Context, name: str) -> Context:
    return replace(context, folder=context.folder / name)


def test_the_claim_is_what_was_done(data: TrainingData, context: Context) -> None:
    claim = claimed(small(multiplicity=2, max_grad_norm=0.5), data, context)
    accountant = PRVAccountant()
    for _ in range(3):
        accountant.step(noise_multiplier=1.0, sample_rate=4 / 10)
    assert claim.epsilon == accountant.get_epsilon(claim.delta)
    assert (claim.unit, claim.patient_epsilon, claim.patient_delta) == ("patient", claim.epsilon, claim.delta)
    assert (claim.steps, claim.sample_rate, claim.noise_multiplier, claim.delta) == (3, 0.4, 1.0, 1e-5)
    assert (claim.multiplicity, claim.max_grad_norm, claim.images_per_patient) == (2, 0.5, 4)
    assert claim.accountant == "prv"
    assert claim.public == ("autoencoder", "latent normalisation", "first weights of the denoiser")


def test_a_target_epsilon_is_kept(data: TrainingData, context: Context) -> None:
    claim = claimed(small(epsilon=5.0, noise_multiplier=None), data, context)
    assert 4.9 < claim.epsilon <= 5.0


def test_with_images_as_units_the_patient_s_epsilon_is_stated_too(data: TrainingData, context: Context) -> None:
    generator = small(unit="image", noise_multiplier=4.0)
    claim = claimed(generator, data, context)
    assert (claim.unit, claim.sample_rate) == ("image", 4 / 40)
    assert claim.patient_epsilon == pytest.approx(4 * claim.epsilon)
    assert claim.patient_delta > 4 * claim.delta
    weak = beside(context, "weak")
    assert claimed(small(unit="image", noise_multiplier=0.5), data, weak).patient_delta == 1
    notes = generator.declare(data.members, data, weak.folder, weak).notes
    assert any("leaves no claim for patients" in note for note in notes)


def test_only_public_images_make_the_autoencoder_and_the_first_weights(data: TrainingData, context: Context) -> None:
    other = replace(data, members=replace(data.members, pixels=1 - data.members.pixels))
    for name, given in (("one", data), ("other", other)):
        small().fit(given, beside(context, name))
    one, two = (files(context.folder / name) for name in ("one", "other"))
    assert {name for name in one if one[name] != two[name]} == {"unet.safetensors"}


def test_frequencies_of_labels_are_not_learnt(data: TrainingData, context: Context) -> None:
    uneven = replace(data, members=replace(data.members, label=np.repeat([3, 7], [4, 36]).astype(np.int64)))
    generator = small()
    generator.fit(uneven, context)
    label = generator.sample(400, uneven, context.folder, context).label
    assert label is not None
    assert (label == 3).mean() == pytest.approx(0.5, abs=0.1)


def test_images_without_labels_will_do(data: TrainingData, context: Context) -> None:
    bare = replace(data, members=replace(data.members, label=None))
    small().fit(bare, context)
    samples = small().sample(None, bare, context.folder, context)
    assert samples.label is None
    assert len(samples) == len(data.members)


class KilledError(Exception):
    """The process is gone."""


@dataclass
class Mortal:
    """Progress that ends with the process after so many steps."""

    left: int

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Callable[..., None]]:
        def step(n: int = 1, detail: str = "") -> None:
            self.left -= n
            if self.left < 0:
                raise KilledError

        yield step

    def message(self, text: str) -> None:
        pass


@pytest.mark.parametrize(("what", "after"), [("all", 3), ("all", 8), ("lora", 9)])
def test_a_killed_fit_ends_as_an_uninterrupted_one(
    what: str, after: int, data: TrainingData, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dp_training, "CHECKPOINT_EVERY", 2)
    whole, killed = (beside(context, name) for name in ("whole", "killed"))
    small(steps=7, trainable=what).fit(data, whole)
    with pytest.raises(KilledError):
        small(steps=7, trainable=what).fit(data, replace(killed, progress=Mortal(after)))
    resumed = Mortal(1000)
    small(steps=7, trainable=what).fit(data, replace(killed, progress=resumed))
    assert files(whole.folder) == files(killed.folder), "the same weights, the same claim"
    assert not [name for name in files(whole.folder) if "checkpoint" in name]


def test_memory_is_bounded_without_changing_the_model(data: TrainingData, context: Context) -> None:
    weights = []
    for physical in (3, 1000):
        small(physical_batch=physical).fit(data, beside(context, str(physical)))
        weights.append(load_file(context.folder / str(physical) / "unet.safetensors"))
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], rtol=1e-3, atol=1e-4)


def test_secure_noise_is_never_the_same_and_says_so(data: TrainingData, context: Context) -> None:
    one, two = (beside(context, name) for name in ("one", "two"))
    generator = small(secure_noise=True)
    assert claimed(generator, data, one).secure_noise
    generator.fit(data, two)
    assert files(one.folder)["unet.safetensors"] != files(two.folder)["unet.safetensors"]
    assert any("does not give the same" in n for n in generator.declare(data.members, data, one.folder, one).notes)
    seeded = small().declare(data.members, data, fitted(data, beside(context, "seeded")), context)
    assert any("subtract the noise" in note for note in seeded.notes)


def fitted(data: TrainingData, context: Context, **options: object) -> Path:
    small(**options).fit(data, context)
    return context.folder


@pytest.mark.parametrize(("what", "touched"), [("attention", ("attentions.",)), ("lora", (".to_q.", ".to_out."))])
def test_what_is_frozen_stays_as_public_images_made_it(
    what: str, touched: tuple[str, ...], data: TrainingData, context: Context
) -> None:
    folder = fitted(data, context, trainable=what)
    public, private = (load_file(folder / f"{name}.safetensors") for name in ("public", "unet"))
    assert set(public) == set(private), "adapters are folded in"
    changed = {name for name in public if not torch.equal(public[name], private[name])}
    assert all("attentions." in name or "class_embedding" in name for name in changed)
    for part in (*touched, "class_embedding"):
        assert any(part in name for name in changed)


def test_an_earlier_model_s_public_part_can_be_taken_up(data: TrainingData, context: Context) -> None:
    first = fitted(data, beside(context, "first"))
    three = replace(data, members=replace(data.members, label=np.arange(40, dtype=np.int64) % 3))
    generator = small(warm_start=first, public_steps=0)
    claim = claimed(generator, three, beside(context, "second"))
    one, two = files(first), files(context.folder / "second")
    assert one["autoencoder.safetensors"] == two["autoencoder.safetensors"]
    embeddings = [load_file(f / "public.safetensors") for f in (first, context.folder / "second")]
    name = "unet.class_embedding.weight"
    assert embeddings[1][name].shape[0] == 4
    assert (embeddings[1][name] == embeddings[0][name][-1]).all(), "every label starts as no label"
    assert all(torch.equal(v, embeddings[1][k]) for k, v in embeddings[0].items() if k != name)
    assert "first weights of the denoiser" in claim.public
    declared = generator.declare(three.members, three, context.folder / "second", context)
    assert any("first is taken to have been trained on public images" in note for note in declared.notes)


def test_a_warm_start_that_does_not_fit_is_refused(
    data: TrainingData, make_images: Callable[..., ImageSet], context: Context
) -> None:
    first = fitted(data, beside(context, "first"))
    larger = TrainingData(make_images("m", 3, size=40), make_images("p", 3, size=40))
    with pytest.raises(BadInputError, match="latents of 8x8, these images have 1 and 10x10"):
        small(warm_start=first).fit(larger, beside(context, "larger"))
    with pytest.raises(BadInputError, match=r"has no autoencoder\.json"):
        small(warm_start=context.folder / "nowhere").fit(data, beside(context, "none"))
    shape = json.loads((first / "public.json").read_text())
    (first / "public.json").write_text(json.dumps(shape | {"from_the_future": 1}))
    with pytest.raises(BadInputError, match="another version"):
        small(warm_start=first).fit(data, beside(context, "future"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epsilon": 3.0}, "both set"),
        ({"epsilon": 0.01, "noise_multiplier": None}, "unattainable"),
        ({"noise_multiplier": 0.01}, "protects nobody"),
        ({"delta": 0.09}, "not below 1/40"),
        ({"trainable": "lora", "public_steps": 0}, "leaves the other weights random"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_training(
    options: dict[str, object], message: str, data: TrainingData, context: Context
) -> None:
    with pytest.raises(BadInputError, match=message) as raised:
        small(unit="image", **options).fit(data, replace(context, progress=Mortal(0)))
    assert str(raised.value).count("\n") == 1
    assert not files(context.folder)


@pytest.mark.parametrize(
    ("members", "public", "message"),
    [
        ((1, 4, 32), (2, 4, 32), "one member patient"),
        ((4, 1, 36), (2, 1, 36), "images are 36x36"),
        ((4, 1, 24), (2, 1, 24), "images are 24x24"),
        ((4, 1, 32), (2, 1, 40), "public images are"),
    ],
)
def test_images_that_it_cannot_take_are_bad_input(
    members: tuple[int, int, int],
    public: tuple[int, int, int],
    message: str,
    make_images: Callable[..., ImageSet],
    context: Context,
) -> None:
    given = TrainingData(make_images("m", *members), make_images("p", *public))
    with pytest.raises(BadInputError, match=message):
        small().fit(given, context)
    with pytest.raises(BadInputError, match="no public images"):
        small().fit(TrainingData(given.members), context)


def test_a_network_without_attention_has_none_to_train(context: Context) -> None:
    pixels = np.random.default_rng(0).random((2, 1, 272, 264), np.float32)
    given = TrainingData(*(ImageSet(pixels, np.array([f"{part}0", f"{part}1"])) for part in "mp"))
    with pytest.raises(BadInputError, match="no attention layer"):
        small(trainable="lora").fit(given, replace(context, progress=Mortal(0)))


def test_lesions_are_drawn_into_tissue_and_nowhere_else(data: TrainingData) -> None:
    assert data.public is not None
    untouched, nowhere = drawn_images(data.public, 0.0, 20, np.random.default_rng(0))
    known = {image.tobytes() for image in data.public.pixels}
    assert all(image.numpy().tobytes() in known for image in untouched)
    assert not nowhere.any()
    images, lesions = drawn_images(data.public, 1.0, 20, np.random.default_rng(0))
    assert lesions.flatten(1).any(1).all()
    inside = np.any([tissue_of(image) for image in data.public.pixels], axis=0)
    assert not (lesions.numpy()[:, 0] & ~inside).any()
    assert float(images.min()) >= 0
    assert float(images.max()) <= 1


@pytest.mark.parametrize(("schedule", "prediction"), [("cosine", "epsilon"), ("linear", "v")])
def test_schedule_prediction_and_sampler_are_as_asked(
    data: TrainingData, context: Context, schedule: str, prediction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def target(self: object, x_0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        made = original(self, x_0, noise, t)
        seen.append(torch.equal(made, noise))
        return made

    original = dp_training.NoisePredictor.target
    monkeypatch.setattr(dp_training.NoisePredictor, "target", target)
    generator = small(schedule=schedule, prediction=prediction, sampler="dpm-solver", public_steps=0, sampling_batch=2)
    generator.fit(data, context)
    assert set(seen) == {prediction == "epsilon"}
    denoiser = generator.denoiser(data, context.folder, context)
    assert torch.equal(denoiser.alphas_cumprod, alphas_cumprod(schedule))
    drawn = generator.sample(3, data, context.folder, context)
    other = small(schedule=schedule, prediction=prediction, public_steps=0).sample(3, data, context.folder, context)
    assert np.isfinite(drawn.pixels).all()
    assert not np.array_equal(drawn.pixels, other.pixels)
