"""How DFGM's models come about: what is learnt from public images, and what each centre learns of its own."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...audit.context import Context
from ...audit.types import ImageSet
from ..latent.autoencoder import Autoencoder, AutoencoderShape, load_autoencoder, save_autoencoder
from ..latent.devices import Precision
from ..latent.diffusion import (
    NoisePredictor,
    Prediction,
    Schedule,
    UNetShape,
    class_index,
    load_predictor,
    noise_loss,
    save_predictor,
)
from ..latent.training import Plan, RateSchedule, draw_batch, leave, train
from .colours import describe, greys, looks, painted
from .windows import Agreement, own_backgrounds, turned_windows

FACTOR = 4
LABEL_DROP = 0.1
LESION_WEIGHT = 2.0
ELSEWHERE = 0.05  # weight of a latent that covers no lesion: no sample shows it


@dataclass(frozen=True)
class Recipe:
    """How long, how fast and how large; the options of ``dfgm`` of the same names.

    Attributes:
        autoencoder_steps: steps of the autoencoder.
        shared_steps: steps on public images before the centres part.
        steps: steps of each centre's model.
        batch: windows in a step.
        learning_rate: highest learning rate of all models.
        channels: width of a U-Net's first level.
        autoencoder_channels: width of the autoencoder.
        latent_channels: channels of the latents.
        blends: backgrounds that each foreground is blended into.
        ema: moving average of a U-Net's weights.
        schedule: of the diffusion's noise.
        prediction: what a U-Net puts out.
        rate_schedule: what the learning rate does after its warm-up.
        clip: largest gradient norm.
        precision: of the arithmetic.
    """

    autoencoder_steps: int
    shared_steps: int
    steps: int
    batch: int
    learning_rate: float
    channels: int
    autoencoder_channels: int
    latent_channels: int
    blends: int
    ema: float
    schedule: Schedule
    prediction: Prediction
    rate_schedule: RateSchedule
    clip: float
    precision: Precision

    def plan(self, steps: int, ema: float = 0.0) -> Plan:
        """The plan of a training."""
        return Plan(steps, self.learning_rate, ema, self.clip, self.rate_schedule, self.precision)


def train_autoencoder(recipe: Recipe, images: Tensor, sketches: Tensor, masks: Tensor, context: Context) -> Autoencoder:
    """The autoencoder, trained on public images with drawn lesions."""
    if (context.folder / "autoencoder.safetensors").exists():
        return load_autoencoder(context.folder, context.device)
    weight = 1 + LESION_WEIGHT * (masks > 0)[:, None].float()
    with context.torch_scope("autoencoder"):
        model = Autoencoder(
            AutoencoderShape(
                image_channels=images.shape[1],
                factor=FACTOR,
                channels=recipe.autoencoder_channels,
                latent_channels=recipe.latent_channels,
            )
        ).to(context.device)
    model.start(images.to(context.device))

    def loss(rng: torch.Generator) -> Tensor:
        chosen = draw_batch(len(images), recipe.batch, rng)
        return model.loss(images[chosen].to(context.device), rng, weight[chosen].to(context.device))

    train("autoencoder", model, loss, recipe.plan(recipe.autoencoder_steps), context)
    model.normalise(images, sketches)
    save_autoencoder(model, context.folder)
    return model


def train_shared(
    recipe: Recipe,
    autoencoder: Autoencoder,
    images: Tensor,
    sketches: Tensor,
    masks: Tensor,
    agreed: Agreement,
    context: Context,
) -> None:
    """The model that every centre starts from: it has only seen drawn lesions in public brains."""
    if (context.folder / "shared.safetensors").exists():
        return
    behind = autoencoder.encode(sketches)
    latents = autoencoder.encode(images) - behind
    weight = agreed.cells(masks, FACTOR) + ELSEWHERE
    unlabelled = class_index(None, len(latents), agreed.labels)
    with context.torch_scope("shared"):
        model = NoisePredictor(
            UNetShape(
                latent_channels=recipe.latent_channels,
                condition_channels=recipe.latent_channels + agreed.planes * FACTOR**2,
                spatial=(agreed.side // FACTOR, agreed.side // FACTOR),
                channels=recipe.channels,
                classes=len(agreed.labels),
                schedule=recipe.schedule,
                prediction=recipe.prediction,
            )
        ).to(context.device)

    def loss(rng: torch.Generator) -> Tensor:
        chosen = draw_batch(len(latents), recipe.batch, rng)
        planes = beside(behind[chosen], masks[chosen], agreed)
        return noise_loss(model, latents[chosen], unlabelled[chosen], planes, 0.0, rng, weight[chosen])

    train("shared", model, loss, recipe.plan(recipe.shared_steps, recipe.ema), context)
    save_predictor(model, context.folder, "shared")


def train_center(
    recipe: Recipe,
    number: int,
    own: ImageSet,
    public: ImageSet,
    autoencoder: Autoencoder,
    agreed: Agreement,
    context: Context,
) -> None:
    """Train the model of one centre on its own members, in public backgrounds."""
    name, center = f"unet-{number}", agreed.centers[number]
    repeated = own.take(np.tile(np.arange(len(own)), recipe.blends))
    backgrounds = own_backgrounds(public, center)
    windows = turned_windows(repeated, public, backgrounds, agreed.side, context.rng("blends", center))
    found = looks(windows.image, windows.background, windows.mask, agreed.lesions)
    colours = describe(
        found, windows.background, windows.mask, repeated.label, agreed.labels, agreed.lesions, recipe.blends
    )
    leave(context.folder / f"colours-{number}.json", colours)
    behind = autoencoder.encode(painted(windows.background, windows.mask, found.greys, agreed.lesions))
    latents = autoencoder.encode(windows.image) - behind
    weight = agreed.cells(windows.mask, FACTOR) + ELSEWHERE
    classes = class_index(repeated.label, len(repeated), agreed.labels)
    model = load_predictor(context.folder, "shared", context).requires_grad_(True)

    def loss(rng: torch.Generator) -> Tensor:
        chosen = draw_batch(len(latents), recipe.batch, rng)
        planes = beside(behind[chosen], windows.mask[chosen], agreed)
        return noise_loss(model, latents[chosen], classes[chosen], planes, LABEL_DROP, rng, weight[chosen])

    train(name, model, loss, recipe.plan(recipe.steps, recipe.ema), context)
    save_predictor(model, context.folder, name)


def sketched(images: Tensor, backgrounds: Tensor, masks: Tensor, agreed: Agreement) -> Tensor:
    """Backgrounds with each lesion class painted in the mean grey that it has in the image."""
    return painted(backgrounds, masks, greys(images, backgrounds, masks, agreed.lesions), agreed.lesions)


def beside(background: Tensor, mask: Tensor, agreed: Agreement) -> Tensor:
    """What a model is conditioned on: the background's latent and the mask, ``(n, channels, *latent)``."""
    return torch.cat((background, agreed.mask_planes(mask, FACTOR)), 1)
