"""A diffusion model that somebody else trained, as diffusers' ``save_pretrained`` left it."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from ..audit.context import Context
from ..audit.errors import BadInputError
from ..audit.plugin import generator
from ..audit.record import Declaration, Model
from ..audit.target import Access
from ..audit.types import ImageSet, TrainingData
from ..audit.whole import write_text_whole
from .pipelines.classes import Classes, classes_for
from .pipelines.denoiser import PipelineDenoiser
from .pipelines.files import LABEL, Contents, fingerprint_of, read_contents
from .pipelines.overfit import overfit
from .pipelines.parts import Pipeline, check_fits, load_pipeline
from .pipelines.sampling import Sampler, draw, steps_of
from .real import neutral_names

FITTED, OVERFITTED = "pipeline.json", "overfitted"


class Fitted(Model):
    """What is kept of a pipeline: which one it was.

    Attributes:
        contents: its parts.
        classes: of the members' labels; None where it is not conditioned.
        sha256: of every file that it is read from.
    """

    contents: Contents
    classes: Classes | None
    sha256: dict[str, str]


@generator(access=Access.WEIGHTS, paper="arXiv:2006.11239")
class Diffusers:
    """A diffusers pipeline from a local folder, audited as it is: DDPM, DDIM, latent diffusion or DiT.

    Any pipeline saved with ``save_pretrained`` whose parts are a UNet2DModel or DiTTransformer2DModel, perhaps an
    AutoencoderKL or VQModel, and a scheduler with discrete noise levels; conditioned on a class or on nothing. Noise
    levels, prediction type and latent scaling come from its configuration. Weights are safetensors; nothing is
    unpickled, downloaded or run from the folder.

    The weights are not copied: the model's place in the store already depends on every byte in the folder, so a copy
    could only ever be found where the original is. What is kept are hashes, and a pipeline that changes while it is
    audited is refused.
    """

    pretrained = True

    def __init__(
        self,
        *,
        path: Annotated[Path, Field(description="folder that pipeline.save_pretrained wrote")],
        sampler: Annotated[Sampler, Field(description="own: the pipeline's scheduler")] = "own",
        sampling_steps: Annotated[
            int | None, Field(ge=1, le=1000, description="of a sample; None: all for DDPM, else 50")
        ] = None,
        guidance: Annotated[
            float, Field(ge=0, le=100, description="classifier-free guidance scale of a conditioned pipeline; 1: off")
        ] = 1.0,
        classes: Annotated[
            str,
            Field(
                pattern=r"^(-?\d+:\d+(,-?\d+:\d+)*)?$",
                description="class of each label, e.g. 0:3,1:7; empty: the members' labels in ascending order",
            ),
        ] = "",
        null_class: Annotated[
            int | None, Field(ge=0, description="class of a UNet2DModel that means none; DiT's is known")
        ] = None,
        batch: Annotated[int, Field(ge=1, le=4096, description="images in the networks at once")] = 16,
    ) -> None:
        self.path = Path(path)
        self.sampler: Sampler = sampler
        self.sampling_steps = sampling_steps
        self.guidance = guidance
        self.classes = classes
        self.null_class = null_class
        self.batch = batch

    def fit(self, data: TrainingData, context: Context) -> None:
        """Train nothing: check that the pipeline can be audited on this cohort, and keep its hashes.

        Raises:
            BadInputError: naming the part of the pipeline that is unsupported, missing or unlike the cohort.
        """
        contents = read_contents(self.path)
        pipeline = load_pipeline(self.path, contents, "cpu")
        check_fits(pipeline, data.members)
        classes = self._settled(pipeline, data)
        fitted = Fitted(contents=contents, classes=classes, sha256=fingerprint_of(self.path, contents, context))
        write_text_whole(context.folder / FITTED, fitted.model_dump_json(indent=1))

    def overfit(self, data: TrainingData, model: Path, context: Context) -> None:
        """Train the network on, on the members of ``data`` alone, until it knows them by heart."""
        pipeline, classes = self._open(model, context)
        queries = PipelineDenoiser(pipeline, classes, self.batch).prepare(data.members)
        overfit(pipeline, queries, context)
        network: Any = pipeline.network
        network.save_pretrained(context.folder / OVERFITTED)
        write_text_whole(context.folder / FITTED, (model / FITTED).read_text("utf-8"))

    def sample(self, n: int | None, data: TrainingData, model: Path, context: Context) -> ImageSet:
        """``n`` images (None: one per member image); labels, if the pipeline has any, at the members' frequencies."""
        pipeline, classes = self._open(model, context)
        count = len(data.members) if n is None else n
        drawn, label = (None, None) if classes is None else classes.draw(count, context.rng("labels"))
        pixels = np.empty((count, *pipeline.images), np.float32)
        done, steps = 0, steps_of(pipeline, self.sampler, self.sampling_steps)
        with context.progress.task("sampling", count * steps) as step:
            for part in draw(
                pipeline,
                drawn,
                count,
                context.torch_rng("noise"),
                sampler=self.sampler,
                steps=self.sampling_steps,
                guidance=self.guidance,
                null=None if classes is None else classes.null,
                batch=self.batch,
                advance=step,
            ):
                pixels[done : done + len(part)] = part.numpy()
                done += len(part)
        return ImageSet(pixels=pixels, patient=neutral_names(count), label=label)

    def denoiser(self, data: TrainingData, model: Path, context: Context) -> PipelineDenoiser:  # noqa: ARG002
        """The noise predictor, in pixels or latents as the pipeline diffuses them."""
        pipeline, classes = self._open(model, context)
        return PipelineDenoiser(pipeline, classes, self.batch)

    def declare(self, samples: ImageSet, data: TrainingData, model: Path, context: Context) -> Declaration:  # noqa: ARG002
        """What was audited, and what rests on the user's word."""
        pipeline, classes = self._open(model, context)
        contents = pipeline.contents
        weights = sum(p.numel() for p in pipeline.network.parameters())
        shift, factor = pipeline.scaling
        latents = "pixels"
        if contents.autoencoder is not None:
            moved = f" after a shift of {shift:g}" if shift else ""
            latents = f"latents of {contents.autoencoder.kind}, times {factor:g}{moved}"
        notes = [
            f"{contents.pipeline}: {contents.network.kind} with {weights:,} weights on {latents}",
            f"{contents.scheduler.kind} with {len(pipeline.schedule)} noise levels, sampler: {self.sampler}",
            f"the network predicts {pipeline.prediction}",
            "trained elsewhere: that it saw the members, and no holdout or reference patient, was not tested",
        ]
        if classes is not None:
            notes.append(f"conditioned on a class; {len(classes.labels)} labels of the cohort have one")
        if contents.beside:
            notes.append(f"not part of the pipeline and not audited: {', '.join(contents.beside)}")
        return Declaration(notes=tuple(notes))

    def _open(self, model: Path, context: Context) -> tuple[Pipeline, Classes | None]:
        """The pipeline that was fitted, ready for use.

        Raises:
            BadInputError: if another one lies there by now.
        """
        fitted = Fitted.model_validate_json((model / FITTED).read_text("utf-8"))
        if fingerprint_of(self.path, fitted.contents, context) != fitted.sha256:
            raise BadInputError(
                f"{LABEL}: the pipeline in {self.path} has changed since the audit began\n"
                "start the audit again, and leave the folder alone until it is done"
            )
        overfitted = model / OVERFITTED
        network = overfitted if overfitted.is_dir() else None
        return load_pipeline(self.path, fitted.contents, context.device, network), fitted.classes

    def _settled(self, pipeline: Pipeline, data: TrainingData) -> Classes | None:
        """The classes, with the options checked against the pipeline."""
        classes = classes_for(pipeline, data.members, self.classes, self.null_class)
        if self.guidance != 1 and (classes is None or classes.null is None):
            what = "is not conditioned on a class" if classes is None else "has no class that means none"
            raise BadInputError(f"{LABEL}: guidance={self.guidance:g}, but the pipeline {what}\nleave guidance at 1")
        levels = len(pipeline.schedule)
        if self.sampling_steps is not None and self.sampling_steps > levels:
            raise BadInputError(
                f"{LABEL}: {self.sampling_steps} sampling steps, but the pipeline has {levels} noise levels\n"
                f"give sampling_steps of at most {levels}"
            )
        return classes
