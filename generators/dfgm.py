"""Private tumours on public brains: one small conditional diffusion model a centre, which never leaves it."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ..audit.context import Context, Step
from ..audit.errors import BadInputError
from ..audit.plugin import generator
from ..audit.record import Crossing, Declaration
from ..audit.target import Access, Queries
from ..audit.types import ImageSet, Names, TrainingData, concatenate
from .latent.autoencoder import Autoencoder, load_autoencoder
from .latent.devices import Precision
from .latent.diffusion import (
    LatentDenoiser,
    Prediction,
    Sampler,
    Schedule,
    alphas_cumprod,
    class_index,
    draw_latents,
    load_predictor,
)
from .latent.training import RateSchedule, forget, leave, take_up
from .lesions.border import came_in, went_out
from .lesions.centres import Recipe, beside, sketched, train_autoencoder, train_center, train_shared
from .lesions.choices import backgrounds_for, conditions_for
from .lesions.colours import Colours, painted, regreyed
from .lesions.controls import SITES, Wish
from .lesions.few_shot import check_patients, few_shot, refuse_lone, trained
from .lesions.foreground import paste
from .lesions.procedural import drawn_windows
from .lesions.windows import (
    FADED,
    Agreement,
    agree,
    candidate_windows,
    centers_of,
    own_backgrounds,
    public_of,
    side_for,
    turned_windows,
)
from .real import neutral_names, spread

DRAWN = 1024
NOTES = tuple(
    " ".join(lines.split())
    for lines in (
        "decentralised: each centre trained on patients of its own alone, and its model and colours never leave it",
        """attacks on the denoiser ask a centre's model, which is not released; what they find beyond what the samples
        reveal, only somebody inside the centre would learn""",
        f"""from {FADED} pixels beyond its mask on, a sample equals its public background to the bit (tolerance 0): what
        is private lies in and next to the mask""",
        """a sample's mask is a member's, turned, scaled by up to 15% or to the size asked for, and bent; who that is,
        the audit knows and the release does not say""",
    )
)


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

    After Shi & Wang 2025. Each centre trains alone, on few patients of its own: it cuts their lesions out with margin,
    turns and bends them, harmonises them with public healthy images, blends them in at places inside the brain, and
    trains a latent diffusion model on these blends, conditioned on background, mask and label. Only samples leave the
    centre; what crossed each centre's border stands in the record. The members it did not choose leave the audit.

    What is diffused is a window on the lesion. Around it a sample is its public background, to the bit: from 4 pixels
    beyond the mask on, the tolerance is 0. The window starts as a sketch, the background with each part of the lesion
    in one grey drawn from the centre's own distribution, and the model adds what the sketch lacks: a short training
    then gives lesions of the right contrast, where diffusing the whole lesion gives grain. Autoencoder and the centres'
    common starting point learn from public images with lesions that a procedure draws, so they reveal nothing. A
    sample's mask is a member's, turned, scaled and bent: ``source`` names that patient.

    The last six options say what to show; none of them changes the training. In Python, one fitted model serves them
    all: ``Dfgm(site="left", label=1).sample(8, data, model, context)``.
    """

    def __init__(
        self,
        *,
        patients: Annotated[
            int | Literal["all"],
            Field(description="patients that each centre trains on, 2 or more, as many of each label; or all"),
        ] = 16,
        autoencoder_steps: Annotated[int, Field(ge=1, le=1_000_000, description="steps of the autoencoder")] = 60,
        shared_steps: Annotated[
            int, Field(ge=1, le=1_000_000, description="steps on public images before the centres part")
        ] = 400,
        steps: Annotated[int, Field(ge=1, le=10_000_000, description="steps of each centre's model")] = 200,
        batch: Annotated[int, Field(ge=1, le=1024, description="windows in a step")] = 24,
        learning_rate: Annotated[float, Field(gt=0, le=0.1, description="highest learning rate of all models")] = 2e-3,
        rate_schedule: Annotated[RateSchedule, Field(description="the learning rate after its warm-up")] = "cosine",
        clip: Annotated[float, Field(ge=0, description="largest gradient norm; 0: any")] = 1.0,
        ema: Annotated[float, Field(ge=0, lt=1, description="moving average of a U-Net's weights; 0: none")] = 0.99,
        precision: Annotated[Precision, Field(description="of the training; auto: mixed on a GPU")] = "auto",
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
        schedule: Annotated[Schedule, Field(description="how noise grows")] = "linear",
        prediction: Annotated[Prediction, Field(description="what the U-Nets put out: velocity or noise")] = "v",
        sampler: Annotated[Sampler, Field(description="how samples are denoised")] = "ddim",
        sampling_steps: Annotated[int, Field(ge=1, le=1000, description="denoising steps of a sample")] = 25,
        sampling_batch: Annotated[int, Field(ge=1, le=4096, description="windows denoised at once")] = 128,
        site: Annotated[
            str | None,
            Field(
                pattern=f"^{SITES}$",
                description="where the lesion's centre of mass lies in the image as shown: left, right, top, bottom, "
                "top-left, ... or y,x such as 0.4,0.6 from 0,0 (top left) to 1,1, within 0.05; None: anywhere",
            ),
        ] = None,
        area_min: Annotated[
            float | None, Field(gt=0, le=0.5, description="least share of the image that a lesion covers")
        ] = None,
        area_max: Annotated[
            float | None, Field(gt=0, le=0.5, description="largest share of the image that a lesion covers")
        ] = None,
        label: Annotated[int | None, Field(description="grade of every sample; None: as the members")] = None,
        center: Annotated[
            str | None, Field(description="centre whose lesions, colours and model are used; None: each in turn")
        ] = None,
        background: Annotated[
            int | str | None,
            Field(description="public image, by number, or the centre whose are used; None: the sample's own centre's"),
        ] = None,
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
            schedule=schedule,
            prediction=prediction,
            rate_schedule=rate_schedule,
            clip=clip,
            precision=precision,
        )
        check_patients(patients, 2, "dfgm")
        if area_min is not None and area_max is not None and area_min > area_max:
            raise BadInputError(
                f"generator 'dfgm': area_min={area_min} is more than area_max={area_max}\nexchange them"
            )
        self.patients = patients
        self.side = side
        self.sampler = sampler
        self.sampling_steps = sampling_steps
        self.sampling_batch = sampling_batch
        self.wish = Wish(site, area_min, area_max)
        self.label, self.center, self.background = label, center, background

    def trains_on(self, members: ImageSet, context: Context) -> Names:
        """The patients with a lesion that the centres choose, each for itself.

        Raises:
            BadInputError: without lesions, or if a centre has one patient only.
        """
        chosen = few_shot(members, self.patients, context.seed)
        refuse_lone(trained(members, chosen), "dfgm")
        return chosen

    def fit(self, data: TrainingData, context: Context) -> None:
        """Train the public autoencoder, then one model per centre; finished parts are taken up.

        Raises:
            BadInputError: without public images, masks or lesions, if a centre has one patient only, if the images are
                no 2-D images of 16 pixels, or if no sample could be what the options ask for.
        """
        recipe, public, own = self.recipe, public_of(data), self._own(data, context)
        agreed = agree(own, side_for(own, self.side))
        for center in np.unique(centers_of(conditions_for(own, self.label, self.center, self.wish, agreed.side))):
            backgrounds_for(public, self.background, str(center))
        drawn = drawn_windows(public, agreed.side, agreed.reach, agreed.lesions, DRAWN, context.rng("drawn"))
        images, backgrounds, masks = (torch.from_numpy(part) for part in drawn)
        sketches = sketched(images, backgrounds, masks, agreed)
        autoencoder = train_autoencoder(recipe, images, sketches, masks, context)
        train_shared(recipe, autoencoder, images, sketches, masks, agreed, context)
        for number, center in enumerate(agreed.centers):
            if not (context.folder / f"unet-{number}.safetensors").exists():
                train_center(recipe, number, own.take(centers_of(own) == center), public, autoencoder, agreed, context)
        leave(context.folder / "agreement.json", agreed)
        for name in ("autoencoder", "shared", *(f"unet-{number}" for number in range(len(agreed.centers)))):
            forget(name, context)

    def sample(self, n: int | None, data: TrainingData, model: Path, context: Context) -> ImageSet:
        """``n`` images with a lesion each, as many from every centre; None: one for each image that was trained on.

        A centre's samples depend on its own members only. ``center`` is the centre that made a sample.

        Raises:
            BadInputError: if no lesion finds a place that is as the options ask for.
        """
        public, own = public_of(data), self._own(data, context)
        agreed, autoencoder = _load(model, context)
        conditions = conditions_for(own, self.label, self.center, self.wish, agreed.side)
        centers = centers_of(conditions)
        names, images = np.unique(centers, return_counts=True)
        wanted = images if n is None else np.array([len(part) for part in np.array_split(np.arange(n), len(names))])
        made: list[ImageSet] = []
        with context.progress.task("sampling", int(wanted.sum())) as step:
            for center, count in zip(names[wanted > 0].tolist(), wanted[wanted > 0].tolist(), strict=True):
                mine = conditions.take(centers == center)
                mine = mine.take(spread(mine.patient, count, context.rng("conditions", center)))
                made.append(self._made(mine, center, public, agreed, autoencoder, model, context, step))
        turn = np.concatenate([np.arange(len(part)) for part in made])
        samples = concatenate(*made).take(np.argsort(turn, kind="stable"))  # every centre's first, then the second, ...
        return replace(samples, patient=neutral_names(len(samples)))

    def declare(self, samples: ImageSet, data: TrainingData, model: Path, context: Context) -> Declaration:
        """What crossed each centre's border, and what to keep in mind when reading the attacks."""
        public, own = public_of(data), self._own(data, context)
        agreed = take_up(model / "agreement.json", Agreement)
        crossings: list[Crossing] = []
        for center in agreed.centers:
            mine = own.take(centers_of(own) == center)
            blended = np.union1d(own_backgrounds(public, center), backgrounds_for(public, self.background, center))
            crossings += came_in(center, public, blended, model)
            crossings += went_out(center, mine, samples, agreed)
        return Declaration(crossings=tuple(crossings), notes=NOTES)

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
            windows = candidate_windows(images, public, agreed.side, context)
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

        free = LatentDenoiser.without_label(len(agreed.labels)) if agreed.labels else None
        return LatentDenoiser(encode, predict, alphas_cumprod(unets[0].shape.schedule), free)

    def _own(self, data: TrainingData, context: Context) -> ImageSet:
        """The images that are trained on."""
        return trained(data.members, self.trains_on(data.members, context))

    def _made(
        self,
        conditions: ImageSet,
        center: str,
        public: ImageSet,
        agreed: Agreement,
        autoencoder: Autoencoder,
        model: Path,
        context: Context,
        step: Step,
    ) -> ImageSet:
        """One sample of ``center`` for each of its images ``conditions``."""
        number, label = agreed.centers.index(center), conditions.label
        backgrounds = backgrounds_for(public, self.background, center)
        rng = context.rng("places", center)
        windows = turned_windows(conditions, public, backgrounds, agreed.side, rng, self.wish)
        colours = take_up(model / f"colours-{number}.json", Colours)
        looks = colours.draw(label, windows.background, windows.mask, context.rng("colours", center))
        sketches = painted(windows.background, windows.mask, looks.greys, agreed.lesions)
        behind = autoencoder.encode(sketches)
        change = draw_latents(
            load_predictor(model, f"unet-{number}", context),
            class_index(label, len(conditions), agreed.labels),
            beside(behind, windows.mask, agreed),
            self.sampling_steps,
            context.torch_rng("noise", center),
            step,
            self.sampling_batch,
            sampler=self.sampler,
        )
        pixels, mask = np.empty_like(conditions.pixels), np.zeros((len(conditions), *conditions.spatial), np.uint8)
        decoded = autoencoder.decode(behind + change)
        lesions = regreyed(decoded, sketches, windows.mask, agreed.lesions, looks.deviations).numpy()
        for row, (at, image, lesion) in enumerate(zip(windows.places, windows.backgrounds, lesions, strict=True)):
            pixels[row] = paste(lesion, at.alpha, at.corner, np.asarray(public.pixels[image]))
            mask[row] = at.mask_in(mask.shape[1:])
        return replace(conditions, pixels=pixels, mask=mask, visit=None, source=conditions.patient)


def _load(model: Path, context: Context) -> tuple[Agreement, Autoencoder]:
    return take_up(model / "agreement.json", Agreement), load_autoencoder(model, context.device)
