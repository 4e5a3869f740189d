"""What an attacker guesses of an attribute: from the images of people he knows, and from a release."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeClassifier

from ..audit.attributes import Values
from ..audit.checks.features import Features, image_features
from ..audit.types import FloatArray, ImageSet, Index, Names
from .search import Compare

RIDGE = 0.3  # of the features' total variance
FARTHEST = 6.0  # standard deviations beyond which a feature counts no further
SMALLEST = 1e-3  # a distance below this share of the usual one counts as that: a copy is a copy
BLOCK = 1024


def told_by_looks(reference: ImageSet, values: Values, images: ImageSet, *, pooled: bool) -> Values:
    """The attribute that each image seems to have, by a ridge classifier trained on ``reference``.

    Args:
        reference: images of known attribute.
        values: ``(r,)`` their attribute, of at least two classes.
        images: n images.
        pooled: whether a patient has one value: it is then guessed from the mean evidence of the patient's images.

    Returns:
        ``(n,)`` of the dtype of ``values``.
    """
    known, asked = _scaled(image_features(reference), image_features(images))
    classes, code = np.unique(values, return_inverse=True)
    model = RidgeClassifier(alpha=RIDGE * float(np.square(known).sum(axis=1).mean())).fit(known, code)
    evidence = model.decision_function(asked)
    if evidence.ndim == 1:
        evidence = np.stack([-evidence, evidence], axis=1)
    if pooled:
        _, owner = np.unique(images.patient, return_inverse=True)
        total = np.zeros((int(owner.max(initial=0)) + 1, len(classes)))
        np.add.at(total, owner, evidence)
        evidence = total[owner]
    guess: Values = classes[evidence.round(9).argmax(axis=1)]
    return guess


def _scaled(known: Features, asked: Features) -> tuple[FloatArray, FloatArray]:
    """Features by the known images' mean and spread; brightness, texture and layout weigh the same together."""
    sides: tuple[list[FloatArray], list[FloatArray]] = ([], [])
    for name in ("brightness", "texture", "layout"):
        ours, theirs = getattr(known, name), getattr(asked, name)
        mean, spread = ours.mean(axis=0), ours.std(axis=0)
        varied = spread > 1e-9 * (1 + np.abs(ours).max(axis=0))
        weight = spread[varied] * np.sqrt(max(varied.sum(), 1))
        for side, rows in zip(sides, (ours, theirs), strict=True):
            most = FARTHEST / np.sqrt(max(varied.sum(), 1))
            side.append(np.clip((rows[:, varied] - mean[varied]) / weight, -most, most))
    return np.concatenate(sides[0], axis=1), np.concatenate(sides[1], axis=1)


@dataclass(frozen=True, eq=False, slots=True)
class Near:
    """The nearest of some images to each query.

    Attributes:
        distance: ``(n,)``.
        image: ``(n,)`` its position.
    """

    distance: FloatArray
    image: Index


def nearest_image(queries: ImageSet, images: ImageSet, compare: Compare, *, siblings: bool = True) -> Near:
    """The nearest of ``images`` to each of ``queries``, in blocks of bounded memory.

    Args:
        queries: n images.
        images: at least one.
        compare: the space.
        siblings: whether a query may be near images of its own patient; ``inf`` where nobody else is left.
    """
    distance, position = np.full(len(queries), np.inf), np.zeros(len(queries), np.intp)
    for q, asked in enumerate(queries.batches(BLOCK)):
        rows = slice(q * BLOCK, q * BLOCK + len(asked))
        for i, searched in enumerate(images.batches(BLOCK)):
            found = compare(asked, searched)
            if not siblings:
                found = np.where(asked.patient[:, None] == searched.patient[None], np.float32(np.inf), found)
            at = found.argmin(axis=1)
            near = found[np.arange(len(asked)), at].astype(np.float64)
            nearer = near < distance[rows]
            distance[rows] = np.where(nearer, near, distance[rows])
            position[rows] = np.where(nearer, at + i * BLOCK, position[rows])
    return Near(distance, position)


def closeness(released: FloatArray, usual: FloatArray) -> FloatArray:
    """How much closer a released image comes than a stranger's does: -log of the ratio; a plain image is near both."""
    ratio = released / np.maximum(usual, np.finfo(np.float32).tiny)
    return np.asarray(-np.log(np.clip(ratio, SMALLEST, 1 / SMALLEST)))


@dataclass(frozen=True, eq=False, slots=True)
class Matches:
    """Which released image may show a candidate, and how surely.

    Attributes:
        image: ``(n,)`` the released image, in the space where it is surest.
        surprise: ``(n,)`` how unusual such closeness is among strangers, comparable between spaces.
        strangers: ``(r,)`` the same of the reference patients' images.
    """

    image: Index
    surprise: FloatArray
    strangers: FloatArray

    @classmethod
    def of(cls, spaces: list[tuple[Near, FloatArray, FloatArray]], level: float) -> "Matches":
        """The surest match over spaces.

        Args:
            spaces: for each, the released image nearest to each candidate, the candidates' closeness and the reference
                images'. A space's closeness is brought to the scale on which the reference's median is 0 and its upper
                ``level`` quantile 1.
            level: see there.
        """
        surprise, strangers = [], []
        for _, ours, theirs in spaces:
            median, high = np.quantile(theirs, [0.5, 1 - level])
            unit = max(float(high - median), 1e-9)
            surprise.append((ours - median) / unit)
            strangers.append((theirs - median) / unit)
        best = np.argmax(surprise, axis=0)
        rows = np.arange(len(best))
        image = np.stack([near.image for near, _, _ in spaces])
        return cls(image[best, rows], np.stack(surprise)[best, rows], np.max(strangers, axis=0))

    def believed(
        self, candidates: Names, reference: Names, level: float, *, pooled: bool
    ) -> tuple[Index, NDArray[np.bool_]]:
        """The released image that tells each candidate's attribute, and whether it is to be believed.

        It is where it comes closer than to all but a share ``level`` of the reference patients (images), none of whom
        the release can show.

        Args:
            candidates: ``(n,)`` their patients.
            reference: ``(r,)`` theirs.
            level: share of strangers that are believed too.
            pooled: whether the surest image of a patient speaks for all.

        Returns:
            ``(n,)`` the released image, and ``(n,)`` bool.
        """
        if not pooled:
            threshold = np.quantile(self.strangers, 1 - level, method="higher")
            return self.image, self.surprise > threshold
        surest = _surest(self.surprise, candidates)
        strangers = self.strangers[np.unique(_surest(self.strangers, reference))]
        threshold = np.quantile(strangers, 1 - level, method="higher")
        return self.image[surest], self.surprise[surest] > threshold


def _surest(surprise: FloatArray, patient: Names) -> Index:
    """For each image, the position of its patient's image with the largest ``surprise``."""
    _, owner = np.unique(patient, return_inverse=True)
    order = np.lexsort((surprise, owner))
    last = np.searchsorted(owner[order], np.arange(int(owner.max(initial=-1)) + 1), side="right") - 1
    return np.asarray(order[last][owner], np.intp)
