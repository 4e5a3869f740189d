"""The denoising diffusion model in latent space: its U-Net, its training loss, its sampler, its noise predictor."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from torch import Tensor, nn
from torch.nn import functional

from ...audit.context import Context
from ...audit.record import Model
from ...audit.target import Queries
from ...audit.types import ImageSet, Labels
from .conditions import Conditioner
from .devices import share
from .training import leave, load_weights, save_weights, take_up

NOISE_STEPS = 1000
ATTENTION_SIDE = 32
LARGEST_LATENT = 10.0  # in standard deviations; see ``draw_latents``

Schedule = Literal["linear", "cosine"]
Prediction = Literal["v", "epsilon"]
Sampler = Literal["ddim", "dpm-solver"]
BETAS = {"linear": "linear", "cosine": "squaredcos_cap_v2"}
TYPES = {"v": "v_prediction", "epsilon": "epsilon"}


class UNetShape(Model):
    """What a U-Net is built from.

    Attributes:
        latent_channels: channels that are diffused.
        condition_channels: channels laid beside them as a condition, e.g. a background and a mask.
        spatial: height and width of the latents, both even.
        channels: width of the first level; the second has twice as many.
        classes: labels that it is conditioned on; index ``classes`` itself means "no label".
        centers: centres that it is conditioned on, told in the first column of ``given``.
        attributes: numbers that it is conditioned on, told in the columns after that.
        schedule: how noise grows: betas along a line, or abar along a cosine (Nichol & Dhariwal 2021,
            arXiv 2102.09672).
        prediction: what the network puts out: the velocity, or epsilon.
    """

    latent_channels: int
    condition_channels: int = 0
    spatial: tuple[int, int]
    channels: int
    classes: int = 0
    centers: int = 0
    attributes: int = 0
    schedule: Schedule = "linear"
    prediction: Prediction = "v"


class NoisePredictor(nn.Module):
    """diffusers' ``UNet2DModel`` with two levels, for the noise in a latent.

    The network's own output is the velocity (Salimans & Ho 2022, arXiv 2202.00512) unless epsilon is asked for: where
    nearly all is noise, a small error in epsilon is a large one in the image, and short trainings would sample garbage.
    """

    def __init__(self, shape: UNetShape) -> None:
        super().__init__()
        self.shape = shape
        self.schedule = DDPMScheduler(
            NOISE_STEPS, beta_schedule=BETAS[shape.schedule], prediction_type=TYPES[shape.prediction]
        )
        attends = max(shape.spatial) // 2 <= ATTENTION_SIDE
        told_more = bool(shape.centers or shape.attributes)
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
            class_embed_type="identity" if told_more else None,
            num_class_embeds=None if told_more else shape.classes + 1,
        )
        if told_more:
            self.conditioner = Conditioner(shape.classes, shape.centers, shape.attributes, 4 * shape.channels)

    def forward(
        self, x_t: Tensor, t: Tensor, label: Tensor, condition: Tensor | None = None, given: Tensor | None = None
    ) -> Tensor:
        """What ``shape.prediction`` names, ``(n, latent_channels, h, w)``.

        Args:
            x_t: ``(n, latent_channels, h, w)`` noised latents.
            t: ``(n,)`` steps.
            label: ``(n,)`` class indices.
            condition: ``(n, condition_channels, h, w)`` planes beside the latents, or None.
            given: ``(n, columns)`` centre index and attributes, infinite where not told, or None for neither.
        """
        inputs = x_t if condition is None else torch.cat((x_t, condition), 1)
        told = label
        if self.shape.centers or self.shape.attributes:
            told = self.conditioner(label, given)
        predicted: Tensor = self.unet(inputs, t, class_labels=told).sample
        return predicted

    def noise(
        self, x_t: Tensor, t: Tensor, label: Tensor, condition: Tensor | None = None, given: Tensor | None = None
    ) -> Tensor:
        """Epsilon for the same: ``sqrt(abar_t) v + sqrt(1 - abar_t) x_t`` where the network puts out the velocity."""
        predicted: Tensor = self(x_t, t, label, condition, given)
        if self.shape.prediction == "epsilon":
            return predicted
        abar = self._abar(t, x_t)
        return abar.sqrt() * predicted + (1 - abar).sqrt() * x_t

    def clean(
        self, x_t: Tensor, t: Tensor, label: Tensor, condition: Tensor | None = None, given: Tensor | None = None
    ) -> Tensor:
        """The estimate of x_0 for the same."""
        predicted: Tensor = self(x_t, t, label, condition, given)
        abar = self._abar(t, x_t)
        if self.shape.prediction == "epsilon":
            return (x_t - (1 - abar).sqrt() * predicted) / abar.sqrt()
        return abar.sqrt() * x_t - (1 - abar).sqrt() * predicted

    def target(self, x_0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """What the network is to put out for ``x_0`` noised by ``noise`` at steps ``t`` ``(n,)``."""
        if self.shape.prediction == "epsilon":
            return noise
        velocity: Tensor = self.schedule.get_velocity(x_0, noise, t)
        return velocity

    def _abar(self, t: Tensor, like: Tensor) -> Tensor:
        return alphas_cumprod(self.shape.schedule).to(device=like.device, dtype=like.dtype)[t][:, None, None, None]


def noise_loss(
    model: NoisePredictor,
    x_0: Tensor,
    label: Tensor,
    condition: Tensor | None,
    drop: float,
    rng: torch.Generator,
    weight: Tensor | None = None,
    *,
    given: Tensor | None = None,
    drop_all: bool = False,
) -> Tensor:
    """Mean squared error of the network's output on noised latents, at uniform steps.

    Args:
        model: the noise predictor.
        x_0: ``(n, c, h, w)`` latents on the CPU.
        label: ``(n,)`` class indices.
        condition: ``(n, k, h, w)`` or None.
        drop: share of the labels replaced by "no label", so that the model also knows the unconditional noise.
        rng: where steps, noise and dropping come from.
        weight: ``(n, 1, h, w)`` how much each place matters, or None.
        given: ``(n, columns)`` centre and attributes, or None.
        drop_all: where the label is dropped, drop all else too; besides drop each kind of condition alone, at the same
            rate, so that the model knows every combination.
    """
    device = next(model.parameters()).device
    mine = share(len(x_0))
    t = torch.randint(NOISE_STEPS, (len(x_0),), generator=rng)
    noise = torch.randn(x_0.shape, generator=rng)
    dropped = torch.rand(len(x_0), generator=rng) < drop
    if drop_all:
        alone = torch.rand((len(x_0), 4), generator=rng) < drop
        label, condition, given = withheld(model.shape, label, condition, given, dropped[:, None] | alone)
    else:
        label = torch.where(dropped, model.shape.classes, label)
    x_t = model.schedule.add_noise(x_0, noise, t)[mine].to(device)
    target = model.target(x_0, noise, t)
    told = (None if part is None else part[mine].to(device) for part in (label, condition, given))
    error = functional.mse_loss(model(x_t, t[mine].to(device), *told), target[mine].to(device), reduction="none")
    return error.mean() if weight is None else (error * (weight / weight.mean())[mine].to(device)).mean()


def withheld(
    shape: UNetShape, label: Tensor, condition: Tensor | None, given: Tensor | None, which: Tensor
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Label, planes and ``given`` with parts not told.

    Args:
        shape: of the model that is told.
        label: ``(n,)`` class indices.
        condition: ``(n, k, h, w)`` or None; a plane that is not told is 0.
        given: ``(n, columns)`` or None; a number that is not told is infinite.
        which: ``(n, 4)`` bool, whether to withhold label, planes, centre and attributes.
    """
    label = torch.where(which[:, 0], shape.classes, label)
    if condition is not None:
        condition = torch.where(which[:, 1, None, None, None], 0.0, condition)
    if given is not None:
        first = int(shape.centers > 0)
        columns = torch.cat((which[:, 2:3].expand(-1, first), which[:, 3:4].expand(-1, given.shape[1] - first)), 1)
        given = given.masked_fill(columns, torch.inf)
    return label, condition, given


@torch.no_grad()
def draw_latents(
    model: NoisePredictor,
    label: Tensor,
    condition: Tensor | None,
    steps: int,
    rng: torch.Generator,
    advance: Callable[[int], None],
    batch: int = 128,
    *,
    sampler: Sampler = "ddim",
    guidance: float = 1.0,
    given: Tensor | None = None,
    guide_all: bool = False,
) -> Tensor:
    """One latent per label, by a deterministic sampler.

    An epsilon-predicting network's first steps divide its error by sqrt(abar), which is tiny: its x_0 estimates are
    held to 10 standard deviations.

    Args:
        model: the noise predictor.
        label: ``(n,)`` class indices.
        condition: ``(n, k, h, w)`` or None.
        steps: denoising steps, from 1 to 1000.
        rng: where the initial noise comes from.
        advance: told how many latents are done, batch by batch.
        batch: latents denoised at once.
        sampler: DDIM (Song et al. 2021, arXiv 2010.02502) or DPM-Solver++ of second order (Lu et al. 2022,
            arXiv 2211.01095), which needs fewer steps.
        guidance: classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598): the output is moved this many times
            as far from the unconditional one as the conditional one is; 1 is none. Outputs are combined as they are,
            velocity or epsilon: at one x_t the one is linear in the other, so it makes no difference which.
        given: ``(n, columns)`` centre and attributes, or None.
        guide_all: whether "unconditional" withholds planes, centre and attributes too, not the label alone.

    Returns:
        ``(n, latent_channels, h, w)`` on the CPU.
    """
    device = next(model.parameters()).device
    drawn = []
    for start in range(0, len(label), batch):
        rows = slice(start, start + batch)
        told = tuple(None if part is None else part[rows].to(device) for part in (label, condition, given))
        x_t = torch.randn((len(label[rows]), model.shape.latent_channels, *model.shape.spatial), generator=rng)
        drawn.append(_denoised(model, x_t.to(device), told, steps, sampler, guidance, guide_all=guide_all).cpu())
        advance(len(x_t))
    return torch.cat(drawn)


def _denoised(
    model: NoisePredictor,
    x_t: Tensor,
    told: tuple[Tensor | None, ...],
    steps: int,
    sampler: Sampler,
    guidance: float,
    *,
    guide_all: bool,
) -> Tensor:
    label, condition, given = told
    assert label is not None
    n = len(x_t)
    if guidance != 1:
        which = torch.full((n, 4), guide_all, device=label.device)
        which[:, 0] = True
        free = withheld(model.shape, label, condition, given, which)
        told = tuple(
            None if part is None or none is None else torch.cat((part, none))
            for part, none in zip(told, free, strict=True)
        )
    scheduler = _scheduler(model.shape, sampler)
    scheduler.set_timesteps(steps)
    for t in scheduler.timesteps:
        if guidance == 1:
            output = model(x_t, t.expand(n).to(x_t.device), *told)
        else:
            both = model(torch.cat((x_t, x_t)), t.expand(2 * n).to(x_t.device), *told)
            output = both[n:] + guidance * (both[:n] - both[n:])
        (x_t, *_) = scheduler.step(output, t, x_t, return_dict=False)
    return x_t


def _scheduler(shape: UNetShape, sampler: Sampler) -> Any:
    betas, kind = BETAS[shape.schedule], TYPES[shape.prediction]
    if sampler == "ddim":
        return DDIMScheduler(
            NOISE_STEPS,
            beta_schedule=betas,
            clip_sample=shape.prediction == "epsilon",
            clip_sample_range=LARGEST_LATENT,
            timestep_spacing="trailing",
            prediction_type=kind,
        )
    return DPMSolverMultistepScheduler(
        NOISE_STEPS,
        beta_schedule=betas,
        prediction_type=kind,
        timestep_spacing="trailing",
        thresholding=False,
    )


def class_index(label: Labels | None, n: int, labels: tuple[int, ...]) -> Tensor:
    """``(n,)`` positions of ``label`` among the sorted ``labels``; ``len(labels)``, "no label", where not there."""
    if label is None or not labels:
        return torch.full((n,), len(labels), dtype=torch.int64)
    known = np.array(labels, np.int64)
    position = np.minimum(np.searchsorted(known, label), len(known) - 1)
    return torch.from_numpy(np.where(known[position] == label, position, len(known)).astype(np.int64))


def alphas_cumprod(schedule: Schedule = "linear") -> Tensor:
    """``(1000,)`` float64 abar_t of the schedule that training and sampling use."""
    betas: Tensor = DDPMScheduler(NOISE_STEPS, beta_schedule=BETAS[schedule]).betas
    return torch.cumprod(1.0 - betas.double(), 0)


@dataclass(frozen=True)
class LatentDenoiser:
    """A fitted model as an attacker with access to it sees it: a ``Denoiser``, and with ``module`` an ``OpenDenoiser``.

    Attributes:
        encode: images to queries whose condition starts with the class index.
        predict: epsilon from ``x_t``, ``t`` and the condition, on any device.
        alphas_cumprod: ``(T,)`` float64.
        unconditional: the condition that tells nothing, from one that tells something; None where there is none.
        module: the network, frozen, that ``predict`` asks; None where its weights are not shown.
    """

    encode: Callable[[ImageSet], Queries]
    predict: Callable[[Tensor, Tensor, tuple[Tensor, ...]], Tensor]
    alphas_cumprod: Tensor
    unconditional: Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]] | None = None
    module: nn.Module | None = None

    def prepare(self, images: ImageSet) -> Queries:
        """Encode real images, deterministically."""
        return self.encode(images)

    def predict_noise(self, x_t: Tensor, t: Tensor, condition: tuple[Tensor, ...]) -> Tensor:
        """Epsilon for ``x_t`` at integer steps ``t``, on the device of ``x_t``; differentiable where asked for."""
        return self.predict(x_t, t, condition).to(x_t.device)

    @staticmethod
    def without_label(labels: int) -> Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]]:
        """For ``unconditional``: the class index becomes "no label", what else is told stays as it is."""
        return lambda condition: (torch.full_like(condition[0], labels), *condition[1:])


def save_predictor(model: NoisePredictor, folder: Path, name: str) -> None:
    """Leave the model in ``folder``: shape as JSON, then the weights, whose presence says that it is complete."""
    leave(folder / f"{name}.json", model.shape)
    save_weights(model, folder / f"{name}.safetensors")


def load_predictor(folder: Path, name: str, context: Context) -> NoisePredictor:
    """The model that ``save_predictor`` left in ``folder``."""
    with torch.random.fork_rng(devices=[]):  # what a new network draws is overwritten, but was drawn
        model = NoisePredictor(take_up(folder / f"{name}.json", UNetShape))
    load_weights(model, folder / f"{name}.safetensors", context.device)
    return model
