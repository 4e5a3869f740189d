"""Shadow models: the audited generator trained again on random halves of the reference patients."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..audit.context import Auxiliary
from ..audit.errors import SkippedError
from ..audit.retraining import shadow_half
from ..audit.target import Target
from ..audit.types import FloatArray, ImageSet, Names
from .learning import Combine, Known, combined
from .passes import Passes

# The options that all attacks with shadow models have.
Count = Annotated[
    int,
    Field(ge=0, le=1024, description="shadow models, each as costly as the audited model; the same for all attacks"),
]
Levels = Annotated[int, Field(ge=1, le=1000, description="noise levels, evenly spread over the schedule")]
Noises = Annotated[int, Field(ge=1, description="noises at each level, the same for all images and models")]
Combining = Annotated[
    Combine, Field(description="a patient's score: of the images the largest, the mean, or as shadow models teach")
]


@dataclass(frozen=True, eq=False)
class Shadows:
    """Shadow models and whom each was trained on.

    Attributes:
        models: behind the access that the audited one grants.
        seen: ``(models, n)`` which of the reference images each was trained on: no model saw any candidate.
        patients: how many each was trained on.
    """

    models: tuple[Target, ...]
    seen: NDArray[np.bool_]
    patients: tuple[int, ...]

    def notes(self) -> tuple[str, ...]:
        """What a reader of the result should know."""
        least, most = min(self.patients), max(self.patients)
        each = f"{least}" if least == most else f"{least} to {most}"
        return (f"{len(self.models)} shadow models, each trained on {each} reference patients",)


def shadow_models(count: int, attack: str, aux: Auxiliary, *, least: int = 1) -> Shadows:
    """The first ``count`` shadow models of this audit, trained now or found in the store.

    All attacks of an audit get the same ones, so the second attack that asks waits for nothing. Each is a stage of the
    store: a run that was killed goes on at the model where it was, and ``privbench shadow`` trains them elsewhere.

    Args:
        count: how many; each costs one training of the audited generator, on half of the reference patients.
        attack: who asks, for messages.
        aux: reference and trainer.
        least: how many the attack cannot do without.

    Raises:
        SkippedError: if fewer than ``least`` are asked for, or if the generator cannot be trained again.
    """
    if not count:
        raise SkippedError(
            f"its shadow models cost as many trainings of the generator; --attack-opt {attack}.shadows=4 has them "
            "trained, and so has --budget standard"
        )
    if count < least:
        raise SkippedError(f"as asked it needs {least} shadow models, not {count}; give {attack}.shadows={least}")
    if aux.trainer is None:
        raise SkippedError("it needs shadow models, and nobody offers to train this generator again")
    if len(aux.reference.patients) < 2:
        raise SkippedError(f"shadow models need 2 reference patients, there is {len(aux.reference.patients)}")
    seen = np.stack([shadow_half(aux.reference, i, aux.context.seed) for i in range(count)])
    patients = tuple(len(np.unique(aux.reference.patient[half])) for half in seen)
    models = []
    with aux.context.progress.task("shadow models", total=count) as step:
        for i, half in enumerate(seen):
            models.append(aux.trainer.shadow(aux.reference.take(half), f"shadow model {i + 1} of {count}"))
            step(1, f"{i + 1} of {count}")
    return Shadows(tuple(models), seen, patients)


@dataclass(frozen=True, eq=False)
class Trial:
    """One model on trial: what it loses on images, and what its judges, models with a known past, lose on them.

    Attributes:
        asked: ``(n, levels)`` loss of the model on trial on the images asked about.
        judges: ``(k, n, levels)`` of the judges on the same.
        out: ``(k, n)`` which judges never saw which of these images.
        reference: ``(m, levels)`` of the model on trial on the reference.
        judges_reference: ``(k, m, levels)`` of the judges on it.
        reference_out: ``(k, m)`` which judges never saw which of it.
        seen: ``(m,)`` which of it the model on trial was trained on.
    """

    asked: FloatArray
    judges: FloatArray
    out: NDArray[np.bool_]
    reference: FloatArray
    judges_reference: FloatArray
    reference_out: NDArray[np.bool_]
    seen: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Losses:
    """What the audited model and its shadows lose on candidates and reference, noise shared among all.

    Attributes:
        asked: ``(n, levels)`` of the audited model on the candidates.
        reference: ``(m, levels)`` of the audited model on the reference, none of which it saw.
        shadow_asked: ``(models, n, levels)``.
        shadow_reference: ``(models, m, levels)``.
        seen: ``(models, m)`` which of the reference images each shadow model was trained on.
    """

    asked: FloatArray
    reference: FloatArray
    shadow_asked: FloatArray
    shadow_reference: FloatArray
    seen: NDArray[np.bool_]

    def trial(self) -> Trial:
        """The audited model on trial for the candidates, whom no shadow model ever saw."""
        return Trial(
            self.asked,
            self.shadow_asked,
            np.ones(self.shadow_asked.shape[:2], dtype=bool),
            self.reference,
            self.shadow_reference,
            ~self.seen,
            np.zeros(len(self.reference), dtype=bool),
        )

    def acquittal(self) -> Trial:
        """The audited model on trial for the reference, none of which it saw."""
        own, judges = self.reference, self.shadow_reference
        return Trial(own, judges, ~self.seen, own, judges, ~self.seen, np.zeros(len(own), dtype=bool))

    def rehearsal(self, i: int) -> Trial:
        """Shadow model ``i`` on trial for the reference, of which it saw a half; the others judge."""
        own, judges = self.shadow_reference[i], np.delete(self.shadow_reference, i, axis=0)
        out = ~np.delete(self.seen, i, axis=0)
        return Trial(own, judges, out, own, judges, out, self.seen[i])


def losses(
    target: Target, candidates: ImageSet, shadows: Shadows, aux: Auxiliary, *, timesteps: int, noises: int, batch: int
) -> Losses:
    """Ask all models about all images; what one was asked before is taken from the store.

    Args:
        target: the audited model.
        candidates: who is asked about.
        shadows: its shadow models.
        aux: the reference, and where answers are kept.
        timesteps: noise levels, evenly spread over the schedule.
        noises: at each level.
        batch: images denoised at once.
    """
    with aux.context.progress.task("asking the model and its shadows", total=1 + len(shadows.models)) as step:

        def of(model: Target) -> tuple[FloatArray, FloatArray]:
            passes = Passes.of(model, aux, batch)
            asked, reference = (level_losses(passes, i, timesteps, noises) for i in (candidates, aux.reference))
            step(1)
            return asked, reference

        own, others = of(target), [of(model) for model in shadows.models]
    return Losses(
        *own, np.stack([asked for asked, _ in others]), np.stack([known for _, known in others]), shadows.seen
    )


def level_losses(passes: Passes, images: ImageSet, timesteps: int, noises: int) -> FloatArray:
    """The denoiser's loss ``(n, timesteps)`` at levels spread over the schedule, each the mean over shared noises."""
    levels = [
        passes.scores(images, lambda part, t=t: part.losses(t, noises).mean(0), noises)  # type: ignore[misc]
        for t in passes.spread(timesteps)
    ]
    return np.stack(levels, axis=1)


def judged(
    test: Callable[[Trial], FloatArray], found: Losses, combine: Combine, candidates: Names, reference: Names
) -> FloatArray:
    """The verdicts of ``test`` on the candidates ``(n,)``, a patient's images combined as asked.

    Args:
        test: scores the images that a trial asks about; NaN where no judge is without them.
        found: losses of all models.
        combine: how a patient's images become one score.
        candidates: ``(n,)`` their patients.
        reference: ``(m,)`` its patients.
    """

    def known(trial: Trial) -> Known:
        return Known(test(trial), trial.seen, reference)

    return combined(
        combine,
        test(found.trial()),
        candidates,
        lambda: [known(found.rehearsal(i)) for i in range(len(found.seen))],
        lambda: known(found.acquittal()),
    )
