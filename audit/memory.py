"""What an attack computed of single images, so that it need not again when it runs on one release after another."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .types import Pixels

MOST = 50_000  # rows of one name: a power certificate plants some thousands, a release of millions is not remembered


@dataclass(frozen=True, eq=False)
class Memory:
    """Rows of arrays, each by the image that it was computed from; gone with the attack's run or certificate."""

    known: dict[str, dict[bytes, NDArray[Any]]] = field(default_factory=dict)

    def rows(self, name: str, pixels: Pixels, make: Callable[[Pixels], NDArray[Any]]) -> NDArray[Any]:
        """``make(pixels)``, computed for those images only whose row is not known.

        Args:
            name: what the rows are, with every option that they depend on.
            pixels: ``(n, channels, *spatial)``, n at least 1.
            make: from such images to ``(n, ...)``; a row must depend on its own image alone.
        """
        known = self.known.setdefault(name, {})
        if len(known) + len(pixels) > MOST:
            return make(pixels)
        marks = [hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest() for image in pixels]
        missing = {mark: i for i, mark in enumerate(marks) if mark not in known}
        if missing:
            known.update(zip(missing, make(pixels[list(missing.values())]), strict=True))
        return np.stack([known[mark] for mark in marks])
