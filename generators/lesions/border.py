"""What crosses the border of each centre when it makes images for others."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...audit.record import Crossing
from ...audit.types import ImageSet, Index
from .windows import Agreement, centers_of

ONLY = "the only centre"
BATCH = 256  # images hashed at once, for they may be a memory map


def came_in(center: str, public: ImageSet, backgrounds: Index, model: Path) -> Iterator[Crossing]:
    """What a centre was given: nothing of it knows a member of another, but for which classes occur.

    Args:
        center: which.
        public: healthy images.
        backgrounds: positions of those it blended into.
        model: folder of the fitted model.
    """
    for what, name in (
        ("autoencoder, trained on public images", "autoencoder.safetensors"),
        ("starting model, trained on public images", "shared.safetensors"),
        ("agreement on window, centres, labels and lesion classes", "agreement.json"),
    ):
        content = (model / name).read_bytes()
        yield _crossing(center, "in", what, 1, [content])
    shown = (public.pixels[backgrounds[i : i + BATCH]] for i in range(0, len(backgrounds), BATCH))
    yield _crossing(center, "in", "public backgrounds", len(backgrounds), map(_content, shown))


def went_out(center: str, own: ImageSet, samples: ImageSet, agreed: Agreement) -> Iterator[Crossing]:
    """What a centre gave away: which classes occur there, and its samples.

    Args:
        center: which.
        own: the members that it trained on.
        samples: the release of all centres.
        agreed: what the centres agreed on.
    """
    assert own.mask is not None
    classes = np.unique(own.mask)
    labels = [] if own.label is None else np.unique(own.label).tolist()
    told = {"labels": labels, "lesions": classes[classes > 0].tolist() if agreed.lesions else []}
    content = json.dumps(told).encode()
    yield _crossing(center, "out", "labels and lesion classes that occur", sum(map(len, told.values())), [content])
    made = samples.take(centers_of(samples) == center)
    if len(made):
        parts = {"images": made.pixels, "masks": made.mask, "labels": made.label}
        for what, array in parts.items():
            if array is not None:
                yield _crossing(center, "out", f"synthetic {what}", len(array), [_content(array)])


def _crossing(center: str, direction: str, what: str, count: int, parts: "Iterator[bytes] | list[bytes]") -> Crossing:
    digest, size = hashlib.sha256(), 0
    for part in parts:
        digest.update(part)
        size += len(part)
    return Crossing.model_validate(
        {
            "center": center or ONLY,
            "direction": direction,
            "what": what,
            "count": count,
            "size": size,
            "sha256": digest.hexdigest(),
        }
    )


def _content(array: NDArray[np.generic]) -> bytes:
    return np.ascontiguousarray(array).tobytes()
