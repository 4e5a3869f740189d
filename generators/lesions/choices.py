"""Whose lesions are shown on whose brains, as a user asks for it."""

import numpy as np

from ...audit.errors import BadInputError
from ...audit.types import ImageSet, Index, Labels, Names
from .controls import Wish
from .foreground import radius
from .windows import centers_of, own_backgrounds, reach_of


def conditions_for(members: ImageSet, label: int | None, center: str | None, wish: Wish, side: int) -> ImageSet:
    """The member images whose lesions may condition a sample.

    Args:
        members: images with lesions.
        label: that the samples should have, or None for any.
        center: whose lesions they should be, or None for any.
        wish: of their size; lesions that cannot be made so large in a window are left out.
        side: pixels along a window.

    Raises:
        BadInputError: if there are none.
    """
    assert members.mask is not None
    if center is not None:
        members = members.take(_where("center", center, centers_of(members)))
    if label is not None:
        known = np.zeros(0, np.int64) if members.label is None else members.label
        members = members.take(_where("label", label, known))
    area = wish.area(members.spatial)
    if area is None:
        return members
    assert members.mask is not None
    largest = np.array([(mask > 0).sum() * (reach_of(side) / max(radius(mask), 1.0)) ** 2 for mask in members.mask])
    if not (largest >= area[0]).any():
        raise BadInputError(
            f"generator 'dfgm': no lesion becomes as large as {wish.told()} in a window of {side} pixels\n"
            f"the largest becomes {largest.max() / np.prod(members.spatial):.3f}; ask for less, or set a larger side"
        )
    return members.take(largest >= area[0])


def backgrounds_for(public: ImageSet, wanted: int | str | None, center: str) -> Index:
    """Positions of the public images that a centre's samples are made on.

    Args:
        public: healthy images.
        wanted: one of them, those of a centre, or None for the centre's own (all where it shares none).
        center: the centre.

    Raises:
        BadInputError: if there is no such image or centre.
    """
    centers = centers_of(public)
    if wanted is None:
        return own_backgrounds(public, center)
    if isinstance(wanted, str) and wanted in centers:
        return np.flatnonzero(centers == wanted)
    if str(wanted).isdecimal() and int(wanted) < len(public):
        return np.array([int(wanted)], np.intp)
    known = ", ".join(c for c in np.unique(centers).tolist() if c)
    raise BadInputError(
        f"generator 'dfgm': option background={wanted}: no such public image or centre\n"
        f"give a number from 0 to {len(public) - 1}{f', or one of {known}' if known else ''}"
    )


def _where(option: str, wanted: int | str, values: Names | Labels) -> Index:
    found = np.flatnonzero(values == wanted) if len(values) else np.zeros(0, np.intp)
    if not len(found):
        known = ", ".join(str(v) for v in np.unique(values).tolist()) or "none is given"
        raise BadInputError(
            f"generator 'dfgm': option {option}={wanted}: no patient it trains on has it\nthere are: {known}"
        )
    return found
