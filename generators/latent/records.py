"""What of an image's record a model is told: label, centre and lesion, as tensors in which each can be withheld."""

from typing import Literal

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from ...audit.errors import BadInputError
from ...audit.record import Model
from ...audit.types import ImageSet, Masks, Pixels
from ..lesions.foreground import tissue_of
from .diffusion import class_index

Lesion = Literal["auto", "none", "mask", "box", "attributes"]
OWN_CLASSES = 4  # lesion classes that get a plane each
UNKNOWN = 255  # in a mask that is not told
ATTRIBUTES = 3
TRIES, SHIFT, SCALE = 12, 0.08, (0.85, 1.15)


class Told(Model):
    """What a model is told about each image.

    Attributes:
        labels: the members' distinct labels, sorted; the position is the class index. Empty: labels are not told.
        centers: the same for centres.
        lesion: how lesions are told: nothing; the mask; the filled box around it; or its size and site.
        lesions: lesion classes told apart; empty if a mask only tells lesion from background.
    """

    labels: tuple[int, ...] = ()
    centers: tuple[str, ...] = ()
    lesion: Literal["none", "mask", "box", "attributes"] = "none"
    lesions: tuple[int, ...] = ()

    @property
    def beyond_label(self) -> bool:
        """Whether anything but the label is told."""
        return bool(self.centers) or self.lesion != "none"

    @property
    def attributes(self) -> int:
        """How many numbers tell of the lesion."""
        return ATTRIBUTES if self.lesion == "attributes" else 0

    def planes(self, factor: int) -> int:
        """How many planes beside the latents tell of the lesion, each latent covering ``factor`` pixels a side."""
        return {"mask": max(1, len(self.lesions)), "box": 1}.get(self.lesion, 0) * factor**2

    def tensors(self, images: ImageSet) -> tuple[Tensor, Tensor, Tensor]:
        """What the model is told of ``images``; what they lack, or no member has, is not told.

        Returns:
            ``(n,)`` class index; ``(n, columns)`` centre index and attributes, infinite where not told; and
            ``(n, h, w)`` uint8 mask or box, 255 where not told, or ``(n, 0, 0)`` where none is ever told.
        """
        n = len(images)
        columns = []
        if self.centers:
            center = np.full(n, "") if images.center is None else images.center
            index = {name: float(i) for i, name in enumerate(self.centers)}
            columns.append(torch.tensor([[index.get(str(name), torch.inf)] for name in center.tolist()]))
        if self.lesion == "attributes":
            columns.append(
                torch.full((n, ATTRIBUTES), torch.inf)
                if images.mask is None
                else torch.tensor(np.array([_attributes(mask) for mask in images.mask]), dtype=torch.float32)
            )
        given = torch.cat(columns, 1) if columns else torch.zeros((n, 0))
        return class_index(images.label, n, self.labels), given, self._mask(images)

    def network(
        self, label: Tensor, given: Tensor, mask: Tensor, factor: int
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """The same as the noise predictor takes it: class index, planes, centre and attributes."""
        planes = None
        if self.planes(factor):
            classes = [mask == lesion for lesion in self.lesions] if self.lesion == "mask" else []
            inside = torch.stack(classes or [mask > 0], 1)
            shown = (mask != UNKNOWN)[:, None].float()
            planes = functional.pixel_unshuffle((2 * inside.float() - 1) * shown, factor)
        return label, planes, given if given.shape[1] else None

    def nothing(self, condition: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """What ``tensors`` gives of an image of which nothing is known."""
        label, given, mask = condition
        return (
            torch.full_like(label, len(self.labels)),
            torch.full_like(given, torch.inf),
            torch.full_like(mask, UNKNOWN),
        )

    def _mask(self, images: ImageSet) -> Tensor:
        n = len(images)
        if self.lesion not in {"mask", "box"}:
            return torch.zeros((n, 0, 0), dtype=torch.uint8)
        if images.mask is None:
            return torch.full((n, *images.spatial), UNKNOWN, dtype=torch.uint8)
        if self.lesion == "mask":
            return torch.from_numpy(np.array(images.mask, np.uint8))
        return torch.from_numpy(np.array([_box(mask) for mask in images.mask]).reshape(n, *images.spatial))


def settle(generator: str, members: ImageSet, label: bool | None, center: bool | None, lesion: Lesion) -> Told:
    """What a model trained on ``members`` is told: what was asked for, by default whatever they have.

    Args:
        generator: for messages.
        members: the training images.
        label: whether to tell the label; None: if there are any.
        center: whether to tell the centre; None: if there is more than one.
        lesion: ``auto``: the mask, if any shows a lesion.

    Raises:
        BadInputError: if something is asked for that the members lack.
    """
    shown = members.mask is not None and any(bool(np.any(mask)) for mask in members.mask)
    lacking = {
        "label=true": label is True and members.label is None,
        "center=true": center is True and members.center is None,
        f"lesion={lesion}": lesion in {"mask", "box", "attributes"} and not shown,
    }
    for asked, lacks in lacking.items():
        if lacks:
            what = {"lab": "labels", "cen": "centres", "les": "masks that show a lesion"}[asked[:3]]
            raise BadInputError(
                f"generator '{generator}': {asked}, but the cohort's members have no {what}\n"
                "leave the option out, or choose a cohort that has them"
            )
    centers = np.unique(members.center).tolist() if members.center is not None and center is not False else []
    classes = np.unique(members.mask)[1:] if shown and members.mask is not None and 0 in members.mask else np.zeros(0)
    return Told(
        labels=tuple(np.unique(members.label).tolist()) if members.label is not None and label is not False else (),
        centers=tuple(centers) if len(centers) > 1 or center else (),
        lesion=lesion if lesion != "auto" else "mask" if shown else "none",
        lesions=tuple(classes.astype(int).tolist()) if len(classes) <= OWN_CLASSES else (),
    )


def moved(image: Pixels, mask: Masks, rng: np.random.Generator) -> Masks:
    """The lesion of ``mask`` turned, perhaps mirrored, a little larger or smaller, near its place or opposite to it.

    So that no released mask is a member's own. Of a few tries the first that lies on tissue is taken, or the one that
    leaves it least.

    Args:
        image: ``(channels, h, w)`` that the mask belongs to; shows where tissue is.
        mask: ``(h, w)`` lesion classes.
        rng: where randomness comes from.
    """
    if not mask.any():
        return mask
    outside = ~tissue_of(image)
    middle = np.argwhere(mask).mean(0)
    size = np.array(mask.shape)
    best, least = mask, np.inf
    for _ in range(TRIES):
        angle, scale = rng.uniform(0, 2 * np.pi), rng.uniform(*SCALE)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
        turn[:, 1] *= rng.choice((-1.0, 1.0))
        to = middle.copy()
        if rng.random() < 0.5:
            to[1] = size[1] - 1 - to[1]
        to += rng.uniform(-SHIFT, SHIFT, 2) * size
        found = np.asarray(ndimage.affine_transform(mask, turn, middle - turn @ to, order=0, mode="constant"))
        off = float((outside & (found > 0)).sum()) if found.any() else np.inf
        if off < least:
            best, least = found, off
        if not off:
            break
    return best


def _box(mask: Masks) -> Masks:
    box = np.zeros_like(mask, np.uint8)
    at = np.argwhere(mask)
    if len(at):
        (top, left), (bottom, right) = at.min(0), at.max(0) + 1
        box[top:bottom, left:right] = 1
    return box


def _attributes(mask: Masks) -> tuple[float, float, float]:
    """The lesion's size and, from -1 to 1, how far down and how far right its middle is; zeros without one."""
    at = np.argwhere(mask)
    if not len(at):
        return (0.0, 0.0, 0.0)
    down, right = 2 * (at.mean(0) + 0.5) / np.array(mask.shape) - 1
    return (8 * float(np.sqrt(len(at) / mask.size)), float(down), float(right))
