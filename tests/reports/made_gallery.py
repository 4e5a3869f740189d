"""Pictures to show: blurred discs with a bright lesion."""

import numpy as np

from privbench.audit.types import ImageSet


def build_gallery(n: int = 40, size: int = 64, *, centre: str = "centre {}", masks: bool = True) -> ImageSet:
    """Blurred discs with a bright lesion, its mask, label and centre."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / size - 0.5
    pixels = np.empty((n, 1, size, size), np.float32)
    mask = np.zeros((n, size, size), np.uint8)
    for i in range(n):
        cy, cx = rng.uniform(-0.2, 0.2, 2)
        mask[i] = (x - cx) ** 2 + (y - cy) ** 2 < 0.012
        brain = (
            0.55 / (1 + np.exp(60 * (np.hypot(x, 1.15 * y) - 0.42))) * (1 + 0.15 * np.sin(9 * x + i) * np.cos(11 * y))
        )
        pixels[i, 0] = np.clip(brain + 0.35 * mask[i] + rng.normal(0, 0.02, x.shape), 0, 1)
    return ImageSet(
        pixels=pixels,
        patient=np.array([f"s{i}" for i in range(n)]),
        label=np.arange(n) % 2,
        mask=mask if masks else None,
        center=np.array([centre.format("ABCD"[i % 4]) for i in range(n)]),
    )
