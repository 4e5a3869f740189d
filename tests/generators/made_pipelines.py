"""Tiny pipelines with random weights, saved as their owners would save them."""

from pathlib import Path
from typing import Any

import diffusers

from privbench.audit.context import Context

SIZE, LATENTS = 16, 4


def unet(**options: Any) -> diffusers.UNet2DModel:
    """A U-Net of two levels on one channel."""
    defaults = {"sample_size": SIZE, "in_channels": 1, "out_channels": 1, "block_out_channels": (8, 16)}
    defaults |= {"down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2}
    defaults |= {"norm_num_groups": 4, "layers_per_block": 1, "add_attention": False}
    return diffusers.UNet2DModel(**(defaults | options))


def transformer(**options: Any) -> diffusers.DiTTransformer2DModel:
    """A diffusion transformer of two blocks on 8x8 latents that predicts a variance as well."""
    defaults = {"num_attention_heads": 2, "attention_head_dim": 8, "in_channels": LATENTS, "num_layers": 2}
    defaults |= {"out_channels": 2 * LATENTS, "sample_size": SIZE // 2, "num_embeds_ada_norm": 1000}
    return diffusers.DiTTransformer2DModel(**(defaults | options))


def kl(**options: Any) -> diffusers.AutoencoderKL:
    """A KL autoencoder that halves the side."""
    return diffusers.AutoencoderKL(latent_channels=LATENTS, **(_halving() | options))


def vq(**options: Any) -> diffusers.VQModel:
    """A vector-quantized autoencoder that halves the side."""
    return diffusers.VQModel(latent_channels=LATENTS, num_vq_embeddings=16, **(_halving() | options))


def _halving() -> dict[str, Any]:
    return {
        "in_channels": 1,
        "out_channels": 1,
        "block_out_channels": (8, 16),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "norm_num_groups": 4,
        "mid_block_add_attention": False,
    }


def ddpm(folder: Path, scheduler: object = None, **options: Any) -> Path:
    """A pixel DDPM with random weights, in ``folder``."""
    with Context(seed=3).torch_scope("weights"):
        model = unet(**options)
    diffusers.DDPMPipeline(model, scheduler or diffusers.DDPMScheduler()).save_pretrained(folder)
    return folder


def ldm(folder: Path, autoencoder: object = None, **options: Any) -> Path:
    """An unconditional latent diffusion pipeline with random weights, in ``folder``."""
    with Context(seed=4).torch_scope("weights"):
        options = {"sample_size": SIZE // 2, "in_channels": LATENTS, "out_channels": LATENTS} | options
        model, first = unet(**options), autoencoder or vq(scaling_factor=0.6)
    scheduler = diffusers.DDIMScheduler(clip_sample=False, prediction_type="v_prediction")
    diffusers.LDMPipeline(first, model, scheduler).save_pretrained(folder)
    return folder


def dit(folder: Path, **options: Any) -> Path:
    """A class-conditional DiT pipeline with random weights, in ``folder``."""
    with Context(seed=5).torch_scope("weights"):
        model, autoencoder = transformer(**options), kl(scaling_factor=0.4)
    scheduler = diffusers.DDIMScheduler(clip_sample=False)
    diffusers.DiTPipeline(model, autoencoder, scheduler).save_pretrained(folder)
    return folder
