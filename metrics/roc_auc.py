"""Classification utility: what synthetic images are worth for training a classifier."""

from collections.abc import Callable
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..audit.context import Context
from ..audit.errors import SkippedError
from ..audit.plugin import metric
from ..audit.record import Estimate, Measurement
from ..audit.statistics.blocks import Kept, left_out
from ..audit.types import FloatArray, ImageSet, Labels, Split
from .classifier import classify, train_classifier
from .resampling import patient_means, patient_weights, percentile_interval
from .training import Recipe

ARMS = ("real", "synthetic")


@metric(
    needs=("label",),
    patients={"members": 4, "holdout": 4},
    standard={"steps": 1500, "repeats": 3},
    full={"steps": 4000, "repeats": 5},
)
def roc_auc(
    samples: ImageSet,
    split: Split,
    context: Context,
    *,
    steps: Annotated[int, Field(ge=2, description="optimiser steps of each of the two classifiers")] = 350,
    batch: Annotated[int, Field(ge=2, description="images a step")] = 16,
    repeats: Annotated[int, Field(ge=1, description="trainings of each classifier, whose scores are averaged")] = 1,
    resamples: Annotated[int, Field(ge=100, description="bootstrap resamples of the patients")] = 2000,
) -> Measurement:
    """ROC-AUC on real holdout patients of a classifier trained on synthetic against one trained on real images.

    A patient's score is the mean over its images, its class the highest of its labels. More than two classes: the
    mean over classes of one against the rest (Hand and Till 2001 call for pairs; this is the plainer macro average).
    Masks, where the training images have them, teach the classifier where to look; it is applied without.
    Holdout images are only ever predicted, never trained or selected on.

    Raises:
        SkippedError: if labels are missing, or one of the parts has a single class.
    """
    classes = _classes(samples, split)
    recipe = Recipe(steps=steps, batch=batch, rate=6e-3)
    scores = np.zeros((len(split.holdout), len(ARMS), len(classes)))
    with context.progress.task("training classifiers", total=steps * repeats * len(ARMS)) as step:
        for arm, images in enumerate((split.members, samples)):
            for repeat in range(repeats):
                # Not under the arm's name: both arms share initial weights, batches and augmentation.
                model = train_classifier(images, classes, recipe, context.under("repeat", str(repeat)), step)
                scores[:, arm] += classify(model, split.holdout, context.device) / repeats
    note = f"{repeats} training(s) of each arm; intervals say what other patients would change, not another training"
    return Measurement(estimates=_estimates(scores, classes, split.holdout, context, resamples), notes=(note,))


def _classes(samples: ImageSet, split: Split) -> Labels:
    """The classes of the members, which every part must share."""
    parts = {"members": split.members, "holdout": split.holdout, "synthetic": samples}
    found: dict[str, Labels] = {}
    for part, images in parts.items():
        if images.label is None:
            raise SkippedError(f"needs labels, the {part} images have none")
        found[part] = np.unique(images.label)
        if len(found[part]) < 2:
            raise SkippedError(f"needs two classes, the {part} images have only label {int(found[part][0])}")
    classes = found["members"]
    for part, labels in found.items():
        if not np.array_equal(labels, classes):
            raise SkippedError(f"needs one set of classes: members have {classes.tolist()}, {part} {labels.tolist()}")
    return classes


def weighted_auc(score: FloatArray, positive: NDArray[np.bool_], weights: FloatArray) -> FloatArray:
    """Area under the ROC curve, ties counting half, for each row of ``weights`` ``(draws, n)``.

    Args:
        score: ``(n,)`` higher = more likely positive.
        positive: ``(n,)`` bool.
        weights: how often each row counts.
    """
    yes, no = positive, ~positive
    wins = np.sign(score[yes][:, None] - score[no]) / 2 + 0.5
    found: FloatArray = ((weights[:, yes] @ wins) * weights[:, no]).sum(1) / (
        weights[:, yes].sum(1) * weights[:, no].sum(1)
    )
    return found


def _estimates(
    scores: FloatArray, classes: Labels, test: ImageSet, context: Context, resamples: int
) -> tuple[Estimate, ...]:
    assert test.label is not None
    patients, owner = np.unique(test.patient, return_inverse=True)
    label = np.full(len(patients), classes[0])
    np.maximum.at(label, owner, test.label)
    score = patient_means(scores, test.patient)  # (patients, arms, classes)
    # With two classes the second's score says it all; with more, each against the rest.
    against = range(1, 2) if len(classes) == 2 else range(len(classes))
    drawn = patient_weights(patients, resamples, context.rng("bootstrap"), strata=label.astype(np.str_))

    def auc_of(arm: int, rows: FloatArray) -> FloatArray:
        each = [weighted_auc(score[:, arm, k], label == classes[k], rows) for k in against]
        return np.asarray(np.mean(each, axis=0))

    rows = np.concatenate([np.ones((1, len(patients))), drawn])
    auc = np.stack([auc_of(arm, rows) for arm in range(len(ARMS))])

    def without(*arms: int) -> Callable[[Kept], FloatArray]:
        """The first arm's, less the second's if there is one, for the patients that stay."""

        def figure(kept: Kept) -> FloatArray:
            with np.errstate(invalid="ignore"):  # a class of which nobody stays
                of_arms = [auc_of(arm, kept.astype(np.float64)) for arm in arms]
            return of_arms[0] if len(arms) == 1 else of_arms[0] - of_arms[1]

        return figure

    how = f"percentile bootstrap over patients within classes, {resamples} resamples"
    found = []
    for name, group, values, null, method, left in (
        ("roc-auc", ARMS[0], auc[0], 0.5, how, without(0)),
        ("roc-auc", ARMS[1], auc[1], 0.5, how, without(1)),
        (
            "roc-auc-difference",
            "",
            auc[1] - auc[0],
            0.0,
            f"{how}; paired: both arms on the same patients",
            without(1, 0),
        ),
    ):
        low, high = percentile_interval(values[1:], context.confidence)
        found.append(
            Estimate(
                name=name,
                group=group,
                value=float(values[0]),
                low=low,
                high=high,
                null=null,
                n=len(patients),
                unit="patient",
                worse="lower",
                method=method,
                blocks=left_out(patients, float(values[0]), left),
            )
        )
    return tuple(found)
