"""What shadow models teach: whom each saw is known, so what tells members can be learned for the audited model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..audit.types import FloatArray, Names

Combine = Literal["max", "mean", "learned"]
LEAST = {"max": 1, "mean": 1, "learned": 3}
"""Shadow models that each way needs: to learn, every patient of one must be new to another that judges it."""
SMALLEST = 1e-9
FOLDS = 5


@dataclass(frozen=True, eq=False)
class Lesson:
    """What one shadow model shows of reference images or patients.

    Attributes:
        features: ``(n, k)``.
        seen: ``(n,)`` whether it was trained on them.
        group: ``(n,)`` the patient of each row.
    """

    features: FloatArray
    seen: NDArray[np.bool_]
    group: Names


def log_odds(
    lessons: list[Lesson], asked: FloatArray, strangers: FloatArray, strength: float
) -> tuple[FloatArray, list[FloatArray]]:
    """Log-odds of membership, by a logistic regression that shadow models taught.

    Every model's features are first brought to mean 0 and deviation 1 over people whom it never saw: a model that was
    trained on fewer patients has other losses and other gradients for everybody, and that is not what tells members.

    Args:
        lessons: of the shadow models, at least one that saw some of its rows and not others.
        asked: ``(n, k)`` the audited model's features of the candidates.
        strangers: ``(m, k)`` the same of reference images or patients, none of whom it saw.
        strength: of the L2 penalty, as scikit-learn's C: smaller is stronger.

    Returns:
        Of the candidates ``(n,)``, and, in the order of the lessons, of their rows as a regression fitted without the
        row's patient has them.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_predict

    features = np.concatenate([_against(one.features, one.features[~one.seen]) for one in lessons])
    seen = np.concatenate([one.seen for one in lessons])
    group = np.concatenate([one.group for one in lessons])
    regression = LogisticRegression(C=strength, class_weight="balanced", max_iter=1000)
    regression.fit(features, seen)
    folds = GroupKFold(min(FOLDS, len(np.unique(group))))
    held = cross_val_predict(regression, features, seen, groups=group, cv=folds, method="decision_function")
    ends = np.cumsum([len(one.seen) for one in lessons])[:-1]
    return regression.decision_function(_against(asked, strangers)), np.split(held, ends)


def _against(features: FloatArray, strangers: FloatArray) -> FloatArray:
    """``features`` in deviations of ``strangers``; far out only the order of magnitude counts."""
    deviation = np.maximum(strangers.std(axis=0), SMALLEST)
    return np.asarray(np.arcsinh((features - strangers.mean(axis=0)) / deviation))


@dataclass(frozen=True, eq=False)
class Known:
    """Scores of reference images under one model, and whether it saw them.

    Attributes:
        score: ``(m,)``; NaN where the attack has none.
        seen: ``(m,)``.
        patient: ``(m,)``.
    """

    score: FloatArray
    seen: NDArray[np.bool_]
    patient: Names


def combined(
    how: Combine, score: FloatArray, patient: Names, shadows: Callable[[], list[Known]], strangers: Callable[[], Known]
) -> FloatArray:
    """Scores by image, so changed that the engine's largest of a patient's images is the patient's score asked for.

    Args:
        how: max leaves them alone; mean gives every image its patient's mean; learned gives it the log-odds that a
            logistic regression has for the patient's largest, mean and smallest score and number of images, taught by
            shadow models, of whom it is known which reference patients they saw.
        score: ``(n,)`` of the candidates.
        patient: ``(n,)``.
        shadows: scores of the reference under each shadow model as if it were the audited one.
        strangers: scores of the reference under the audited model, which saw none of it.
    """
    if how == "max":
        return score
    _, place = np.unique(patient, return_inverse=True)
    if how == "mean":
        return np.asarray((np.bincount(place, score) / np.bincount(place))[place])
    lessons = [Lesson(*_by_patient(known)) for known in shadows()]
    found, _ = log_odds(lessons, _summary(score, place), _by_patient(strangers())[0], strength=1.0)
    return found[place]


def _by_patient(known: Known) -> tuple[FloatArray, NDArray[np.bool_], Names]:
    there = np.isfinite(known.score)
    names, first, place = np.unique(known.patient[there], return_index=True, return_inverse=True)
    return _summary(known.score[there], place), known.seen[there][first], names


def _summary(score: FloatArray, place: NDArray[np.intp]) -> FloatArray:
    """Largest, mean and smallest score of each patient, logarithm of the number of images: ``(patients, 4)``."""
    count = np.bincount(place)
    largest, smallest = np.full(len(count), -np.inf), np.full(len(count), np.inf)
    np.maximum.at(largest, place, score)
    np.minimum.at(smallest, place, score)
    return np.stack([largest, np.bincount(place, score) / count, smallest, np.log(count)], axis=1)
