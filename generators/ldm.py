"""One latent diffusion model trained on every member image."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from ..audit.context import Context
from ..audit.errors import BadInputError
from ..audit.plugin import generator
from ..audit.target import Access, Queries
from ..audit.types import ImageSet, TrainingData
from .latent.autoencoder import Autoencoder, AutoencoderShape, factor_for, load_autoencoder, save_autoencoder
from .latent.devices import Precision, join
from .latent.diffusion import (
    LatentDenoiser,
    NoisePredictor,
    Prediction,
    Sampler,
    Schedule,
    UNetShape,
    alphas_cumprod,
    draw_latents,
    load_predictor,
    noise_loss,
    save_predictor,
)
from .latent.records import Lesion, Told, moved, settle
from .latent.training import Plan, RateSchedule, draw_batch, forget, leave, take_up, train
from .real import neutral_names, spread

OVERFIT, OVERFIT_BATCH = Plan(steps=300, learning_rate=2e-3), 16
LOOKED_AT = 2**26  # values, about, from which an autoencoder starts and that normalise its latents
DRAWN_AT_ONCE = 128


@generator(
    access=Access.WEIGHTS,
    paper="arXiv:2112.10752",
    standard={"autoencoder_steps": 3000, "steps": 4000, "channels": 64, "sampling_steps": 50},
    full={"autoencoder_steps": 10000, "steps": 40000, "channels": 96, "sampling_steps": 100},
)
class Ldm:
    """A latent diffusion model on all members, conditioned on label, centre and lesion (Rombach et al. 2022).

    An autoencoder (diffusers' AutoencoderKL behind a pixel-unshuffle stem) and a U-Net (UNet2DModel) are trained on the
    member images. Latents are the posterior's mode and images are not augmented by default, so that a model trained for
    long on few patients can memorize them. Images are 32 to 512 pixels high and wide, divisible by 8, with 1 to 4
    channels.

    The model is told of each image what its record has and the options do not withhold: label and centre as embeddings
    added to that of the diffusion step, the lesion as planes beside the latents (its mask, or the box around it) or as
    an embedding of its size and site. Each is withheld from some training images, all of them from others, so that one
    model knows every combination; classifier-free guidance and queries without a condition rest on that. With
    ``label=false``, ``center=false`` and ``lesion=none`` it is unconditional.

    A sample is told what the record of a member image says, patients taken evenly, with the lesion turned, scaled and
    moved or mirrored within the tissue. Where a lesion is told, ``source`` names that patient; with ``lesion=mask``
    the sample's mask is the one it was told.
    """

    def __init__(
        self,
        *,
        autoencoder_steps: Annotated[int, Field(ge=1, le=1_000_000, description="steps of the autoencoder")] = 700,
        steps: Annotated[int, Field(ge=1, le=10_000_000, description="steps of the diffusion model")] = 1500,
        batch: Annotated[int, Field(ge=1, le=1024, description="images in a step")] = 32,
        learning_rate: Annotated[float, Field(gt=0, le=0.1, description="highest learning rate of both")] = 1e-3,
        rate_schedule: Annotated[
            RateSchedule, Field(description="how the learning rate goes on after its warm-up: down, or constant")
        ] = "cosine",
        clip: Annotated[float, Field(ge=0, description="largest norm of the gradient; 0: any")] = 1.0,
        precision: Annotated[
            Precision, Field(description="of training; auto: mixed on a GPU (bf16, else fp16), full on a CPU")
        ] = "auto",
        channels: Annotated[
            int, Field(ge=16, le=512, multiple_of=16, description="width of the U-Net's first level")
        ] = 32,
        autoencoder_channels: Annotated[
            int, Field(ge=16, le=512, multiple_of=16, description="width of the autoencoder")
        ] = 64,
        latent_channels: Annotated[int, Field(ge=1, le=32, description="channels of the latents")] = 4,
        lesion_weight: Annotated[
            float, Field(ge=0, le=100, description="how much more a lesion weighs than the rest, in both trainings")
        ] = 3.0,
        label: Annotated[bool | None, Field(description="tell the model the label; None: if there are labels")] = None,
        center: Annotated[
            bool | None, Field(description="tell the model the centre; None: if there are several")
        ] = None,
        lesion: Annotated[
            Lesion,
            Field(
                description="how the model is told of the lesion: its mask, the box around it, its size and site as "
                "attributes, or none; auto: its mask, if there are masks"
            ),
        ] = "auto",
        drop: Annotated[
            float,
            Field(ge=0, lt=1, description="share of training images of which nothing, or not all of that, is told"),
        ] = 0.1,
        schedule: Annotated[Schedule, Field(description="how noise grows: linear betas, or a cosine")] = "linear",
        prediction: Annotated[Prediction, Field(description="what the U-Net puts out: velocity, or epsilon")] = "v",
        sampler: Annotated[Sampler, Field(description="of a sample: DDIM, or DPM-Solver++ of order 2")] = "ddim",
        sampling_steps: Annotated[int, Field(ge=1, le=1000, description="denoising steps of a sample")] = 25,
        guidance: Annotated[
            float, Field(ge=0, le=50, description="classifier-free guidance; 1: none, more: truer to the condition")
        ] = 1.0,
        ema: Annotated[float, Field(ge=0, lt=1, description="moving average of the U-Net's weights; 0: none")] = 0.995,
        augment: Annotated[bool, Field(description="flip half of the training images left to right")] = False,
    ) -> None:
        self.autoencoder_steps = autoencoder_steps
        self.batch = batch
        self.plan = Plan(steps, learning_rate, ema, clip, rate_schedule, precision)
        self.channels = channels
        self.autoencoder_channels = autoencoder_channels
        self.latent_channels = latent_channels
        self.lesion_weight = lesion_weight
        self.label = label
        self.center = center
        self.lesion: Lesion = lesion
        self.drop = drop
        self.schedule: Schedule = schedule
        self.prediction: Prediction = prediction
        self.sampler: Sampler = sampler
        self.sampling_steps = sampling_steps
        self.guidance = guidance
        self.augment = augment

    def fit(self, data: TrainingData, context: Context) -> None:
        """Train the autoencoder, then the diffusion model on its latents; finished parts are taken up.

        Raises:
            BadInputError: if the images are of a size or number of channels that it cannot take, if it is to be told
                what they lack, or to be guided without having learnt to do without.
        """
        join(context.device)
        factor = factor_for(data.members, "ldm")
        told = settle("ldm", data.members, self.label, self.center, self.lesion)
        if self.guidance != 1 and not self.drop:
            raise BadInputError(
                f"generator 'ldm': guidance={self.guidance:g} with drop=0: the model never learns to do without "
                "conditions\nset drop to 0.1, say, or guidance to 1"
            )
        autoencoder = self._autoencoder(data.members, factor, context)
        if not (context.folder / "unet.safetensors").exists():
            self._unet(data.members, autoencoder, told, context)
        forget("autoencoder", context)
        forget("unet", context)

    def overfit(self, data: TrainingData, model: Path, context: Context) -> None:
        """Train the U-Net of ``model`` on, on the members of ``data`` alone, until it knows them by heart."""
        autoencoder, unet, told = self._load(model, context)
        unet.requires_grad_(requires_grad=True)
        loss = self._loss(unet, data.members, autoencoder, told, OVERFIT_BATCH)
        train("overfit", unet, loss, OVERFIT, context)
        leave(context.folder / "told.json", told)
        save_autoencoder(autoencoder, context.folder)
        save_predictor(unet, context.folder, "unet")
        forget("overfit", context)

    def sample(self, n: int | None, data: TrainingData, model: Path, context: Context) -> ImageSet:
        """``n`` images (None: one per member image)."""
        autoencoder, unet, told = self._load(model, context)
        count = len(data.members) if n is None else n
        records = self._records(count, data.members, told, context)
        rng = context.torch_rng("noise")
        pixels = np.empty((count, *data.members.pixels.shape[1:]), np.float32)
        with context.progress.task("sampling", count) as step:
            for start in range(0, count, DRAWN_AT_ONCE):
                rows = slice(start, start + DRAWN_AT_ONCE)
                label, planes, given = told.network(*told.tensors(records.take(rows)), autoencoder.shape.factor)
                latents = draw_latents(
                    unet,
                    label,
                    planes,
                    self.sampling_steps,
                    rng,
                    step,
                    sampler=self.sampler,
                    guidance=self.guidance,
                    given=given,
                    guide_all=True,
                )
                pixels[rows] = autoencoder.decode(latents).numpy()
        return ImageSet(
            pixels=pixels,
            patient=neutral_names(count),
            label=records.label if told.labels else None,
            mask=records.mask if told.lesion == "mask" else None,
            center=records.center if told.centers else None,
            source=records.patient if told.lesion != "none" else None,
        )

    def denoiser(self, data: TrainingData, model: Path, context: Context) -> LatentDenoiser:  # noqa: ARG002
        """The noise predictor; what an image lacks, or no member has, is not told."""
        autoencoder, unet, told = self._load(model, context)

        def encode(images: ImageSet) -> Queries:
            latents = torch.cat([autoencoder.encode(_tensor(part)) for part in images.batches(256)])
            return Queries(latents, told.tensors(images))

        def predict(x_t: Tensor, t: Tensor, condition: tuple[Tensor, ...]) -> Tensor:
            label, given, mask = (part.to(context.device) for part in condition)
            told_now = told.network(label, given, mask, autoencoder.shape.factor)
            return unet.noise(x_t.to(context.device), t.to(context.device), *told_now)

        return LatentDenoiser(encode, predict, alphas_cumprod(unet.shape.schedule), told.nothing, unet)

    def _records(self, count: int, members: ImageSet, told: Told, context: Context) -> ImageSet:
        """What the samples are told: members' records, their lesions moved, their pixels not looked at again."""
        records = members.take(spread(members.patient, count, context.rng("records")))
        if told.lesion == "none" or records.mask is None:
            return replace(records, mask=None)
        rng = context.rng("lesions")
        masks = [moved(np.asarray(i), np.asarray(m), rng) for i, m in zip(records.pixels, records.mask, strict=True)]
        return replace(records, mask=np.stack(masks))

    def _autoencoder(self, members: ImageSet, factor: int, context: Context) -> Autoencoder:
        if (context.folder / "autoencoder.safetensors").exists():
            return load_autoencoder(context.folder, context.device)
        with context.torch_scope("autoencoder"):
            model = Autoencoder(
                AutoencoderShape(
                    image_channels=members.channels,
                    factor=factor,
                    channels=self.autoencoder_channels,
                    latent_channels=self.latent_channels,
                )
            ).to(context.device)
        looked_at = max(64, min(len(members), LOOKED_AT // members.pixels[0].size))
        some = _tensor(members.take(np.sort(context.rng("normalise").permutation(len(members))[:looked_at])))
        model.start(some.to(context.device))

        def loss(rng: torch.Generator) -> Tensor:
            chosen = members.take(draw_batch(len(members), self.batch, rng).numpy())
            images, weight = _tensor(chosen), self._weight(chosen, 1)
            if self.augment:
                side = torch.rand(len(images), generator=rng)[:, None, None, None] < 0.5
                images, weight = (torch.where(side, one, one.flip(-1)) for one in (images, weight))
            return model.loss(images.to(context.device), rng, weight.to(context.device))

        train("autoencoder", model, loss, replace(self.plan, steps=self.autoencoder_steps, ema=0.0), context)
        model.normalise(some)
        save_autoencoder(model, context.folder)
        return model

    def _unet(self, members: ImageSet, autoencoder: Autoencoder, told: Told, context: Context) -> None:
        factor = autoencoder.shape.factor
        height, width = (side // factor for side in members.spatial)
        with context.torch_scope("unet"):
            model = NoisePredictor(
                UNetShape(
                    latent_channels=self.latent_channels,
                    condition_channels=told.planes(factor),
                    spatial=(height, width),
                    channels=self.channels,
                    classes=len(told.labels),
                    centers=len(told.centers),
                    attributes=told.attributes,
                    schedule=self.schedule,
                    prediction=self.prediction,
                )
            ).to(context.device)
        train("unet", model, self._loss(model, members, autoencoder, told, self.batch), self.plan, context)
        leave(context.folder / "told.json", told)
        save_predictor(model, context.folder, "unet")

    def _loss(
        self, model: NoisePredictor, members: ImageSet, autoencoder: Autoencoder, told: Told, batch: int
    ) -> Callable[[torch.Generator], Tensor]:
        """The loss of ``model`` on a random batch of the members' latents."""
        factor = autoencoder.shape.factor
        known = (*_encoded(members, autoencoder, told), self._weight(members, factor))
        mirrored = known
        if self.augment:
            other_way = _mirrored(members)
            mirrored = (*_encoded(other_way, autoencoder, told), self._weight(other_way, factor))

        def loss(rng: torch.Generator) -> Tensor:
            chosen = draw_batch(len(members), batch, rng)
            side = torch.rand(len(chosen), generator=rng) < 0.5
            x_0, label, given, mask, weight = (
                torch.where(side.view(-1, *[1] * (one.ndim - 1)), one[chosen], other[chosen])
                for one, other in zip(known, mirrored, strict=True)
            )
            label, planes, beside = told.network(label, given, mask, factor)
            return noise_loss(
                model, x_0, label, planes, self.drop, rng, weight, given=beside, drop_all=told.beyond_label
            )

        return loss

    def _weight(self, images: ImageSet, factor: int) -> Tensor:
        """How much each place matters, ``(n, 1, h / factor, w / factor)`` or ones: a lesion is small, but the point."""
        if images.mask is None:
            return torch.ones((len(images), 1, 1, 1))
        inside = torch.from_numpy(np.asarray(images.mask) > 0)[:, None].float()
        return 1 + self.lesion_weight * functional.max_pool2d(inside, factor)

    @staticmethod
    def _load(model: Path, context: Context) -> tuple[Autoencoder, NoisePredictor, Told]:
        told = take_up(model / "told.json", Told)
        return load_autoencoder(model, context.device), load_predictor(model, "unet", context), told


def _tensor(images: ImageSet) -> Tensor:
    return torch.from_numpy(np.array(images.pixels, np.float32))


def _encoded(images: ImageSet, autoencoder: Autoencoder, told: Told) -> tuple[Tensor, ...]:
    """Latents, and what is told."""
    latents = torch.cat([autoencoder.encode(_tensor(part)) for part in images.batches(256)])
    return latents, *told.tensors(images)


def _mirrored(images: ImageSet) -> ImageSet:
    return replace(
        images, pixels=images.pixels[..., ::-1], mask=None if images.mask is None else images.mask[..., ::-1]
    )
