"""What a user may ask of a sample's lesion: where it lies and how large it is."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...audit.types import Masks

SITES = r"(left|right|top|bottom|(top|bottom)-(left|right)|(0(\.\d+)?|1(\.0+)?|\.\d+),(0(\.\d+)?|1(\.0+)?|\.\d+))"
NEAR = 0.05  # of the image's longer side: how far from a site given as numbers a lesion's centre may lie
TOLERANCE = 0.1  # of an area: pixels are coarse


@dataclass(frozen=True)
class Wish:
    """Where the lesions of samples should lie, and how large they should be.

    Attributes:
        site: a half (``left``, ``right``, ``top``, ``bottom``) or a quarter (``top-left``, ...) of the image, as it is
            shown, or ``y,x`` from 0,0 (top left) to 1,1, where the lesion's centre of mass should lie; None: anywhere.
        smallest: the smallest share of the image that a lesion should cover; None: any.
        largest: the largest.
    """

    site: str | None = None
    smallest: float | None = None
    largest: float | None = None

    def allowed(self, spatial: tuple[int, ...]) -> NDArray[np.bool_] | None:
        """``(h, w)`` where a lesion's centre of mass may lie; None for anywhere."""
        if self.site is None:
            return None
        h, w = spatial
        y, x = np.mgrid[:h, :w]
        if re.fullmatch("[a-z-]+", self.site):
            sides = {"top": y < h // 2, "bottom": y >= (h + 1) // 2, "left": x < w // 2, "right": x >= (w + 1) // 2}
            asked: NDArray[np.bool_] = np.all([sides[part] for part in self.site.split("-")], axis=0)
            return asked
        wanted = [float(part) for part in self.site.split(",")]
        away = np.hypot(y - wanted[0] * (h - 1), x - wanted[1] * (w - 1))
        near: NDArray[np.bool_] = away <= max(NEAR * max(h, w), 1.0)
        return near

    def area(self, spatial: tuple[int, ...]) -> tuple[float, float] | None:
        """Fewest and most pixels that a lesion should cover; None for any number."""
        if self.smallest is None and self.largest is None:
            return None
        pixels = float(np.prod(spatial))
        least = self.smallest if self.smallest is not None else min(0.01, self.largest or 1.0)
        most = self.largest if self.largest is not None else max(0.05, least)
        return least * pixels, most * pixels

    def granted(self, mask: Masks) -> bool:
        """Whether a lesion on the whole image is as wished."""
        area, allowed = self.area(mask.shape), self.allowed(mask.shape)
        covered = int((mask > 0).sum())
        if area is not None and not (1 - TOLERANCE) * area[0] <= covered <= (1 + TOLERANCE) * area[1]:
            return False
        if allowed is None:
            return True
        if not covered:
            return False
        y, x = np.rint(np.argwhere(mask).mean(0)).astype(int)
        return bool(allowed[y, x])

    def told(self) -> str:
        """The wish in words."""
        wishes = {"site": self.site, "area_min": self.smallest, "area_max": self.largest}
        return " and ".join(f"{name}={value}" for name, value in wishes.items() if value is not None) or "any site"


ANYTHING = Wish()
