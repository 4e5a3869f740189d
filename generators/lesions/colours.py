"""How the parts of lesions look: painted in flat greys they make a sketch, and a few numbers describe how they vary."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...audit.record import Model
from ...audit.types import FloatArray, Labels
from .foreground import TISSUE

CAUTION = 4.0  # lesions' worth of belief that looks depend neither on their setting nor on one another
TEXTURED = 8  # pixels from which on a part is said to have a texture
PLAIN = 0.05  # standard deviation of a part that was never seen so large
TONE = 0.05  # greys: a tissue so much brighter is told as a class of e times as many pixels is
FAR = 2.0  # how far from its label's mean a setting is trusted
STRETCH = 4.0  # most that a texture is strengthened or weakened


@dataclass(frozen=True, eq=False)
class Looks:
    """How the parts of n lesions look.

    Attributes:
        greys: ``(n, classes, channels)`` mean difference to the tissue; nan where a class is absent.
        deviations: the same shape, standard deviation within the part; nan where it has too few pixels.
    """

    greys: FloatArray
    deviations: FloatArray


class Colours(Model):
    """How the looks of lesions vary at one centre: greys relative to the tissue they are seen in, and their texture.

    A look in one row: the greys of all classes and channels, then the logarithms of the deviations. It depends on its
    setting: on how many pixels each class covers, for a small core is brightened by its rim and a thin rim is of one
    grey; and on the tissue, for in a brighter one a lesion is brighter too, but by less.

    Attributes:
        lesions: the classes told apart.
        labels: the labels told apart; one entry, 0, where there are none.
        channels: of the images.
        mean: for each label the mean look.
        setting: for each label the mean of ``settings``.
        slope: for each part of a setting how a look changes with it.
        covariance: of what remains: a bright rim and a bright oedema go together.
    """

    lesions: tuple[int, ...]
    labels: tuple[int, ...]
    channels: int
    mean: tuple[tuple[float, ...], ...]
    setting: tuple[tuple[float, ...], ...]
    slope: tuple[tuple[float, ...], ...]
    covariance: tuple[tuple[float, ...], ...]

    def draw(self, label: Labels | None, backgrounds: Tensor, masks: Tensor, rng: np.random.Generator) -> Looks:
        """Looks for lesions of these labels and masks ``(n, h, w)`` in ``backgrounds``."""
        which = np.zeros(len(masks), np.intp) if label is None else np.searchsorted(self.labels, label)
        columns = 2 * len(self.lesions) * self.channels
        away = (settings(backgrounds, masks, self.lesions) - np.array(self.setting)[which]).clip(-FAR, FAR)
        expected = np.array(self.mean)[which] + away @ np.array(self.slope).reshape(away.shape[1], columns)
        values, vectors = np.linalg.eigh(np.array(self.covariance).reshape(columns, columns))
        spread = vectors * np.sqrt(values.clip(min=0.0))  # pairs that were never seen together may make one negative
        drawn = expected + rng.standard_normal(expected.shape) @ spread.T
        greys_, logarithms = drawn.reshape(len(masks), 2, len(self.lesions), self.channels).swapaxes(0, 1)
        return Looks(greys_, np.exp(logarithms))


def looks(images: Tensor, backgrounds: Tensor, masks: Tensor, lesions: tuple[int, ...]) -> Looks:
    """How the lesions of ``images`` look against ``backgrounds``, both ``(n, channels, h, w)``."""
    deviations = np.full((len(images), len(lesions), images.shape[1]), np.nan)
    for row, (image, mask) in enumerate(zip(images, masks, strict=True)):
        for k, lesion in enumerate(lesions):
            inside = mask == lesion
            if inside.sum() >= TEXTURED:
                deviations[row, k] = image[:, inside].std(1).numpy()
    return Looks(greys(images, backgrounds, masks, lesions), deviations)


def settings(backgrounds: Tensor, masks: Tensor, lesions: tuple[int, ...]) -> FloatArray:
    """What a look depends on: ``(n, classes + channels)``, logarithms of 1 and each class's pixels, tissue greys."""
    pixels = [np.log1p((masks == lesion).sum((1, 2)).numpy()) for lesion in lesions]
    return np.column_stack((*pixels, tissue_grey(backgrounds).numpy().astype(np.float64) / TONE))


def greys(images: Tensor, backgrounds: Tensor, masks: Tensor, lesions: tuple[int, ...]) -> FloatArray:
    """Mean difference to the tissue of each lesion's classes: ``(n, classes, channels)``, nan where absent."""
    found = np.full((len(images), len(lesions), images.shape[1]), np.nan)
    tissue = tissue_grey(backgrounds)
    for row, (image, mask) in enumerate(zip(images, masks, strict=True)):
        for k, lesion in enumerate(lesions):
            inside = mask == lesion
            if inside.any():
                found[row, k] = (image[:, inside].mean(1) - tissue[row]).numpy()
    return found


def describe(
    found: Looks,
    backgrounds: Tensor,
    masks: Tensor,
    label: Labels | None,
    labels: tuple[int, ...],
    lesions: tuple[int, ...],
    copies: int = 1,
) -> Colours:
    """What ``looks`` found, in numbers; a class that a label never shows is described by all labels together.

    Args:
        found: the looks of n lesions.
        backgrounds: ``(n, channels, h, w)`` what they are seen in.
        masks: ``(n, h, w)`` their masks.
        label: ``(n,)`` their labels, or None.
        labels: the labels told apart.
        lesions: the classes told apart.
        copies: how many of the n show the same lesion, and so are worth one.
    """
    own = labels or (0,)
    rest = np.concatenate((found.greys, np.log(found.deviations.clip(min=1e-3))), 1).reshape(len(masks), -1)
    away = settings(backgrounds, masks, lesions)
    unseen = np.repeat((0.0, np.log(PLAIN)), rest.shape[1] // 2)
    overall, usual = _means(rest, unseen), away.mean(0)
    mean, setting = np.tile(overall, (len(own), 1)), np.tile(usual, (len(own), 1))
    for at, value in enumerate(own):
        rows = np.ones(len(rest), bool) if label is None or not labels else label == value
        if rows.any():
            mean[at], setting[at] = _means(rest[rows], overall), away[rows].mean(0)
        rest[rows] -= mean[at]
        away[rows] -= setting[at]
    caution = CAUTION * copies
    slope = np.zeros((away.shape[1], rest.shape[1]))
    for j, column in enumerate(rest.T):
        slope[:, j] = _slope(away, column, caution)
    rest -= away @ slope
    return Colours(
        lesions=lesions,
        labels=own,
        channels=found.greys.shape[2],
        mean=_rows(mean),
        setting=_rows(setting),
        slope=_rows(slope),
        covariance=_rows(_covariance(rest, caution)),
    )


def painted(backgrounds: Tensor, masks: Tensor, colours: FloatArray, lesions: tuple[int, ...]) -> Tensor:
    """Backgrounds ``(n, channels, h, w)`` with each lesion class painted in one grey: the sketch of an image.

    Args:
        backgrounds: without lesions, in [0, 1].
        masks: ``(n, h, w)`` lesion classes.
        colours: ``(n, classes, channels)`` relative to the tissue around; nan paints nothing.
        lesions: the classes, in the order of ``colours``.
    """
    sketch = backgrounds.clone()
    tissue = tissue_grey(backgrounds)
    for row, mask in enumerate(masks):
        for k, lesion in enumerate(lesions):
            inside = mask == lesion
            if inside.any() and np.isfinite(colours[row, k]).all():
                grey = tissue[row] + torch.from_numpy(colours[row, k]).float()
                sketch[row, :, inside] = grey.clamp(0.0, 1.0)[:, None]
    return sketch


def regreyed(
    images: Tensor, sketches: Tensor, masks: Tensor, lesions: tuple[int, ...], deviations: FloatArray
) -> Tensor:
    """Images with every lesion class at the mean grey that it has in the sketch, and of the texture asked for.

    Of what a model learns from this holds exactly. Of what it makes it does not quite: an autoencoder blurs a small
    dark core into the bright rim around it, and a short training leaves ripples of its own.

    Args:
        images: ``(n, channels, h, w)`` as decoded.
        sketches: the same shape.
        masks: ``(n, h, w)`` lesion classes.
        lesions: the classes, in the order of ``deviations``.
        deviations: ``(n, classes, channels)`` standard deviation within a class; nan leaves it as it is.
    """
    matched = images.clone()
    for row, mask in enumerate(masks):
        for k, lesion in enumerate(lesions):
            inside = mask == lesion
            if not inside.any():
                continue
            pixels, gain = images[row, :, inside], torch.ones(images.shape[1], 1)
            if inside.sum() >= TEXTURED and np.isfinite(deviations[row, k]).all():
                wanted = torch.from_numpy(deviations[row, k]).float()
                gain[:, 0] = (wanted / pixels.std(1).clamp_min(1e-6)).clamp(1 / STRETCH, STRETCH)
            middle = pixels.mean(1, keepdim=True)
            matched[row, :, inside] = sketches[row, :, inside].mean(1, keepdim=True) + gain * (pixels - middle)
    return matched.clamp(0.0, 1.0)


def tissue_grey(backgrounds: Tensor) -> Tensor:
    """Mean of the tissue that each background window shows: ``(n, channels)``.

    Not of what lies under the lesion alone: there it is white matter or a ventricle by chance, while a lesion's greys
    follow the brightness of the image around it.
    """
    bright = backgrounds.amax(1, keepdim=True)
    tissue = (bright > TISSUE * bright.amax((2, 3), keepdim=True)).float()
    return (backgrounds * tissue).sum((2, 3)) / tissue.sum((2, 3)).clamp_min(1.0)


def _means(rows: FloatArray, otherwise: FloatArray) -> FloatArray:
    """Mean of what is finite in each column of ``rows``, and ``otherwise`` where nothing is."""
    seen = np.isfinite(rows)
    count = seen.sum(0)
    means: FloatArray = np.where(count > 0, np.where(seen, rows, 0.0).sum(0) / np.maximum(count, 1), otherwise)
    return means


def _slope(away: FloatArray, column: FloatArray, caution: float) -> FloatArray:
    """How ``column`` ``(n,)`` changes with each column of ``away``, drawn to 0 (ridge regression)."""
    seen = np.isfinite(column)
    x, y = away[seen], column[seen]
    return np.asarray(np.linalg.solve(x.T @ x + caution * np.eye(x.shape[1]), x.T @ y))


def _covariance(rest: FloatArray, caution: float) -> FloatArray:
    """Covariance of the columns of ``rest`` ``(n, d)``, nan where unseen; nearer to independence the smaller n."""
    seen = np.isfinite(rest)
    filled = np.where(seen, rest, 0.0)
    together = seen.T.astype(np.float64) @ seen
    covariance: FloatArray = filled.T @ filled / np.maximum(together, 1.0)
    covariance *= np.where(np.eye(len(covariance), dtype=bool), 1.0, together / (together + caution))
    return covariance


def _rows(array: FloatArray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in array.tolist())
