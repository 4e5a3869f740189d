"""The greys of a lesion's parts: painted flat they make a sketch, and a few numbers describe how they vary."""

import numpy as np
import torch
from torch import Tensor

from ...audit.record import Model
from ...audit.types import FloatArray, Labels
from .foreground import TISSUE

CAUTION = 4.0  # lesions' worth of belief that greys of different classes vary independently


class Colours(Model):
    """How the greys of lesion classes vary among the lesions of one centre, relative to the tissue they are seen in.

    Attributes:
        lesions: the classes told apart.
        labels: the labels told apart; one entry, 0, where there are none.
        mean: for each label, class and channel the mean difference to the tissue.
        covariance: of those differences around their label's mean, classes and channels in one row: a bright rim and a
            bright oedema go together.
        grain: of each channel inside the lesions, on average; see ``foreground.grain``.
    """

    lesions: tuple[int, ...]
    labels: tuple[int, ...]
    mean: tuple[tuple[tuple[float, ...], ...], ...]
    covariance: tuple[tuple[float, ...], ...]
    grain: tuple[float, ...]

    def draw(self, label: Labels | None, n: int, rng: np.random.Generator) -> FloatArray:
        """Greys ``(n, classes, channels)`` for lesions of these labels, relative to the tissue around."""
        which = np.zeros(n, np.intp) if label is None else np.searchsorted(self.labels, label)
        mean = np.array(self.mean)[which]
        values, vectors = np.linalg.eigh(np.array(self.covariance))
        spread = vectors * np.sqrt(values.clip(min=0.0))  # pairs that were never seen together may make one negative
        drawn: FloatArray = mean + (rng.standard_normal((n, len(values))) @ spread.T).reshape(mean.shape)
        return drawn


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
    found: FloatArray,
    label: Labels | None,
    labels: tuple[int, ...],
    lesions: tuple[int, ...],
    grain: tuple[float, ...] = (),
) -> Colours:
    """What ``greys`` found, in numbers; a class that a label never shows is described by all labels together."""
    own = labels or (0,)
    mean = np.zeros((len(own), *found.shape[1:]))
    rest = found.copy()
    for at, value in enumerate(own):
        rows = np.ones(len(found), bool) if label is None or not labels else label == value
        for k in range(len(lesions)):
            mean[at, k] = _of_class(found[rows], found, k).mean(0)
        rest[rows] -= mean[at]
    return Colours(
        lesions=lesions,
        labels=own,
        mean=tuple(tuple(tuple(channels) for channels in classes) for classes in mean.tolist()),
        covariance=tuple(tuple(row) for row in _covariance(rest.reshape(len(rest), -1)).tolist()),
        grain=grain,
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


def regreyed(images: Tensor, sketches: Tensor, masks: Tensor, lesions: tuple[int, ...]) -> Tensor:
    """Images with every lesion class lifted or lowered to the mean grey that it has in the sketch.

    Of what a model learns from this holds exactly. Of what it makes it does not quite: an autoencoder blurs a small
    dark core into the bright rim around it.
    """
    lifted = images.clone()
    for row, mask in enumerate(masks):
        for lesion in lesions:
            inside = mask == lesion
            if inside.any():
                lifted[row, :, inside] += (sketches[row, :, inside] - images[row, :, inside]).mean(1, keepdim=True)
    return lifted.clamp(0.0, 1.0)


def tissue_grey(backgrounds: Tensor) -> Tensor:
    """Mean of the tissue that each background window shows: ``(n, channels)``.

    Not of what lies under the lesion alone: there it is white matter or a ventricle by chance, while a lesion's greys
    follow the brightness of the image around it.
    """
    bright = backgrounds.amax(1, keepdim=True)
    tissue = (bright > TISSUE * bright.amax((2, 3), keepdim=True)).float()
    return (backgrounds * tissue).sum((2, 3)) / tissue.sum((2, 3)).clamp_min(1.0)


def _of_class(rows: FloatArray, every: FloatArray, k: int) -> FloatArray:
    """The greys of class ``k`` among ``rows``; among ``every`` where none of them shows it, 0 where none does."""
    own, others = (part[:, k][np.isfinite(part[:, k]).all(1)] for part in (rows, every))
    return own if len(own) else others if len(others) else np.zeros((1, every.shape[2]))


def _covariance(rest: FloatArray) -> FloatArray:
    """Covariance of the columns of ``rest`` ``(n, d)``, nan where unseen; nearer to independence the smaller n."""
    seen = np.isfinite(rest)
    filled = np.where(seen, rest, 0.0)
    together = seen.T.astype(np.float64) @ seen
    covariance: FloatArray = filled.T @ filled / np.maximum(together, 1.0)
    covariance *= np.where(np.eye(len(covariance), dtype=bool), 1.0, together / (together + CAUTION))
    return covariance
