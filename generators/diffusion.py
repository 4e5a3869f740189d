"""The denoising diffusion model in latent space: its U-Net, its training loss, its sampler, its noise predictor."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor, nn
from torch.nn import functional

from ..audit.context import Context
from ..audit.record import Model
from ..audit.target import Queries
from ..audit.types import ImageSet, Labels
from ..audit.whole import write_text_whole
from .training import load_weights, save_weights

NOISE_STEPS = 1000
ATTENTION_SIDE = 32


class UNetShape(Model):
    """What a U-Net is built from.

    Attributes:
        latent_channels: channels that are diffused.
        condition_channels: channels laid beside them as a condition, e.g. a background and a mask.
        spatial: height and width of the latents, both even.
        channels: width of the first level; the second has twice as many.
        classes: labels that it is conditioned on; index ``classes`` itself means "no label".
    """

    latent_channels: int
    condition_channels: int = 0
    spatial: tuple[int, int]
    channels: int
    classes: int = 0


class NoisePredictor(nn.Module):
    """diffusers' ``UNet2DModel`` with two levels, for the noise in a latent.

    The network's own output is the velocity (Salimans & Ho 2022, arXiv 2202.00512): where nearly all is noise, a small
    error in epsilon is a large one in the image, and short trainings would sample garbage.
    """

    def __init__(self, shape: UNetShape) -> None:
        super().__init__()
        self.shape = shape
        self.schedule = DDPMScheduler(NOISE_STEPS, prediction_type="v_prediction")
        attends = max(shape.spatial) // 2 <= ATTENTION_SIDE
        self.unet = UNet2DModel(
            sample_size=shape.spatial,
            in_channels=shape.latent_channels + shape.condition_channels,
            out_channels=shape.latent_channels,
            block_out_channels=(shape.channels, 2 * shape.channels),
            down_block_types=("DownBlock2D", "AttnDownBlock2D" if attends else "DownBlock2D"),
            up_block_types=("AttnUpBlock2D" if attends else "UpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            attention_head_dim=16,
            norm_num_groups=8,
            add_attention=attends,
            num_class_embeds=shape.classes + 1,
        )

    def forward(self, x_t: Tensor, t: Tensor, label: Tensor, condition: Tensor | None = None) -> Tensor:
        """Velocity ``(n, latent_channels, h, w)`` for ``x_t`` at steps ``t`` ``(n,)`` given ``label`` ``(n,)``."""
        inputs = x_t if condition is None else torch.cat((x_t, condition), 1)
        predicted: Tensor = self.unet(inputs, t, class_labels=label).sample
        return predicted

    def noise(self, x_t: Tensor, t: Tensor, label: Tensor, condition: Tensor | None = None) -> Tensor:
        """Epsilon for the same: ``sqrt(abar_t) v + sqrt(1 - abar_t) x_t``."""
        abar = alphas_cumprod().to(device=x_t.device, dtype=x_t.dtype)[t][:, None, None, None]
        velocity: Tensor = self(x_t, t, label, condition)
        return abar.sqrt() * velocity + (1 - abar).sqrt() * x_t


def noise_loss(
    model: NoisePredictor,
    x_0: Tensor,
    label: Tensor,
    condition: Tensor | None,
    drop: float,
    rng: torch.Generator,
    weight: Tensor | None = None,
) -> Tensor:
    """Mean squared error of the predicted velocity of noised latents, at uniform steps.

    Args:
        model: the noise predictor.
        x_0: ``(n, c, h, w)`` latents on the CPU.
        label: ``(n,)`` class indices.
        condition: ``(n, k, h, w)`` or None.
        drop: share of the labels replaced by "no label", so that the model also knows the unconditional noise.
        rng: where steps, noise and dropping come from.
        weight: ``(n, 1, h, w)`` how much each place matters, or None.
    """
    device = next(model.parameters()).device
    t = torch.randint(NOISE_STEPS, (len(x_0),), generator=rng)
    noise = torch.randn(x_0.shape, generator=rng)
    dropped = torch.rand(len(x_0), generator=rng) < drop
    label = torch.where(dropped, model.shape.classes, label)
    x_t, velocity = model.schedule.add_noise(x_0, noise, t), model.schedule.get_velocity(x_0, noise, t)
    beside = None if condition is None else condition.to(device)
    predicted = model(x_t.to(device), t.to(device), label.to(device), beside)
    error = functional.mse_loss(predicted, velocity.to(device), reduction="none")
    return error.mean() if weight is None else (error * (weight / weight.mean()).to(device)).mean()


@torch.no_grad()
def draw_latents(
    model: NoisePredictor,
    label: Tensor,
    condition: Tensor | None,
    steps: int,
    rng: torch.Generator,
    advance: Callable[[int], None],
    batch: int = 128,
) -> Tensor:
    """One latent per label by deterministic DDIM (Song et al. 2021, arXiv 2010.02502).

    Args:
        model: the noise predictor.
        label: ``(n,)`` class indices.
        condition: ``(n, k, h, w)`` or None.
        steps: denoising steps, from 1 to 1000.
        rng: where the initial noise comes from.
        advance: told how many latents are done, batch by batch.
        batch: latents denoised at once.

    Returns:
        ``(n, latent_channels, h, w)`` on the CPU.
    """
    device = next(model.parameters()).device
    scheduler = DDIMScheduler(
        NOISE_STEPS, clip_sample=False, timestep_spacing="trailing", prediction_type="v_prediction"
    )
    scheduler.set_timesteps(steps)
    drawn = []
    for start in range(0, len(label), batch):
        of = label[start : start + batch].to(device)
        beside = None if condition is None else condition[start : start + batch].to(device)
        x_t = torch.randn((len(of), model.shape.latent_channels, *model.shape.spatial), generator=rng).to(device)
        for t in scheduler.timesteps:
            x_t = scheduler.step(model(x_t, t.expand(len(of)).to(device), of, beside), t, x_t).prev_sample
        drawn.append(x_t.cpu())
        advance(len(of))
    return torch.cat(drawn)


def class_index(label: Labels | None, n: int, labels: tuple[int, ...]) -> Tensor:
    """``(n,)`` positions of ``label`` among the sorted ``labels``; ``len(labels)``, "no label", where not there."""
    if label is None or not labels:
        return torch.full((n,), len(labels), dtype=torch.int64)
    known = np.array(labels, np.int64)
    position = np.minimum(np.searchsorted(known, label), len(known) - 1)
    return torch.from_numpy(np.where(known[position] == label, position, len(known)).astype(np.int64))


def alphas_cumprod() -> Tensor:
    """``(1000,)`` float64 abar_t of the linear schedule that training and sampling use."""
    betas: Tensor = DDPMScheduler(NOISE_STEPS).betas
    return torch.cumprod(1.0 - betas.double(), 0)


@dataclass(frozen=True)
class LatentDenoiser:
    """A fitted model as an attacker with query access sees it: a ``Denoiser``.

    Attributes:
        encode: images to queries whose condition starts with the class index.
        predict: epsilon from ``x_t``, ``t`` and the condition, all on the CPU.
        alphas_cumprod: ``(T,)`` float64.
    """

    encode: Callable[[ImageSet], Queries]
    predict: Callable[[Tensor, Tensor, tuple[Tensor, ...]], Tensor]
    alphas_cumprod: Tensor

    def prepare(self, images: ImageSet) -> Queries:
        """Encode real images, deterministically."""
        return self.encode(images)

    @torch.no_grad()
    def predict_noise(self, x_t: Tensor, t: Tensor, condition: tuple[Tensor, ...]) -> Tensor:
        """Epsilon for ``x_t`` at integer steps ``t``."""
        return self.predict(x_t, t, condition)


def save_predictor(model: NoisePredictor, folder: Path, name: str) -> None:
    """Leave the model in ``folder``: shape as JSON, then the weights, whose presence says that it is complete."""
    write_text_whole(folder / f"{name}.json", model.shape.model_dump_json(indent=1))
    save_weights(model, folder / f"{name}.safetensors")


def load_predictor(folder: Path, name: str, context: Context) -> NoisePredictor:
    """The model that ``save_predictor`` left in ``folder``."""
    with torch.random.fork_rng(devices=[]):  # what a new network draws is overwritten, but was drawn
        model = NoisePredictor(UNetShape.model_validate_json((folder / f"{name}.json").read_text("utf-8")))
    load_weights(model, folder / f"{name}.safetensors", context.device)
    return model
