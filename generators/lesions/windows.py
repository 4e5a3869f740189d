"""Windows on lesions: private foregrounds in public backgrounds, as a conditional diffusion model takes them."""

import zlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...audit.context import Context
from ...audit.errors import BadInputError
from ...audit.record import Model
from ...audit.types import ImageSet, Index, Names, Pixels, TrainingData
from .controls import ANYTHING, Wish
from .foreground import EDGE, MARGIN, Foreground, Place, blend, cut, place, turned

OWN_CLASSES = 4
TRIES = 60
FADED = round(MARGIN + EDGE + 1)  # pixels from a mask on which a window equals its background


class Agreement(Model):
    """What the centres agree on beside the public autoencoder.

    Attributes:
        side: pixels along a window.
        centers: the centres, in the order of their models.
        labels: the members' distinct labels, sorted; empty without labels.
        lesions: the lesion classes that the models tell apart; empty if they only tell lesion from background.
    """

    side: int
    centers: tuple[str, ...]
    labels: tuple[int, ...]
    lesions: tuple[int, ...]

    @property
    def reach(self) -> float:
        """How far from its middle a lesion in a window may extend, in pixels."""
        return reach_of(self.side)

    def cells(self, mask: Tensor, factor: int) -> Tensor:
        """``(n, 1, side / factor, side / factor)``, 1 where a latent covers some lesion."""
        return functional.max_pool2d((mask > 0)[:, None].float(), factor)

    @property
    def planes(self) -> int:
        """How many planes a mask is told in."""
        return max(1, len(self.lesions))

    def mask_planes(self, mask: Tensor, factor: int) -> Tensor:
        """``(n, planes * factor**2, side / factor, side / factor)``, 1 on and -1 off each lesion class."""
        classes = [mask == lesion for lesion in self.lesions] or [mask > 0]
        return functional.pixel_unshuffle(2 * torch.stack(classes, 1).float() - 1, factor)


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows as tensors of n rows, and where each lies.

    Attributes:
        image: ``(n, channels, side, side)`` with the lesion blended in.
        background: the same without it.
        mask: ``(n, side, side)`` uint8 lesion classes.
        places: where each window lies in its background.
        backgrounds: ``(n,)`` position of that background among the public images.
    """

    image: Tensor
    background: Tensor
    mask: Tensor
    places: tuple[Place, ...]
    backgrounds: Index


def side_for(images: ImageSet, side: int | None) -> int:
    """Pixels along a window on the lesions of ``images``; ``side`` None is 5/8 of the image's longer side.

    Raises:
        BadInputError: if the images are no 2-D images of at least 16 pixels.
    """
    if len(images.spatial) != 2 or min(images.spatial) < 16:
        raise BadInputError(
            f"blending tumours: images are {'x'.join(map(str, images.spatial))}\n"
            "it takes 2-D images of at least 16 pixels; set the cohort's option size"
        )
    return side or -(-max(images.spatial) * 5 // 64) * 8


def agree(members: ImageSet, side: int) -> Agreement:
    """What the centres of ``members`` agree on: which labels and lesion classes occur at any of them."""
    assert members.mask is not None
    lesions = np.unique(members.mask)
    lesions = lesions[lesions > 0]
    return Agreement(
        side=side,
        centers=tuple(np.unique(centers_of(members)).tolist()),
        labels=() if members.label is None else tuple(np.unique(members.label).tolist()),
        lesions=tuple(lesions.tolist()) if len(lesions) <= OWN_CLASSES else (),
    )


def public_of(data: TrainingData) -> ImageSet:
    """The public images.

    Raises:
        BadInputError: if there are none, or they are of another shape than the members'.
    """
    public, shape = data.public, (data.members.channels, *data.members.spatial)
    if public is None or len(public) == 0:
        raise BadInputError(
            "blending tumours: the cohort has no public images to blend them into\n"
            "mark healthy patients as split=public in metadata.csv, or choose another generator, e.g. ldm"
        )
    if (public.channels, *public.spatial) != shape:
        raise BadInputError(
            f"blending tumours: public images are {(public.channels, *public.spatial)}, members' are {shape}\n"
            "give both the same size and channels"
        )
    return public


def lesions_of(members: ImageSet) -> Index:
    """Positions of the member images that show a lesion.

    Raises:
        BadInputError: if there are none.
    """
    mask = members.mask
    shown = np.array([bool(m.any()) for m in mask]) if mask is not None else np.zeros(0, bool)
    if not shown.any():
        missing = "there are no masks" if mask is None else "every mask is empty"
        raise BadInputError(
            f"blending tumours: no member image shows a lesion, {missing}\n"
            "choose a cohort with lesion masks, or another generator, e.g. ldm"
        )
    return np.flatnonzero(shown)


def centers_of(images: ImageSet) -> Names:
    """The centre of each image; without centres they all come from one."""
    return images.center if images.center is not None else np.full(len(images), "", dtype=np.str_)


def own_backgrounds(public: ImageSet, center: str) -> Index:
    """Positions of the public images taken at ``center``, or of all where it shares none."""
    own = np.flatnonzero(centers_of(public) == center)
    return own if len(own) else np.arange(len(public))


def turned_windows(
    images: ImageSet,
    public: ImageSet,
    backgrounds: Index,
    side: int,
    rng: np.random.Generator,
    wish: Wish = ANYTHING,
    *,
    turn: bool = True,
) -> Windows:
    """The lesion of each image, turned at random, at a random place of a random one of some public images.

    Args:
        images: with lesions.
        public: healthy images.
        backgrounds: positions of those to blend into.
        side: pixels along a window.
        rng: where randomness comes from.
        wish: where the lesions should lie, and how large they should be.
        turn: False leaves the lesions as they are, whatever size is wished.

    Raises:
        BadInputError: if a lesion finds no place that is as wished.
    """
    return _stacked([_wished(image, public, backgrounds, side, rng, wish, turn=turn) for image in images.batches(1)])


def candidate_windows(images: ImageSet, public: ImageSet, side: int, context: Context) -> Windows:
    """The lesion of each image as it is, at a place that depends on nothing but the image and the audit's seed."""
    made = []
    for image, center in zip(images.batches(1), centers_of(images).tolist(), strict=True):
        seed = f"{zlib.crc32(np.ascontiguousarray(image.pixels).tobytes()):08x}"
        rng = context.rng("candidate", seed)
        behind = int(rng.choice(own_backgrounds(public, center)))
        foreground = _foreground(image, side)
        at = place(foreground.mask, np.asarray(public.pixels[behind]), rng)
        made.append((blend(foreground, at), at, behind))
    return _stacked(made)


def reach_of(side: int) -> float:
    """How far from its middle a lesion in a window of ``side`` pixels may extend, in pixels."""
    return side / 2 - MARGIN - EDGE


def _wished(
    one: ImageSet,
    public: ImageSet,
    backgrounds: Index,
    side: int,
    rng: np.random.Generator,
    wish: Wish,
    *,
    turn: bool,
) -> tuple[Pixels, Place, int]:
    foreground = _foreground(one, side)
    allowed = wish.allowed(one.spatial)
    area = wish.area(one.spatial)
    for _ in range(TRIES):
        moved = turned(foreground, reach_of(side), rng, area) if turn else foreground
        behind = int(rng.choice(backgrounds))
        at = place(moved.mask, np.asarray(public.pixels[behind]), rng, allowed)
        if wish.granted(at.mask_in(one.spatial)):
            return blend(moved, at), at, behind
    raise BadInputError(
        f"blending tumours: no place in the public images' brains for a lesion with {wish.told()}\n"
        "ask for another site, a smaller area, or another background"
    )


def _foreground(one: ImageSet, side: int) -> Foreground:
    assert one.mask is not None
    return cut(np.asarray(one.pixels[0]), np.asarray(one.mask[0]), side)


def _stacked(made: list[tuple[Pixels, Place, int]]) -> Windows:
    images, places, behind = zip(*made, strict=True)
    return Windows(
        torch.from_numpy(np.stack(images)),
        torch.from_numpy(np.stack([at.background for at in places])),
        torch.from_numpy(np.stack([at.mask for at in places])),
        places,
        np.array(behind, np.intp),
    )
