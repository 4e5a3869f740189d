"""What DP-LDM learns from public images alone, at no cost of privacy: autoencoder, first weights of the denoiser."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from scipy import ndimage
from torch import Tensor

from ...audit.context import Context
from ...audit.errors import BadInputError
from ...audit.types import ImageSet, TrainingData
from ..latent.autoencoder import Autoencoder, AutoencoderShape, load_autoencoder, save_autoencoder
from ..latent.diffusion import (
    NoisePredictor,
    Prediction,
    Schedule,
    UNetShape,
    load_predictor,
    noise_loss,
    save_predictor,
)
from ..latent.training import Plan, draw_batch, forget, train
from ..lesions.foreground import paste, place
from ..lesions.procedural import blob

REACH = 0.3  # of the image's shorter side: how far a drawn lesion extends from its middle
LESION_WEIGHT = 2.0
DRAWN, DRAWN_PIXELS = 1024, 2**25


@dataclass(frozen=True)
class PublicRecipe:
    """How long, how fast and how large; the options of ``dp-ldm`` of the same names."""

    autoencoder_steps: int
    public_steps: int
    batch: int
    learning_rate: float
    channels: int
    autoencoder_channels: int
    latent_channels: int
    lesions: float
    ema: float
    schedule: Schedule = "linear"
    prediction: Prediction = "v"


def public_of(data: TrainingData) -> ImageSet:
    """The public images.

    Raises:
        BadInputError: if there are none, or they are of another shape than the members'.
    """
    public, shape = data.public, (data.members.channels, *data.members.spatial)
    if public is None or len(public) == 0:
        raise BadInputError(
            "generator 'dp-ldm': the cohort has no public images to learn an autoencoder from\n"
            "mark patients whose images may be shared as split=public in metadata.csv, or choose another generator"
        )
    if (public.channels, *public.spatial) != shape:
        raise BadInputError(
            f"generator 'dp-ldm': public images are {(public.channels, *public.spatial)}, members' are {shape}\n"
            "give both the same size and channels"
        )
    return public


def drawn_images(public: ImageSet, share: float, n: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Public images, a ``share`` of them with a lesion that a procedure draws somewhere in the tissue.

    Returns:
        ``(n, channels, h, w)`` images and ``(n, 1, h, w)`` bool, where the drawn lesions are.
    """
    reach = REACH * min(public.spatial)
    side = 2 * int(reach) + 4
    images = np.empty((n, public.channels, *public.spatial), np.float32)
    lesions = np.zeros((n, 1, *public.spatial), np.bool_)
    for i, which in enumerate(rng.integers(len(public), size=n)):
        images[i] = public.pixels[which]
        if rng.random() >= share:
            continue
        lesion = blob(side, reach, public.channels, rng)
        at = place(lesion.mask, images[i], rng)
        soft = np.asarray(ndimage.gaussian_filter((at.mask > 0).astype(np.float32), rng.uniform(0.3, 0.8)))
        images[i] = paste(lesion.pixels, np.where(at.tissue, soft, 0).astype(np.float32), at.corner, images[i])
        lesions[i, 0] = at.mask_in(public.spatial) > 0
    return torch.from_numpy(images), torch.from_numpy(lesions)


def learn_public(
    recipe: PublicRecipe, public: ImageSet, factor: int, classes: int, context: Context
) -> tuple[Autoencoder, NoisePredictor]:
    """The autoencoder and the denoiser as public images make them; finished parts are taken up.

    The denoiser is unconditional so far: every label starts where "no label" ended.
    """
    wanted = ("autoencoder.safetensors", "public.safetensors")
    if not all((context.folder / name).exists() for name in wanted):
        n = max(1, min(DRAWN, DRAWN_PIXELS // (public.channels * public.spatial[0] * public.spatial[1])))
        images, lesions = drawn_images(public, recipe.lesions, n, context.rng("drawn"))
        autoencoder = _autoencoder(recipe, images, lesions, factor, context)
        _denoiser(recipe, autoencoder.encode(images), classes, context)
    forget("autoencoder", context)
    forget("public", context)
    return load_autoencoder(context.folder, context.device), load_predictor(context.folder, "public", context)


def take_up(
    folder: Path, channels: int, latents: tuple[int, int], factor: int, classes: int, context: Context
) -> tuple[Autoencoder, NoisePredictor]:
    """The autoencoder and the public denoiser of an earlier model of privbench, left in ``context.folder`` too.

    Taken is what an earlier ``dp-ldm`` learnt from public images, never what it learnt from private ones, or the model
    of an ``ldm`` that was trained on public images.

    Args:
        folder: of the earlier model.
        channels: of the images.
        latents: height and width that the latents must have.
        factor: pixels of image per pixel of latent.
        classes: labels that the denoiser is to be conditioned on; all start where "no label" ended.
        context: device and folder.

    Raises:
        BadInputError: if there is no such model, it was written by another version, or it is for other images.
    """
    name = "public" if (folder / "public.json").exists() else "unet"
    try:
        autoencoder, model = load_autoencoder(folder, context.device), load_predictor(folder, name, context)
    except FileNotFoundError as error:
        raise BadInputError(
            f"generator 'dp-ldm': warm_start={folder} has no {Path(error.filename or 'model').name}\n"
            "give the model folder of a dp-ldm, or of an ldm trained on public images"
        ) from None
    except (ValidationError, SafetensorError, RuntimeError, ValueError) as error:
        raise BadInputError(
            f"generator 'dp-ldm': the model in warm_start={folder} was written by another version of privbench "
            f"({type(error).__name__})\ntrain it anew with this version"
        ) from None
    has = (autoencoder.shape.image_channels, autoencoder.shape.factor, model.shape.spatial)
    if has != (channels, factor, latents) or model.shape.condition_channels:
        raise BadInputError(
            f"generator 'dp-ldm': the model in warm_start={folder} is for {has[0]} channels and latents of "
            f"{'x'.join(map(str, has[2]))}, these images have {channels} and {'x'.join(map(str, latents))}\n"
            "train one on public images of the same size and channels"
        )
    model = unlabelled(model, classes, context)
    save_autoencoder(autoencoder, context.folder)
    save_predictor(model, context.folder, "public")
    return autoencoder, model


def unlabelled(model: NoisePredictor, classes: int, context: Context) -> NoisePredictor:
    """The same denoiser for ``classes`` labels, each of which means "no label" so far."""
    with torch.random.fork_rng(devices=[]):  # what a new network draws is overwritten, but was drawn
        made = NoisePredictor(model.shape.model_copy(update={"classes": classes})).to(context.device)
    weights = model.state_dict()
    name = "unet.class_embedding.weight"
    made.load_state_dict(weights | {name: weights[name][-1:].repeat(classes + 1, 1)})
    return made.eval()


def _autoencoder(recipe: PublicRecipe, images: Tensor, lesions: Tensor, factor: int, context: Context) -> Autoencoder:
    if (context.folder / "autoencoder.safetensors").exists():
        return load_autoencoder(context.folder, context.device)
    with context.torch_scope("autoencoder"):
        model = Autoencoder(
            AutoencoderShape(
                image_channels=images.shape[1],
                factor=factor,
                channels=recipe.autoencoder_channels,
                latent_channels=recipe.latent_channels,
            )
        ).to(context.device)
    model.start(images.to(context.device))

    def loss(rng: torch.Generator) -> Tensor:
        chosen = draw_batch(len(images), recipe.batch, rng)
        weight = 1 + LESION_WEIGHT * lesions[chosen].float()
        return model.loss(images[chosen].to(context.device), rng, weight.to(context.device))

    train("autoencoder", model, loss, Plan(recipe.autoencoder_steps, recipe.learning_rate), context)
    model.normalise(images)
    save_autoencoder(model, context.folder)
    return model


def _denoiser(recipe: PublicRecipe, latents: Tensor, classes: int, context: Context) -> None:
    with context.torch_scope("public"):
        model = NoisePredictor(
            UNetShape(
                latent_channels=recipe.latent_channels,
                spatial=(latents.shape[2], latents.shape[3]),
                channels=recipe.channels,
                schedule=recipe.schedule,
                prediction=recipe.prediction,
            )
        ).to(context.device)
    label = torch.zeros(len(latents), dtype=torch.int64)

    def loss(rng: torch.Generator) -> Tensor:
        chosen = draw_batch(len(latents), recipe.batch, rng)
        return noise_loss(model, latents[chosen], label[chosen], None, 0.0, rng)

    if recipe.public_steps:
        train("public", model, loss, Plan(recipe.public_steps, recipe.learning_rate, recipe.ema), context)
    save_predictor(unlabelled(model, classes, context), context.folder, "public")
