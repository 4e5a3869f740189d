"""A pipeline that somebody else trained is read, sampled and queried as diffusers itself would."""

import socket
from dataclasses import replace

import diffusers
import numpy as np
import pytest
import torch

from privbench.audit.errors import BadInputError
from privbench.audit.types import TrainingData
from privbench.generators.diffusers import Diffusers
from privbench.generators.pipelines.classes import classes_for
from privbench.generators.pipelines.denoiser import PipelineDenoiser, epsilon
from privbench.generators.pipelines.files import SCHEDULERS, read_contents
from privbench.generators.pipelines.parts import load_pipeline
from privbench.generators.pipelines.sampling import draw, steps_of

from .made_pipelines import LATENTS, SIZE, ddpm, dit, kl, ldm, vq

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:diffusers", "ignore:__array_wrap__")
CLASSES = {"num_class_embeds": 3}


def loaded(path):
    return load_pipeline(path, read_contents(path), "cpu")


def noise(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def seeded(seed=1):
    return torch.Generator().manual_seed(seed)


def drawn(path, n=2, classes=None, **options):
    return torch.cat(list(draw(loaded(path), classes, n, seeded(), **options))).numpy()


def theirs(images):
    return np.moveaxis(images, -1, 1)


@pytest.fixture
def members(make_images):
    return make_images("member", 3, per_patient=2, size=SIZE)


@pytest.fixture
def small(members):
    return TrainingData(members)


@pytest.mark.parametrize("zero_snr", [False, True])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_epsilon_follows_from_what_the_network_predicts(tmp_path, prediction, zero_snr):
    scheduler = diffusers.DDPMScheduler(prediction_type=prediction, rescale_betas_zero_snr=zero_snr)
    path = ddpm(tmp_path / "p", scheduler)
    network = diffusers.UNet2DModel.from_pretrained(path, subfolder="unet")
    t = torch.tensor([0, 1, 250, 700, 999])
    x_t = noise(0, len(t), 1, SIZE, SIZE)
    with torch.no_grad():
        output = network(x_t, t).sample.double()
    abar = scheduler.alphas_cumprod.double()[t][:, None, None, None]
    expected = {
        "epsilon": output,
        "v_prediction": abar.sqrt() * output + (1 - abar).sqrt() * x_t,
        "sample": (x_t - abar.sqrt() * output) / (1 - abar).sqrt(),
    }[prediction]
    found = PipelineDenoiser(loaded(path), None, 2).predict_noise(x_t, t, ())
    scale = expected.flatten(1).abs().amax(1).clamp_min(1)[:, None, None, None]
    torch.testing.assert_close(found.double() / scale, expected / scale, atol=1e-5, rtol=0)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_a_network_that_predicts_its_target_exactly_gives_the_noise_that_was_added(tmp_path, prediction):
    scheduler = diffusers.DDPMScheduler(prediction_type=prediction, beta_schedule="scaled_linear")
    t = torch.tensor([3, 250, 700, 999])
    image, added = noise(1, len(t), 1, SIZE, SIZE), noise(2, len(t), 1, SIZE, SIZE)
    target = {"epsilon": added, "v_prediction": scheduler.get_velocity(image, added, t), "sample": image}[prediction]

    class Exact(torch.nn.Module):
        def forward(self, x_t, timestep):
            return diffusers.models.unets.unet_2d.UNet2DOutput(sample=target)

    pipeline = replace(loaded(ddpm(tmp_path / "p", scheduler)), network=Exact())
    found = epsilon(pipeline, scheduler.add_noise(image, added, t), t, None)
    torch.testing.assert_close(found, added, atol=2e-5, rtol=0)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
        {"beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 200},
        {"trained_betas": np.linspace(1e-3, 0.3, 50).tolist(), "num_train_timesteps": 50},
    ],
)
def test_the_noise_levels_are_the_schedulers(tmp_path, options):
    scheduler = diffusers.DDIMScheduler(**options)
    found = PipelineDenoiser(loaded(ddpm(tmp_path / "p", scheduler)), None, 4).alphas_cumprod
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, scheduler.alphas_cumprod.double(), atol=0, rtol=0)


def test_a_last_level_without_signal_is_never_divided_by(tmp_path):
    scheduler = diffusers.DDIMScheduler(rescale_betas_zero_snr=True, prediction_type="v_prediction")
    pipeline = loaded(ddpm(tmp_path / "p", scheduler))
    assert float(scheduler.alphas_cumprod[-1]) == 0
    abar = PipelineDenoiser(pipeline, None, 4).alphas_cumprod
    torch.testing.assert_close(abar, scheduler.alphas_cumprod.double(), atol=1e-7, rtol=0)
    assert bool((1 / abar).isfinite().all())
    last = torch.tensor([len(abar) - 1])
    assert bool(epsilon(pipeline, noise(0, 1, 1, SIZE, SIZE), last, None).isfinite().all())


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_ddim_draws_what_the_pipeline_draws(tmp_path, prediction):
    path = ddpm(tmp_path / "p", diffusers.DDIMScheduler(prediction_type=prediction))
    own = diffusers.DDIMPipeline.from_pretrained(path)
    own.set_progress_bar_config(disable=True)
    expected = own(batch_size=2, generator=seeded(), num_inference_steps=7, output_type="np").images
    np.testing.assert_allclose(drawn(path, steps=7), theirs(expected), atol=1e-5)
    np.testing.assert_allclose(drawn(path, steps=7, sampler="ddim"), theirs(expected), atol=1e-5)


@pytest.mark.parametrize("variance", ["fixed_small", "learned_range"])
def test_ddpm_draws_what_the_pipeline_draws_with_all_its_steps(tmp_path, variance):
    scheduler = diffusers.DDPMScheduler(30, variance_type=variance, beta_end=0.3)
    path = ddpm(tmp_path / "p", scheduler, out_channels=2 if variance == "learned_range" else 1)
    own = diffusers.DDPMPipeline.from_pretrained(path)
    own.set_progress_bar_config(disable=True)
    expected = own(batch_size=2, generator=seeded(), num_inference_steps=30, output_type="np").images
    np.testing.assert_allclose(drawn(path), theirs(expected), atol=1e-5)


def test_latent_diffusion_draws_what_the_pipeline_draws(tmp_path):
    path = ldm(tmp_path / "p")
    own = diffusers.LDMPipeline.from_pretrained(path)
    own.set_progress_bar_config(disable=True)
    expected = own(batch_size=2, generator=seeded(), num_inference_steps=5, output_type="np").images
    assert expected.std() > 0.001
    np.testing.assert_allclose(drawn(path, steps=5), theirs(expected), atol=1e-5)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_a_transformer_draws_what_the_pipeline_draws_of_the_classes_asked_for(tmp_path, guidance):
    path = dit(tmp_path / "p")
    own = diffusers.DiTPipeline.from_pretrained(path)
    own.set_progress_bar_config(disable=True)
    options = {"generator": seeded(), "num_inference_steps": 5, "output_type": "np"}
    expected = own([2, 7], guidance_scale=guidance, **options).images
    assert loaded(path).unconditional == 1000
    found = drawn(path, classes=torch.tensor([2, 7]), steps=5, guidance=guidance, null=1000)
    np.testing.assert_allclose(found, theirs(expected), atol=1e-5)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_supported_scheduler_draws_images_from_the_generator_it_is_given(tmp_path, name):
    path = ddpm(tmp_path / "p", getattr(diffusers, name)(num_train_timesteps=100))
    before = torch.get_rng_state()
    first, second = drawn(path, steps=4), drawn(path, steps=4)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", ["DDPMScheduler", "HeunDiscreteScheduler"])
def test_progress_reaches_its_end_when_the_last_image_is_drawn(tmp_path, name):
    pipeline = loaded(ddpm(tmp_path / "p", getattr(diffusers, name)(num_train_timesteps=100)))
    done = []
    for _ in draw(pipeline, None, 3, seeded(), steps=4, batch=2, advance=done.append):
        pass
    assert sum(done) == 3 * steps_of(pipeline, "own", 4)


def test_dpm_solver_arrives_where_many_steps_of_ddim_do(tmp_path):
    path = ddpm(tmp_path / "p", diffusers.DDPMScheduler(clip_sample=False))
    exact = drawn(path, n=1, sampler="ddim", steps=250)
    assert np.abs(drawn(path, n=1, sampler="dpm-solver", steps=25) - exact).mean() < 0.02


@pytest.mark.parametrize("shift", [None, 0.3])
def test_latents_of_a_kl_autoencoder_are_shifted_then_scaled(tmp_path, members, shift):
    path = ldm(tmp_path / "p", kl(scaling_factor=0.25, shift_factor=shift))
    own = diffusers.AutoencoderKL.from_pretrained(path, subfolder="vqvae")
    pipeline = loaded(path)
    pixels = torch.from_numpy(2 * members.pixels - 1)
    with torch.no_grad():
        latents = own.encode(pixels).latent_dist.mode()
        image = own.decode(latents).sample / 2 + 0.5
    found = pipeline.encode(members)
    assert found.shape == (len(members), LATENTS, SIZE // 2, SIZE // 2)
    torch.testing.assert_close(found, (latents - (shift or 0)) * 0.25, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(pipeline.decode(found), image.clamp(0, 1), atol=1e-5, rtol=1e-5)


def test_latents_of_a_vector_quantized_autoencoder_are_taken_before_quantization(tmp_path, members):
    path = ldm(tmp_path / "p", vq(scaling_factor=0.6))
    own = diffusers.VQModel.from_pretrained(path, subfolder="vqvae")
    pipeline = loaded(path)
    with torch.no_grad():
        latents = own.encode(torch.from_numpy(2 * members.pixels - 1)).latents
        image = own.decode(latents).sample / 2 + 0.5
    torch.testing.assert_close(pipeline.encode(members), latents * 0.6, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(pipeline.decode(latents * 0.6), image.clamp(0, 1), atol=1e-5, rtol=1e-5)


def test_pixels_of_a_pixel_model_come_back_as_they_were(tmp_path, members):
    pipeline = loaded(ddpm(tmp_path / "p"))
    np.testing.assert_allclose(pipeline.decode(pipeline.encode(members)).numpy(), members.pixels, atol=1e-6)


def test_the_denoiser_asks_for_the_class_of_each_image(tmp_path, small, context):
    path = ddpm(tmp_path / "p", **CLASSES)
    generator = Diffusers(path=path, batch=2)
    generator.fit(small, context)
    denoiser = generator.denoiser(small, context.folder, context)
    queries = denoiser.prepare(small.members)
    np.testing.assert_array_equal(queries.condition[0], small.members.label)
    network = diffusers.UNet2DModel.from_pretrained(path, subfolder="unet")
    x_t, t = noise(0, len(queries), 1, SIZE, SIZE), torch.arange(len(queries)) * 100
    with torch.no_grad():
        expected = network(x_t, t, class_labels=torch.from_numpy(small.members.label)).sample
    torch.testing.assert_close(denoiser.predict_noise(x_t, t, queries.condition), expected, atol=1e-5, rtol=0)


def test_labels_are_drawn_at_the_members_frequencies_and_mapped_as_asked(tmp_path, small, context):
    path = ddpm(tmp_path / "p", diffusers.DDIMScheduler(), **CLASSES)
    generator = Diffusers(path=path, sampling_steps=1, classes="0:2,1:0", batch=300)
    generator.fit(small, context)
    images = generator.sample(300, small, context.folder, context)
    share = (small.members.label == 0).mean()
    assert abs((images.label == 0).mean() - share) < 0.1
    classes = classes_for(loaded(path), small.members, "0:2,1:0", None)
    np.testing.assert_array_equal(classes.of(small.members), np.where(small.members.label == 0, 2, 0))


def test_a_label_that_no_member_has_counts_as_none_or_is_refused(tmp_path, small):
    pipeline = loaded(ddpm(tmp_path / "p", **CLASSES))
    strange = replace(small.members, label=np.full(len(small.members), 9))
    with pytest.raises(BadInputError, match="label 9, which no member has"):
        classes_for(pipeline, small.members, "", None).of(strange)
    assert set(classes_for(pipeline, small.members, "", 0).of(strange).tolist()) == {0}
    assert set(classes_for(pipeline, small.members, "", 0).of(small.members).tolist()) == {1, 2}
    assert set(classes_for(pipeline, small.members, "0:0,1:1,9:2", None).of(strange).tolist()) == {2}


def test_a_conditioned_pipeline_draws_unlabelled_images_where_the_cohort_has_no_labels(tmp_path, small, context):
    data = TrainingData(replace(small.members, label=None))
    generator = Diffusers(path=ddpm(tmp_path / "p", **CLASSES), null_class=2, sampling_steps=1)
    generator.fit(data, context)
    assert generator.sample(2, data, context.folder, context).label is None


def test_no_more_images_than_a_batch_are_in_the_networks_at_once(tmp_path, small, context, monkeypatch):
    rows = []
    for kind in (diffusers.UNet2DModel, diffusers.VQModel):
        method = "forward" if kind is diffusers.UNet2DModel else "decode"
        plain = getattr(kind, method)

        def watched(self, x, *args, plain=plain, **options):
            rows.append(len(x))
            return plain(self, x, *args, **options)

        monkeypatch.setattr(kind, method, watched)
    generator = Diffusers(path=ldm(tmp_path / "p"), sampling_steps=2, batch=3)
    generator.fit(small, context)
    assert len(generator.sample(7, small, context.folder, context)) == 7
    denoiser = generator.denoiser(small, context.folder, context)
    queries = denoiser.prepare(small.members)
    denoiser.predict_noise(queries.latents, torch.zeros(len(queries), dtype=torch.long), queries.condition)
    assert max(rows) == 3


def test_nothing_is_asked_of_the_network_or_unpickled(tmp_path, small, context, monkeypatch):
    path = dit(tmp_path / "p")

    def refuse(*args, **options):
        raise AssertionError("asked for")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(torch, "load", refuse)
    generator = Diffusers(path=path, sampling_steps=1, null_class=None)
    generator.fit(small, context)
    assert len(generator.sample(1, small, context.folder, context)) == 1


def test_weights_in_several_files_are_read(tmp_path):
    path = ddpm(tmp_path / "p")
    whole = loaded(path).network
    (path / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    whole.save_pretrained(path / "unet", max_shard_size="20KB")
    assert len(list((path / "unet").glob("*.safetensors"))) > 1
    pieces = loaded(path).network.state_dict()
    assert all(torch.equal(value, pieces[name]) for name, value in whole.state_dict().items())


def test_what_is_stated_names_kind_schedule_size_and_what_was_left_aside(tmp_path, small, context):
    path = ldm(tmp_path / "p")
    (path / "unet_ema").mkdir()
    generator = Diffusers(path=path, sampling_steps=1)
    generator.fit(small, context)
    images = generator.sample(1, small, context.folder, context)
    said = "\n".join(generator.declare(images, small, context.folder, context).notes)
    weights = sum(p.numel() for p in loaded(path).network.parameters())
    for expected in ("LDMPipeline", f"{weights:,} weights", "VQModel, times 0.6", "DDIMScheduler with 1000", "v_predi"):
        assert expected in said
    assert "not audited: unet_ema" in said
    assert "trained elsewhere" in said


def test_a_pipeline_that_changes_during_the_audit_is_refused(tmp_path, small, context):
    path = ddpm(tmp_path / "p")
    generator = Diffusers(path=path)
    generator.fit(small, context)
    config = path / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace('"epsilon"', '"sample"'))
    with pytest.raises(BadInputError, match="has changed since the audit began"):
        generator.denoiser(small, context.folder, context)


def test_half_precision_weights_are_used_in_full(tmp_path):
    path = ddpm(tmp_path / "p")
    model = diffusers.UNet2DModel.from_pretrained(path, subfolder="unet", torch_dtype=torch.float16)
    model.save_pretrained(path / "unet")
    assert {p.dtype for p in loaded(path).network.parameters()} == {torch.float32}
