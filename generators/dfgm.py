"""Private tumours on public brains: one small conditional diffusion model a centre, which never leaves it."""

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ..audit.context import Context
from ..audit.errors import BadInputError
from ..audit.plugin import generator
from ..audit.target import Access, Queries
from ..audit.types import ImageSet, TrainingData
from ..audit.whole import write_text_whole
from .autoencoder import Autoencoder, load_autoencoder
from .centres import Recipe, beside, sketched, train_autoencoder, train_center, train_shared
from .colours import Colours, painted
from .diffusion import (
    LatentDenoiser,
    alphas_cumprod,
    class_index,
    draw_latents,
    load_predictor,
)
from .foreground import paste
from .procedural import drawn_windows
from .real import neutral_names, spread
from .training import forget
from .windows import Agreement, agree, candidate_windows, centers_of, lesions_of, public_of, turned_windows

DRAWN = 1024


@generator(
    access=Access.DENOISER,
    paper="arXiv:2504.00150",
    needs=("public", "mask"),
    standard={
        "autoencoder_steps": 3000,
        "shared_steps": 5000,
        "steps": 3000,
        "blends": 16,
        "channels": 64,
        "sampling_steps": 50,
    },
    full={
        "autoencoder_steps": 10000,
        "shared_steps": 20000,
        "steps": 20000,
        "blends": 64,
        "channels": 96,
        "sampling_steps": 100,
    },
)
class Dfgm:
    """Decentralized few-shot generation: private tumour foregrounds on public healthy backgrounds, a model per centre.

    Each centre cuts the lesions of its members out with a margin, harmonises them with public healthy images, blends
    them in at places inside the brain, and trains a latent diffusion model on these blends, conditioned on background,
    mask and label. Only samples leave the centre. What is diffused is a window on the lesion; the rest of a sample is
    its public background to the bit. The window starts as a sketch, the background with each part of the lesion in one
    grey drawn from the centre's own distribution, and the model adds what the sketch lacks: a short training then gives
    lesions of the right contrast, where diffusing the whole lesion gives grain. Autoencoder and the centres' common
    starting point learn from public images with lesions that a procedure draws, so they reveal nothing. A sample's mask
    is a turned member's mask: ``source`` names that patient.
    """

    def __init__(
        self,
        *,
        autoencoder_steps: Annotated[int, Field(ge=1, le=1_000_000, description="steps of the autoencoder")] = 60,
        shared_steps: Annotated[
            int, Field(ge=1, le=1_000_000, description="steps on public images before the centres part")
        ] = 450,
        steps: Annotated[int, Field(ge=1, le=10_000_000, description="steps of each centre's model")] = 150,
        batch: Annotated[int, Field(ge=1, le=1024, description="windows in a step")] = 24,
        learning_rate: Annotated[float, Field(gt=0, le=0.1, description="highest learning rate of all models")] = 2e-3,
        channels: Annotated[
            int, Field(ge=16, le=512, multiple_of=16, description="width of a U-Net's first level")
        ] = 32,
        autoencoder_channels: Annotated[
            int, Field(ge=16, le=512, multiple_of=16, description="width of the autoencoder")
        ] = 32,
        latent_channels: Annotated[int, Field(ge=1, le=32, description="channels of the latents")] = 8,
        blends: Annotated[
            int, Field(ge=1, le=1000, description="backgrounds that each foreground is blended into")
        ] = 4,
        side: Annotated[
            int | None,
            Field(
                ge=16,
                le=512,
                multiple_of=8,
                description="window on the lesion in pixels; None: 5/8 of the image's side",
            ),
        ] = None,
        sampling_steps: Annotated[int, Field(ge=1, le=1000, description="DDIM steps of a sample")] = 25,
        ema: Annotated[float, Field(ge=0, lt=1, description="moving average of a U-Net's weights; 0: none")] = 0.99,
    ) -> None:
        self.recipe = Recipe(
            autoencoder_steps=autoencoder_steps,
            shared_steps=shared_steps,
            steps=steps,
            batch=batch,
            learning_rate=learning_rate,
            channels=channels,
            autoencoder_channels=autoencoder_channels,
            latent_channels=latent_channels,
            blends=blends,
            ema=ema,
        )
        self.side = side
        self.sampling_steps = sampling_steps

    def fit(self, data: TrainingData, context: Context) -> None:
        """Train the public autoencoder, then one model per centre; finished parts are taken up.

        Raises:
            BadInputError: without public images, masks or lesions, or if the images are no 2-D images of 16 pixels.
        """
        recipe = self.recipe
        public, lesions = public_of(data), lesions_of(data.members)
        agreed = agree(data.members.take(lesions), self.side)
        drawn = drawn_windows(public, agreed.side, agreed.reach, agreed.lesions, DRAWN, context.rng("drawn"))
        images, backgrounds, masks = (torch.from_numpy(part) for part in drawn)
        sketches = sketched(images, backgrounds, masks, agreed)
        autoencoder = train_autoencoder(recipe, images, sketches, masks, context)
        train_shared(recipe, autoencoder, images, sketches, masks, agreed, context)
        for number, center in enumerate(agreed.centers):
            if not (context.folder / f"unet-{number}.safetensors").exists():
                own = data.members.take(lesions[centers_of(data.members)[lesions] == center])
                train_center(recipe, number, own, public, autoencoder, agreed, context)
        write_text_whole(context.folder / "agreement.json", agreed.model_dump_json(indent=1))
        for name in ("autoencoder", "shared", *(f"unet-{number}" for number in range(len(agreed.centers)))):
            forget(name, context)

    def sample(self, n: int | None, data: TrainingData, model: Path, context: Context) -> ImageSet:
        """``n`` images with a lesion each (None: one per member image), spread over the member patients."""
        public, lesions = public_of(data), lesions_of(data.members)
        agreed, autoencoder = _load(model, context)
        wanted = len(data.members) if n is None else n
        conditions = data.members.take(
            lesions[spread(data.members.patient[lesions], wanted, context.rng("conditions"))]
        )
        pixels = np.empty((wanted, *conditions.pixels.shape[1:]), np.float32)
        mask = np.zeros((wanted, *conditions.spatial), np.uint8)
        with context.progress.task("sampling", wanted) as step:
            for number, center in enumerate(agreed.centers):
                rows = np.flatnonzero(centers_of(conditions) == center)
                if not len(rows):
                    continue
                own = conditions.take(rows)
                windows = turned_windows(own, public, center, agreed, context.rng("places", center))
                text = (model / f"colours-{number}.json").read_text("utf-8")
                colours = Colours.model_validate_json(text).draw(own.label, len(own), context.rng("colours", center))
                sketches = painted(windows.background, windows.mask, colours, agreed.lesions)
                behind = autoencoder.encode(sketches)
                change = draw_latents(
                    load_predictor(model, f"unet-{number}", context),
                    class_index(own.label, len(own), agreed.labels),
                    beside(behind, windows.mask, agreed),
                    self.sampling_steps,
                    context.torch_rng("noise", center),
                    step,
                )
                decoded = autoencoder.decode(behind + change).numpy()
                for row, at, image, lesion in zip(rows, windows.places, windows.backgrounds, decoded, strict=True):
                    pixels[row] = paste(lesion, at.alpha, at.corner, np.asarray(public.pixels[image]))
                    mask[row] = at.mask_in(mask.shape[1:])
        return ImageSet(
            pixels=pixels,
            patient=neutral_names(wanted),
            label=conditions.label,
            mask=mask,
            center=conditions.center,
            source=conditions.patient,
        )

    def denoiser(self, data: TrainingData, model: Path, context: Context) -> LatentDenoiser:
        """The noise predictors behind one door: a query goes to its centre's, an unknown centre's to the first.

        A real image is blended into a public background first, as its centre would have done it.
        """
        public = public_of(data)
        agreed, autoencoder = _load(model, context)
        unets = [load_predictor(model, f"unet-{number}", context) for number in range(len(agreed.centers))]

        def encode(images: ImageSet) -> Queries:
            if images.mask is None:
                raise BadInputError(
                    "generator 'dfgm': its denoiser needs the lesion masks of the images it is asked about\n"
                    "choose a cohort with masks"
                )
            windows = candidate_windows(images, public, agreed, context)
            number = [agreed.centers.index(c) if c in agreed.centers else 0 for c in centers_of(images).tolist()]
            behind = autoencoder.encode(sketched(windows.image, windows.background, windows.mask, agreed))
            return Queries(
                autoencoder.encode(windows.image) - behind,
                (
                    class_index(images.label, len(images), agreed.labels),
                    torch.tensor(number),
                    beside(behind, windows.mask, agreed),
                ),
            )

        def predict(x_t: Tensor, t: Tensor, condition: tuple[Tensor, ...]) -> Tensor:
            label, number, planes = condition
            noise = torch.empty_like(x_t)
            for which in torch.unique(number).tolist():
                rows = number == which
                inputs = (part[rows].to(context.device) for part in (x_t, t, label, planes))
                noise[rows] = unets[which].noise(*inputs).to(noise)
            return noise

        return LatentDenoiser(encode, predict, alphas_cumprod())


def _load(model: Path, context: Context) -> tuple[Agreement, Autoencoder]:
    agreed = Agreement.model_validate_json((model / "agreement.json").read_text("utf-8"))
    return agreed, load_autoencoder(model, context.device)
