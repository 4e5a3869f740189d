"""One latent diffusion model trained on every member image."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ..audit.context import Context
from ..audit.errors import BadInputError
from ..audit.plugin import generator
from ..audit.record import Model
from ..audit.target import Access, Queries
from ..audit.types import ImageSet, TrainingData
from ..audit.whole import write_text_whole
from .autoencoder import Autoencoder, AutoencoderShape, load_autoencoder, save_autoencoder
from .diffusion import (
    LatentDenoiser,
    NoisePredictor,
    UNetShape,
    alphas_cumprod,
    class_index,
    draw_latents,
    load_predictor,
    noise_loss,
    save_predictor,
)
from .real import neutral_names
from .training import Plan, draw_batch, forget, train

LABEL_DROP = 0.1
OVERFIT, OVERFIT_BATCH = Plan(steps=300, learning_rate=2e-3), 16
NORMALISED_ON = 4096


class Learned(Model):
    """What the model knows beside its weights.

    Attributes:
        labels: the members' distinct labels, sorted; the position is the class index. Empty without labels.
        share: the share of the members that has each label.
    """

    labels: tuple[int, ...]
    share: tuple[float, ...]


@generator(
    access=Access.WEIGHTS,
    paper="arXiv:2112.10752",
    standard={"autoencoder_steps": 3000, "steps": 8000, "channels": 64, "sampling_steps": 50},
    full={"autoencoder_steps": 10000, "steps": 40000, "channels": 96, "sampling_steps": 100},
)
class Ldm:
    """A latent diffusion model on all members, conditioned on their label (Rombach et al. 2022).

    An autoencoder (diffusers' AutoencoderKL behind a pixel-unshuffle stem) and a U-Net (UNet2DModel) are trained on the
    member images. Latents are the posterior's mode and images are not augmented by default, so that a model trained for
    long on few patients can memorize them. Samples have a label drawn at the members' frequencies, and no mask.
    Images are 32 to 512 pixels high and wide, divisible by 8, with 1 to 4 channels.
    """

    def __init__(
        self,
        *,
        autoencoder_steps: Annotated[int, Field(ge=1, le=1_000_000, description="steps of the autoencoder")] = 700,
        steps: Annotated[int, Field(ge=1, le=10_000_000, description="steps of the diffusion model")] = 1500,
        batch: Annotated[int, Field(ge=1, le=1024, description="images in a step")] = 32,
        learning_rate: Annotated[float, Field(gt=0, le=0.1, description="highest learning rate of both")] = 1e-3,
        channels: Annotated[
            int, Field(ge=16, le=512, multiple_of=16, description="width of the U-Net's first level")
        ] = 32,
        autoencoder_channels: Annotated[
            int, Field(ge=16, le=512, multiple_of=16, description="width of the autoencoder")
        ] = 64,
        latent_channels: Annotated[int, Field(ge=1, le=32, description="channels of the latents")] = 4,
        sampling_steps: Annotated[int, Field(ge=1, le=1000, description="DDIM steps of a sample")] = 25,
        ema: Annotated[float, Field(ge=0, lt=1, description="moving average of the U-Net's weights; 0: none")] = 0.995,
        augment: Annotated[bool, Field(description="flip half of the training images left to right")] = False,
    ) -> None:
        self.autoencoder_steps = autoencoder_steps
        self.steps = steps
        self.batch = batch
        self.learning_rate = learning_rate
        self.channels = channels
        self.autoencoder_channels = autoencoder_channels
        self.latent_channels = latent_channels
        self.sampling_steps = sampling_steps
        self.ema = ema
        self.augment = augment

    def fit(self, data: TrainingData, context: Context) -> None:
        """Train the autoencoder, then the diffusion model on its latents; finished parts are taken up.

        Raises:
            BadInputError: if the images are of a size or number of channels that it cannot take.
        """
        factor = factor_for(data.members)
        autoencoder = self._autoencoder(data.members, factor, context)
        if not (context.folder / "unet.safetensors").exists():
            self._unet(data.members, autoencoder, context)
        forget("autoencoder", context)
        forget("unet", context)

    def overfit(self, data: TrainingData, model: Path, context: Context) -> None:
        """Train the U-Net of ``model`` on, on the members of ``data`` alone, until it knows them by heart."""
        autoencoder, unet, learned = self._load(model, context)
        unet.requires_grad_(requires_grad=True)
        loss = self._loss(unet, data.members, autoencoder, learned, OVERFIT_BATCH)
        train("overfit", unet, loss, OVERFIT, context)
        write_text_whole(context.folder / "learned.json", learned.model_dump_json(indent=1))
        save_autoencoder(autoencoder, context.folder)
        save_predictor(unet, context.folder, "unet")
        forget("overfit", context)

    def sample(self, n: int | None, data: TrainingData, model: Path, context: Context) -> ImageSet:
        """``n`` images (None: one per member image)."""
        autoencoder, unet, learned = self._load(model, context)
        count = len(data.members) if n is None else n
        classes = np.zeros(count, np.int64)
        if learned.labels:
            classes = context.rng("labels").choice(len(learned.labels), count, p=learned.share)
        with context.progress.task("sampling", count) as step:
            latents = draw_latents(
                unet, torch.from_numpy(classes), None, self.sampling_steps, context.torch_rng("noise"), step
            )
        return ImageSet(
            pixels=autoencoder.decode(latents).numpy(),
            patient=neutral_names(count),
            label=np.array(learned.labels, np.int64)[classes] if learned.labels else None,
        )

    def denoiser(self, data: TrainingData, model: Path, context: Context) -> LatentDenoiser:  # noqa: ARG002
        """The noise predictor; a label that no member has counts as none."""
        autoencoder, unet, learned = self._load(model, context)

        def encode(images: ImageSet) -> Queries:
            latents = torch.cat([autoencoder.encode(_tensor(part)) for part in images.batches(256)])
            return Queries(latents, (class_index(images.label, len(images), learned.labels),))

        def predict(x_t: Tensor, t: Tensor, condition: tuple[Tensor, ...]) -> Tensor:
            predicted: Tensor = unet.noise(
                x_t.to(context.device), t.to(context.device), condition[0].to(context.device)
            )
            return predicted.cpu()

        return LatentDenoiser(encode, predict, alphas_cumprod())

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

        def loss(rng: torch.Generator) -> Tensor:
            images = self._flipped(_tensor(members.take(draw_batch(len(members), self.batch, rng).numpy())), rng)
            return model.loss(images.to(context.device), rng)

        train("autoencoder", model, loss, Plan(self.autoencoder_steps, self.learning_rate), context)
        some = context.rng("normalise").permutation(len(members))[:NORMALISED_ON]
        model.normalise(_tensor(members.take(np.sort(some))))
        save_autoencoder(model, context.folder)
        return model

    def _unet(self, members: ImageSet, autoencoder: Autoencoder, context: Context) -> None:
        labels, counts = np.unique(members.label, return_counts=True) if members.label is not None else ((), ())
        learned = Learned(labels=tuple(int(v) for v in labels), share=tuple(float(c) / len(members) for c in counts))
        side = autoencoder.encode(_tensor(members.take(slice(0, 1)))).shape
        with context.torch_scope("unet"):
            model = NoisePredictor(
                UNetShape(
                    latent_channels=self.latent_channels,
                    spatial=(side[2], side[3]),
                    channels=self.channels,
                    classes=len(learned.labels),
                )
            ).to(context.device)
        plan = Plan(self.steps, self.learning_rate, self.ema)
        train("unet", model, self._loss(model, members, autoencoder, learned, self.batch), plan, context)
        write_text_whole(context.folder / "learned.json", learned.model_dump_json(indent=1))
        save_predictor(model, context.folder, "unet")

    def _loss(
        self, model: NoisePredictor, members: ImageSet, autoencoder: Autoencoder, learned: Learned, batch: int
    ) -> Callable[[torch.Generator], Tensor]:
        """The loss of ``model`` on a random batch of the members' latents."""
        latents = torch.cat([autoencoder.encode(_tensor(part)) for part in members.batches(256)])
        mirrored = latents
        if self.augment:
            mirrored = torch.cat([autoencoder.encode(_tensor(part).flip(-1)) for part in members.batches(256)])
        classes = class_index(members.label, len(members), learned.labels)

        def loss(rng: torch.Generator) -> Tensor:
            chosen = draw_batch(len(latents), batch, rng)
            side = torch.rand(len(chosen), generator=rng)[:, None, None, None] < 0.5
            x_0 = torch.where(side, latents[chosen], mirrored[chosen])
            return noise_loss(model, x_0, classes[chosen], None, LABEL_DROP, rng)

        return loss

    def _flipped(self, images: Tensor, rng: torch.Generator) -> Tensor:
        if not self.augment:
            return images
        side = torch.rand(len(images), generator=rng)[:, None, None, None] < 0.5
        return torch.where(side, images, images.flip(-1))

    @staticmethod
    def _load(model: Path, context: Context) -> tuple[Autoencoder, NoisePredictor, Learned]:
        learned = Learned.model_validate_json((model / "learned.json").read_text("utf-8"))
        return load_autoencoder(model, context.device), load_predictor(model, "unet", context), learned


def factor_for(images: ImageSet) -> int:
    """Pixels of image per pixel of latent: 8 for large images, else 4; latents always have even sides.

    Raises:
        BadInputError: if the images are of a size or number of channels that the model cannot take.
    """
    fits = len(images.spatial) == 2 and all(32 <= side <= 512 and side % 8 == 0 for side in images.spatial)
    if not fits:
        raise BadInputError(
            f"generator 'ldm': images are {'x'.join(map(str, images.spatial))}\n"
            "height and width must be 32 to 512 and divisible by 8; set the cohort's option size"
        )
    if images.channels > 4:
        raise BadInputError(f"generator 'ldm': images have {images.channels} channels\nit takes 1 to 4")
    return 8 if all(side >= 128 and side % 16 == 0 for side in images.spatial) else 4


def _tensor(images: ImageSet) -> Tensor:
    return torch.from_numpy(np.array(images.pixels, np.float32))
