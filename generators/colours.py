"""The greys of a lesion's parts: painted flat they make a sketch, and a few numbers describe how they vary."""

import numpy as np
import torch
from torch import Tensor

from ..audit.record import Model
from ..audit.types import FloatArray, Labels


class Colours(Model):
    """How the greys of lesion classes vary among the lesions of one centre, relative to the tissue they replace.

    Attributes:
        lesions: the classes told apart.
        labels: the labels told apart; one entry, 0, where there are none.
        mean: for each label, class and channel the mean difference to the tissue behind.
        spread: for each the standard deviation over lesions.
    """

    lesions: tuple[int, ...]
    labels: tuple[int, ...]
    mean: tuple[tuple[tuple[float, ...], ...], ...]
    spread: tuple[tuple[tuple[float, ...], ...], ...]

    def draw(self, label: Labels | None, n: int, rng: np.random.Generator) -> FloatArray:
        """Greys ``(n, classes, channels)`` for lesions of these labels, relative to the tissue behind."""
        which = np.zeros(n, np.intp) if label is None else np.searchsorted(self.labels, label)
        mean, spread = np.array(self.mean)[which], np.array(self.spread)[which]
        drawn: FloatArray = mean + spread * rng.standard_normal(mean.shape)
        return drawn


def greys(images: Tensor, backgrounds: Tensor, masks: Tensor, lesions: tuple[int, ...]) -> FloatArray:
    """Mean difference to the tissue behind of each lesion's classes: ``(n, classes, channels)``, nan where absent."""
    found = np.full((len(images), len(lesions), images.shape[1]), np.nan)
    behind = tissue_behind(backgrounds, masks)
    for row, (image, mask) in enumerate(zip(images, masks, strict=True)):
        for k, lesion in enumerate(lesions):
            inside = mask == lesion
            if inside.any():
                found[row, k] = (image[:, inside].mean(1) - behind[row]).numpy()
    return found


def describe(found: FloatArray, label: Labels | None, labels: tuple[int, ...], lesions: tuple[int, ...]) -> Colours:
    """What ``greys`` found, in numbers; a class that a label never shows is described by all labels together."""
    own = labels or (0,)
    mean, spread = [], []
    for value in own:
        rows = found if label is None or not labels else found[label == value]
        of_each = [_of_class(rows, found, k) for k in range(len(lesions))]
        mean.append(tuple(tuple(greys.mean(0).tolist()) for greys in of_each))
        spread.append(tuple(tuple(greys.std(0).tolist()) for greys in of_each))
    return Colours(lesions=lesions, labels=own, mean=tuple(mean), spread=tuple(spread))


def painted(backgrounds: Tensor, masks: Tensor, colours: FloatArray, lesions: tuple[int, ...]) -> Tensor:
    """Backgrounds ``(n, channels, h, w)`` with each lesion class painted in one grey: the sketch of an image.

    Args:
        backgrounds: without lesions, in [0, 1].
        masks: ``(n, h, w)`` lesion classes.
        colours: ``(n, classes, channels)`` relative to the tissue behind; nan paints nothing.
        lesions: the classes, in the order of ``colours``.
    """
    sketch = backgrounds.clone()
    behind = tissue_behind(backgrounds, masks)
    for row, mask in enumerate(masks):
        for k, lesion in enumerate(lesions):
            inside = mask == lesion
            if inside.any() and np.isfinite(colours[row, k]).all():
                grey = behind[row] + torch.from_numpy(colours[row, k]).float()
                sketch[row, :, inside] = grey.clamp(0.0, 1.0)[:, None]
    return sketch


def tissue_behind(backgrounds: Tensor, masks: Tensor) -> Tensor:
    """Mean of each background under its lesion: ``(n, channels)``."""
    under = (masks > 0)[:, None].float()
    return (backgrounds * under).sum((2, 3)) / under.sum((2, 3)).clamp_min(1.0)


def _of_class(rows: FloatArray, every: FloatArray, k: int) -> FloatArray:
    """The greys of class ``k`` among ``rows``; among ``every`` where none of them shows it, 0 where none does."""
    own, others = (part[:, k][np.isfinite(part[:, k]).all(1)] for part in (rows, every))
    return own if len(own) else others if len(others) else np.zeros((1, every.shape[2]))
