"""A latent diffusion model whose training bounds what it can reveal of any one patient."""

from copy import copy
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ..audit.context import Context
from ..audit.errors import BadInputError
from ..audit.plugin import generator
from ..audit.record import Declaration, Model, Privacy
from ..audit.target import Access, Queries
from ..audit.types import ImageSet, TrainingData
from ..audit.whole import write_text_whole
from .latent.autoencoder import Autoencoder, factor_for, load_autoencoder
from .latent.devices import is_main
from .latent.diffusion import (
    ATTENTION_SIDE,
    LatentDenoiser,
    NoisePredictor,
    Prediction,
    Sampler,
    Schedule,
    alphas_cumprod,
    class_index,
    draw_latents,
    load_predictor,
    save_predictor,
)
from .latent.training import forget
from .private.accounting import (
    DEFAULT_EPSILON,
    Mechanism,
    default_delta,
    group_privacy,
    noise_for,
    refuse_empty_claim,
)
from .private.public import PublicRecipe, learn_public, public_of, take_up
from .private.trainable import fold, select
from .private.training import DpPlan, Private, train_privately
from .real import neutral_names

ASSUMED = (
    "epsilon compares trainings with and without one unit; the number of patients and of images, the images' size and "
    "which labels occur are taken to be public"
)
CHOSEN = (
    "choosing options by what they gave on these members, and training again, costs privacy that is not in this epsilon"
)
SEEDED = (
    "noise and sampling come from the audit's seed: who knows it can subtract the noise; before a release, keep the "
    "seed secret or set secure_noise=true"
)
SECURE = "noise and sampling come from the operating system: the same seed does not give the same images again"


class Classes(Model):
    """What the model is conditioned on.

    Attributes:
        labels: the labels, sorted; the position is the class index. Empty without labels.
    """

    labels: tuple[int, ...]


@generator(
    access=Access.WEIGHTS,
    paper="arXiv:2210.09929",
    needs=("public",),
    standard={"autoencoder_steps": 3000, "public_steps": 8000, "steps": 200, "channels": 64, "sampling_steps": 50},
    full={"autoencoder_steps": 10000, "public_steps": 40000, "steps": 500, "channels": 96, "sampling_steps": 100},
)
class DpLdm:
    """A latent diffusion model with differential privacy, the patient being the unit (DPDM, Dockhorn et al. 2023).

    Autoencoder, latent normalisation and the denoiser's first weights are learnt from public images, into most of which
    a procedure draws lesions, so they cost nothing. The denoiser is then trained on the members by DP-SGD (Opacus):
    each patient is drawn on its own, all its images with several times and noises make one loss, whose gradient is
    clipped; so epsilon is per patient. Labels are drawn uniformly in a sample, for their frequencies are private.
    Images are 32 to 512 pixels high and wide, divisible by 8, with 1 to 4 channels.
    """

    def __init__(
        self,
        *,
        epsilon: Annotated[
            float | None,
            Field(gt=0, le=200, description="target, per unit; None: 10, or what noise_multiplier gives"),
        ] = None,
        noise_multiplier: Annotated[
            float | None, Field(gt=0, description="noise over clipping norm, instead of a target epsilon")
        ] = None,
        delta: Annotated[
            float | None,
            Field(gt=0, lt=0.1, description="None: 1e-5, or a tenth of one over the units where that is smaller"),
        ] = None,
        unit: Annotated[
            Literal["patient", "image"], Field(description="what one record is: all images of a patient, or one image")
        ] = "patient",
        batch: Annotated[int, Field(ge=1, le=1_000_000, description="units expected in a private step")] = 64,
        steps: Annotated[int, Field(ge=1, le=1_000_000, description="private steps")] = 24,
        multiplicity: Annotated[
            int, Field(ge=1, le=1024, description="times and noises of an image, averaged before clipping")
        ] = 1,
        max_grad_norm: Annotated[float, Field(gt=0, description="that each unit's gradient is clipped to")] = 0.1,
        private_learning_rate: Annotated[float, Field(gt=0, le=0.1, description="highest, of private steps")] = 3e-4,
        physical_batch: Annotated[
            int, Field(ge=1, le=65536, description="images with noise at once: bounds memory, changes nothing else")
        ] = 128,
        trainable: Annotated[
            Literal["all", "attention", "lora"],
            Field(description="weights that private steps train: all, the attention's, or adapters of it"),
        ] = "all",
        lora_rank: Annotated[int, Field(ge=1, le=256, description="rank of the adapters")] = 4,
        secure_noise: Annotated[
            bool, Field(description="noise from the operating system, not from the seed: not reproducible")
        ] = False,
        warm_start: Annotated[
            Path | None,
            Field(description="folder of a model trained on public images, used instead of training one here"),
        ] = None,
        autoencoder_steps: Annotated[
            int, Field(ge=1, le=1_000_000, description="steps of the autoencoder, on public images")
        ] = 100,
        public_steps: Annotated[
            int, Field(ge=0, le=10_000_000, description="steps of the denoiser on public images; 0: none")
        ] = 800,
        public_batch: Annotated[int, Field(ge=1, le=1024, description="images in a step on public images")] = 16,
        learning_rate: Annotated[float, Field(gt=0, le=0.1, description="highest, of steps on public images")] = 2e-3,
        lesions: Annotated[
            float, Field(ge=0, le=1, description="share of the public images into which a lesion is drawn")
        ] = 0.9,
        channels: Annotated[
            int, Field(ge=16, le=512, multiple_of=16, description="width of the U-Net's first level")
        ] = 32,
        autoencoder_channels: Annotated[
            int, Field(ge=16, le=512, multiple_of=16, description="width of the autoencoder")
        ] = 32,
        latent_channels: Annotated[int, Field(ge=1, le=32, description="channels of the latents")] = 4,
        schedule: Annotated[
            Schedule, Field(description="how noise grows: linear betas, or a cosine; as in warm_start, if given")
        ] = "linear",
        prediction: Annotated[
            Prediction,
            Field(description="what the U-Net puts out: velocity, or epsilon; as in warm_start, if given"),
        ] = "v",
        sampler: Annotated[Sampler, Field(description="of a sample: DDIM, or DPM-Solver++ of order 2")] = "ddim",
        sampling_steps: Annotated[int, Field(ge=1, le=1000, description="denoising steps of a sample")] = 25,
        sampling_batch: Annotated[int, Field(ge=1, le=4096, description="images denoised at once")] = 128,
        ema: Annotated[float, Field(ge=0, lt=1, description="moving average of the U-Net's weights; 0: none")] = 0.99,
    ) -> None:
        self.epsilon = epsilon
        self.noise_multiplier = noise_multiplier
        self.delta = delta
        self.unit = unit
        self.batch = batch
        self.steps = steps
        self.multiplicity = multiplicity
        self.max_grad_norm = max_grad_norm
        self.private_learning_rate = private_learning_rate
        self.physical_batch = physical_batch
        self.trainable = trainable
        self.lora_rank = lora_rank
        self.secure_noise = secure_noise
        self.warm_start = warm_start
        self.recipe = PublicRecipe(
            autoencoder_steps=autoencoder_steps,
            public_steps=public_steps,
            batch=public_batch,
            learning_rate=learning_rate,
            channels=channels,
            autoencoder_channels=autoencoder_channels,
            latent_channels=latent_channels,
            lesions=lesions,
            ema=ema,
            schedule=schedule,
            prediction=prediction,
        )
        self.sampler: Sampler = sampler
        self.sampling_steps = sampling_steps
        self.sampling_batch = sampling_batch
        self.ema = ema

    def fit(self, data: TrainingData, context: Context) -> None:
        """Learn from the public images, then privately from the members; finished parts are taken up.

        Raises:
            BadInputError: if the images are of a size or number of channels that it cannot take, the options contradict
                one another, there is one patient only, or epsilon cannot be attained; before anything is trained.
        """
        if (context.folder / "unet.safetensors").exists():
            return
        members, public = data.members, public_of(data)
        factor = factor_for(members, "dp-ldm")
        self._refuse_contradictions(members, factor)
        mechanism, delta = self._mechanism(members)
        labels = () if members.label is None else tuple(np.unique(members.label).tolist())
        height, width = members.spatial
        if self.warm_start is None:
            autoencoder, model = learn_public(self.recipe, public, factor, len(labels), context)
        else:
            latents = (height // factor, width // factor)
            autoencoder, model = take_up(self.warm_start, members.channels, latents, factor, len(labels), context)
        if not is_main():
            return  # several processes learn from public images together; privately learns one, with one noise
        with context.torch_scope("adapters"):
            select(model, self.trainable, self.lora_rank)
        model.to(context.device)
        private = Private(
            torch.cat([autoencoder.encode(_tensor(part)) for part in members.batches(256)]),
            class_index(members.label, len(members), labels),
            torch.from_numpy(self._unit_of(members)),
        )
        plan = DpPlan(
            mechanism,
            self.max_grad_norm,
            self.multiplicity,
            self.physical_batch,
            self.private_learning_rate,
            self.ema,
            self.secure_noise,
        )
        made = train_privately("unet", model, private, plan, context)
        fold(model)
        write_text_whole(context.folder / "classes.json", Classes(labels=labels).model_dump_json(indent=1))
        claim = self._claim(members, made, delta)
        write_text_whole(context.folder / "privacy.json", claim.model_dump_json(indent=1))
        save_predictor(model, context.folder, "unet")
        forget("unet", context)

    def refit(self, data: TrainingData, model: Path, context: Context) -> None:
        """Fit to other members, from the autoencoder and the first weights that ``model`` learnt of public images."""
        again = copy(self)
        again.warm_start = model
        again.fit(data, context)

    def sample(self, n: int | None, data: TrainingData, model: Path, context: Context) -> ImageSet:
        """``n`` images (None: as many as there are member images), with labels drawn uniformly."""
        autoencoder, unet, labels = _load(model, context)
        count = len(data.members) if n is None else n
        classes = context.rng("labels").integers(max(1, len(labels)), size=count)
        with context.progress.task("sampling", count) as step:
            latents = draw_latents(
                unet,
                torch.from_numpy(classes),
                None,
                self.sampling_steps,
                context.torch_rng("noise"),
                step,
                batch=self.sampling_batch,
                sampler=self.sampler,
            )
        return ImageSet(
            pixels=autoencoder.decode(latents).numpy(),
            patient=neutral_names(count),
            label=np.array(labels, np.int64)[classes] if labels else None,
        )

    def denoiser(self, data: TrainingData, model: Path, context: Context) -> LatentDenoiser:  # noqa: ARG002
        """The noise predictor; a label that no member has counts as none."""
        autoencoder, unet, labels = _load(model, context)

        def encode(images: ImageSet) -> Queries:
            latents = torch.cat([autoencoder.encode(_tensor(part)) for part in images.batches(256)])
            return Queries(latents, (class_index(images.label, len(images), labels),))

        def predict(x_t: Tensor, t: Tensor, condition: tuple[Tensor, ...]) -> Tensor:
            return unet.noise(x_t.to(context.device), t.to(context.device), condition[0].to(context.device))

        free = LatentDenoiser.without_label(len(labels)) if labels else None
        return LatentDenoiser(encode, predict, alphas_cumprod(unet.shape.schedule), free, unet)

    def declare(
        self,
        samples: ImageSet,  # noqa: ARG002
        data: TrainingData,  # noqa: ARG002
        model: Path,
        context: Context,  # noqa: ARG002
    ) -> Declaration:
        """The claim that the training of ``model`` earned, and what it leaves out."""
        claim = Privacy.model_validate_json((model / "privacy.json").read_text("utf-8"))
        notes = [ASSUMED, CHOSEN, SECURE if claim.secure_noise else SEEDED]
        if claim.patient_delta >= 1:
            notes.append(
                f"epsilon is per image; a patient has up to {claim.images_per_patient}, which leaves no claim for "
                "patients; set unit=patient for one"
            )
        if self.warm_start is not None:
            notes.append(f"the model in {self.warm_start.name} is taken to have been trained on public images only")
        return Declaration(privacy=claim, notes=tuple(notes))

    def _unit_of(self, members: ImageSet) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """``(n,)`` which privacy unit each image belongs to, from 0 on."""
        if self.unit == "image":
            return np.arange(len(members), dtype=np.int64)
        return np.unique(members.patient, return_inverse=True)[1].astype(np.int64)

    def _refuse_contradictions(self, members: ImageSet, factor: int) -> None:
        if self.epsilon is not None and self.noise_multiplier is not None:
            raise BadInputError(
                f"generator 'dp-ldm': epsilon={self.epsilon:g} and noise_multiplier={self.noise_multiplier:g} are both "
                "set\nset one: each determines the other"
            )
        if self.trainable != "all" and self.warm_start is None and self.recipe.public_steps == 0:
            raise BadInputError(
                f"generator 'dp-ldm': trainable={self.trainable} with public_steps=0 leaves the other weights random\n"
                "set public_steps, warm_start, or trainable=all"
            )
        if self.trainable != "all" and max(members.spatial) // factor // 2 > ATTENTION_SIDE:
            raise BadInputError(
                f"generator 'dp-ldm': trainable={self.trainable}, but the U-Net for images of "
                f"{'x'.join(map(str, members.spatial))} has no attention layer\n"
                "set trainable=all, or a smaller size of the cohort's images"
            )
        if len(members.patients) < 2:
            raise BadInputError(
                "generator 'dp-ldm': there is one member patient; nobody is hidden among others\n"
                "give at least two patients, better a hundred"
            )

    def _mechanism(self, members: ImageSet) -> tuple[Mechanism, float]:
        """Noise, sample rate and steps, and the delta they are accounted at."""
        units = int(self._unit_of(members).max()) + 1
        delta = default_delta(units) if self.delta is None else self.delta
        if delta >= 1 / units:
            raise BadInputError(
                f"generator 'dp-ldm': delta {delta:g} is not below 1/{units}: publishing one {self.unit} would satisfy "
                "it\n"
                f"set delta to {default_delta(units):.1g} or less"
            )
        rate = min(1.0, self.batch / units)
        if self.noise_multiplier is None:
            return noise_for(self.epsilon or DEFAULT_EPSILON, delta, rate, self.steps), delta
        mechanism = Mechanism(self.noise_multiplier, rate, self.steps)
        refuse_empty_claim(mechanism, delta)
        return mechanism, delta

    def _claim(self, members: ImageSet, made: Mechanism, delta: float) -> Privacy:
        epsilon = made.epsilon(delta)
        most = int(np.unique(members.patient, return_counts=True)[1].max())
        grouped = group_privacy(epsilon, delta, most if self.unit == "image" else 1)
        frozen = () if self.trainable == "all" else ("all of the denoiser but what trainable names",)
        start = () if self.recipe.public_steps == 0 and self.warm_start is None else ("first weights of the denoiser",)
        return Privacy(
            epsilon=epsilon,
            delta=delta,
            unit=self.unit,
            patient_epsilon=grouped[0],
            patient_delta=grouped[1],
            images_per_patient=most,
            accountant="prv",
            noise_multiplier=made.noise_multiplier,
            sample_rate=made.sample_rate,
            steps=made.steps,
            max_grad_norm=self.max_grad_norm,
            multiplicity=self.multiplicity,
            secure_noise=self.secure_noise,
            public=("autoencoder", "latent normalisation", *start, *frozen),
        )


def _load(model: Path, context: Context) -> tuple[Autoencoder, NoisePredictor, tuple[int, ...]]:
    labels = Classes.model_validate_json((model / "classes.json").read_text("utf-8")).labels
    return load_autoencoder(model, context.device), load_predictor(model, "unet", context), labels


def _tensor(images: ImageSet) -> Tensor:
    return torch.from_numpy(np.array(images.pixels, np.float32))
