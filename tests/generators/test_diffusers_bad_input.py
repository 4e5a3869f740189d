"""What cannot be audited is refused before anything runs, and the message says which part it is and what to do."""

import json
import shutil
from dataclasses import replace

import diffusers
import pytest
import torch
from safetensors.torch import load_file, save_file

from privbench.audit import registry
from privbench.audit.errors import BadInputError
from privbench.audit.types import TrainingData
from privbench.generators.diffusers import Diffusers

from .made_pipelines import LATENTS, SIZE, ddpm, dit, kl, ldm, unet

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture
def members(make_images):
    return make_images("member", 2, per_patient=2, size=SIZE)


@pytest.fixture
def refused(members, context):
    """The message with which a pipeline is refused."""

    def message(path, data=None, **options):
        with pytest.raises(BadInputError) as caught:
            Diffusers(path=path, **options).fit(data or TrainingData(members), context)
        said = str(caught.value)
        assert said.count("\n") <= 1
        assert list(context.folder.iterdir()) == [] or not (context.folder / "pipeline.json").exists()
        return said

    return message


@pytest.fixture
def home(tmp_path_factory):
    """Where pipelines lie: not the folder of the model."""
    return tmp_path_factory.mktemp("home")


def edited(path, file, **changes):
    content = json.loads((path / file).read_text()) | changes
    (path / file).write_text(json.dumps({k: v for k, v in content.items() if v is not ...}))
    return path


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_path_without_a_pipeline(refused, home, name):
    (home / "empty").mkdir()
    assert f"{name} is no folder with model_index.json\nsave the whole pipeline with" in refused(home / name)


def test_a_name_on_a_model_hub_is_never_looked_up(refused, home, monkeypatch):
    monkeypatch.chdir(home)
    assert "google/ddpm-cat-256 is no folder" in refused("google/ddpm-cat-256")


def test_an_index_that_is_no_json(refused, home):
    path = ddpm(home / "p")
    (path / "model_index.json").write_text("{")
    assert "model_index.json is no JSON file" in refused(path)


def test_a_pipeline_class_of_its_own(refused, home):
    path = edited(ddpm(home / "p"), "model_index.json", _class_name=["pipeline_own", "OwnPipeline"])
    said = refused(path)
    assert "pipeline class ['pipeline_own', 'OwnPipeline'], which diffusers" in said
    assert "never run" in said
    assert "docs/adapters.md" in said
    assert "'OwnPipeline'" in refused(edited(path, "model_index.json", _class_name="OwnPipeline"))


def test_code_that_comes_with_a_part_is_not_run(refused, home):
    path = edited(ddpm(home / "p"), "model_index.json", unet=["own_unet", "OwnUNet"])
    (path / "unet" / "own_unet.py").write_text("raise SystemExit('run')")
    assert "part 'unet' of class 'own_unet.OwnUNet'" in refused(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]}
            | {
                "feature_extractor": ["transformers", "CLIPImageProcessor"],
                "tokenizer": ["transformers", "CLIPTokenizer"],
            }
            | {"text_encoder": ["transformers", "CLIPTextModel"], "safety_checker": ["stable_diffusion", "Safety"]},
            "part 'text_encoder' (CLIPTextModel) is not supported: the model is conditioned on text",
        ),
        (
            {"unet": ["diffusers", "UNet2DConditionModel"]},
            "part 'unet' (UNet2DConditionModel) is not supported: only UNet2DModel is",
        ),
        (
            {"unet": ..., "transformer": ["diffusers", "FluxTransformer2DModel"]},
            "part 'transformer' (FluxTransformer2DModel) is not supported: only DiTTransformer2DModel",
        ),
        (
            {"scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"]},
            "part 'scheduler' (FlowMatchEulerDiscreteScheduler) is not supported: the noise levels",
        ),
        (
            {"scheduler": ["diffusers", "EDMEulerScheduler"]},
            "part 'scheduler' (EDMEulerScheduler) is not supported: the noise levels",
        ),
        (
            {"vae": ["diffusers", "AutoencoderTiny"]},
            "part 'vae' (AutoencoderTiny) is not supported: only AutoencoderKL",
        ),
        ({"mel": ["diffusers", "Mel"]}, "part 'mel' (Mel) is not supported"),
        ({"transformer": ["diffusers", "DiTTransformer2DModel"]}, "part 'transformer' (DiTTransformer2DModel) is not"),
    ],
)
def test_the_part_of_an_unsupported_kind_is_named(refused, home, changes, said):
    assert said in refused(edited(ddpm(home / "p"), "model_index.json", **changes))


@pytest.mark.parametrize(
    ("scheduler", "said"),
    [
        (
            diffusers.DPMSolverMultistepScheduler(use_flow_sigmas=True, prediction_type="flow_prediction"),
            "flow matching",
        ),
        (diffusers.EulerDiscreteScheduler(timestep_type="continuous"), "continuous noise levels"),
    ],
)
def test_a_schedule_that_has_no_discrete_levels(refused, home, scheduler, said):
    message = refused(ddpm(home / "p", scheduler))
    assert "part 'scheduler'" in message
    assert said in message


def test_a_schedule_that_diffusers_does_not_know(refused, home):
    path = edited(ddpm(home / "p"), "scheduler/scheduler_config.json", beta_schedule="own")
    assert "part 'scheduler' does not load" in refused(path)
    edited(path, "scheduler/scheduler_config.json", beta_schedule="linear", prediction_type="own")
    assert "prediction type 'own'" in refused(path)


def test_a_pipeline_without_a_scheduler(refused, home):
    path = ddpm(home / "p")
    shutil.rmtree(path / "scheduler")
    assert "part 'scheduler' has no scheduler_config.json" in refused(path)
    assert "has no part 'scheduler'" in refused(edited(path, "model_index.json", scheduler=[None, None]))


def test_weights_in_a_pickle_only(refused, home, monkeypatch):
    path = ddpm(home / "p")
    state = load_file(path / "unet" / WEIGHTS)
    (path / "unet" / WEIGHTS).unlink()
    torch.save(state, path / "unet" / "diffusion_pytorch_model.bin")
    monkeypatch.setattr(torch, "load", lambda *args, **options: pytest.fail("unpickled"))
    said = refused(path)
    assert "part 'unet' has its weights in a pickle (diffusion_pytorch_model.bin)" in said
    assert "safe_serialization=True" in said


@pytest.mark.parametrize("piece", ["diffusion_pytorch_model.bin", "../secret.safetensors", "/etc/passwd"])
def test_an_index_of_weights_that_leads_elsewhere(refused, home, piece):
    path = ddpm(home / "p")
    (path / "unet" / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": {"conv_in.weight": piece}}))
    assert f"part 'unet' lists '{piece}' as weights" in refused(path)


def test_weights_of_a_variant_only(refused, home):
    path = ddpm(home / "p")
    (path / "unet" / WEIGHTS).rename(path / "unet" / "diffusion_pytorch_model.fp16.safetensors")
    assert "there is: diffusion_pytorch_model.fp16.safetensors" in refused(path)


def test_weights_that_are_not_there_are_not_left_at_random(refused, home):
    path = ddpm(home / "p")
    state = load_file(path / "unet" / WEIGHTS)
    save_file({k: v for k, v in state.items() if not k.startswith("conv_out")}, path / "unet" / WEIGHTS)
    assert "part 'unet' lacks 2 weights, e.g. conv_out" in refused(path)


def test_weights_of_another_size_or_none_at_all(refused, home):
    path = ddpm(home / "p")
    save_file({"conv_in.weight": torch.zeros(2, 2)}, path / "unet" / WEIGHTS)
    assert "part 'unet' (UNet2DModel) does not load" in refused(path)
    (path / "unet" / WEIGHTS).write_bytes(b"nothing")
    assert "part 'unet' (UNet2DModel) does not load" in refused(path)


def test_quantized_weights(refused, home):
    path = edited(ddpm(home / "p"), "unet/config.json", quantization_config={"quant_method": "bitsandbytes"})
    assert "part 'unet' (UNet2DModel) is not supported: its weights are quantized" in refused(path)


def test_other_channels_and_another_size_than_the_cohorts(refused, home, make_images):
    colour = ddpm(home / "colour", in_channels=3, out_channels=3)
    assert "the pipeline's images have 3 channels, the cohort's 1" in refused(colour)
    large = TrainingData(make_images("member", 2, size=32))
    said = refused(ddpm(home / "pixels"), large)
    assert "the pipeline's images are 16x16 pixels, the cohort's 32x32\nbring the cohort to the size" in said
    assert "images are 16x16 pixels, the cohort's 32x32" in refused(ldm(home / "latents"), large)


def test_a_network_that_states_no_size(refused, home):
    assert "part 'unet' states no sample_size" in refused(ddpm(home / "p", sample_size=None))


def test_something_laid_beside_the_latents(refused, home):
    wider = ldm(home / "wider", in_channels=2 * LATENTS, out_channels=2 * LATENTS)
    assert "part 'unet' (UNet2DModel) is not supported: it takes 8 channels, latents have 4" in refused(wider)
    assert "it takes 2 channels and gives 1" in refused(ddpm(home / "beside", in_channels=2))


def test_latents_scaled_channel_by_channel(refused, home):
    path = ldm(home / "p", kl(latents_mean=[0.0] * LATENTS, latents_std=[1.0] * LATENTS))
    assert "part 'vqvae' (AutoencoderKL) is not supported: its latents are scaled channel by channel" in refused(path)


def test_a_class_embedding_that_is_no_table(refused, home):
    assert "class embedding is of type 'timestep'" in refused(ddpm(home / "p", class_embed_type="timestep"))


def test_labels_and_classes_that_do_not_match(refused, home, members):
    one = ddpm(home / "one", num_class_embeds=1)
    assert "the members have 2 labels, the pipeline knows 1 classes\nsay which is which" in refused(one)
    three = ddpm(home / "three", num_class_embeds=3)
    assert "there is no class 7, the pipeline knows 3" in refused(three, classes="0:0,1:7")
    assert "there is no class 3, the pipeline knows 3" in refused(three, null_class=3)
    assert "no class for label 1 of the members\nadd 1:CLASS" in refused(three, classes="0:0")
    unlabelled = TrainingData(replace(members, label=None))
    assert "conditioned on one of 3 classes, the cohort has no labels" in refused(three, unlabelled)
    assert "not conditioned on a class" in refused(ddpm(home / "none"), classes="0:0")


def test_guidance_where_there_is_nothing_to_guide_away_from(refused, home):
    assert "guidance=2, but the pipeline is not conditioned" in refused(ddpm(home / "p"), guidance=2.0)
    said = refused(ddpm(home / "c", num_class_embeds=2), guidance=2.0)
    assert "guidance=2, but the pipeline has no class that means none" in said


def test_more_steps_than_noise_levels(refused, home):
    path = ddpm(home / "p", diffusers.DDIMScheduler(50))
    assert "60 sampling steps, but the pipeline has 50 noise levels" in refused(path, sampling_steps=60)


def test_classes_that_are_no_pairs():
    with pytest.raises(BadInputError, match="option classes='malignant'"):
        registry.load("generator", "diffusers").options({"path": ".", "classes": "malignant"})


def test_a_network_saved_without_its_pipeline(refused, home):
    unet().save_pretrained(home / "unet")
    assert "is no folder with model_index.json\nsave the whole pipeline" in refused(home / "unet")


def test_a_transformer_by_its_old_name_is_read(home, members, context):
    path = edited(dit(home / "p"), "model_index.json", transformer=["diffusers", "Transformer2DModel"])
    edited(path, "transformer/config.json", _class_name="Transformer2DModel")
    Diffusers(path=path).fit(TrainingData(members), context)
    assert (context.folder / "pipeline.json").is_file()
