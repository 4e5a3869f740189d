"""Small cohorts with everything a generator may ask for."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from privbench.audit.context import Context
from privbench.audit.types import ImageSet, TrainingData


def images(
    prefix: str, patients: int, per_patient: int = 4, size: int = 32, *, lesions: bool = True, seed: int = 0
) -> ImageSet:
    """Bright discs on black, each patient's of its own size and grey, with a brighter lesion inside."""
    rng = np.random.default_rng([seed, *prefix.encode()])
    y, x = np.mgrid[:size, :size] / size - 0.5
    n = patients * per_patient
    pixels = np.zeros((n, 1, size, size), np.float32)
    mask = np.zeros((n, size, size), np.uint8)
    for p in range(patients):
        radius, grey = rng.uniform(0.36, 0.46), rng.uniform(0.3, 0.6)
        waves = 0.05 * np.sin(rng.uniform(5, 25) * x + rng.uniform(5, 25) * y + rng.uniform(0, 6))
        for k in range(per_patient):
            i = p * per_patient + k
            head = x**2 + y**2 < radius**2
            texture = 0.02 * rng.standard_normal((size, size))
            pixels[i, 0] = np.where(head, np.clip(grey + waves + texture, 0, 1), 0)
            if lesions:
                cx, cy = rng.uniform(-0.15, 0.15, 2)
                spot = (x - cx) ** 2 + (y - cy) ** 2 < rng.uniform(0.06, 0.1) ** 2
                mask[i][spot] = 1 + (p % 2)
                pixels[i, 0][spot] = np.clip(grey + 0.3 + 0.05 * rng.standard_normal(spot.sum()), 0, 1)
    return ImageSet(
        pixels=pixels,
        patient=np.repeat([f"{prefix}-{p}" for p in range(patients)], per_patient),
        label=np.repeat(np.arange(patients) % 2, per_patient).astype(np.int64),
        mask=mask,
        center=np.repeat([f"site-{p % 2}" for p in range(patients)], per_patient),
        visit=np.tile(np.arange(per_patient) // 2, patients).astype(np.int64),
    )


@pytest.fixture(scope="session")
def data() -> TrainingData:
    """Ten member patients of four images, six public healthy ones, twelve in reserve."""
    return TrainingData(images("member", 10), images("public", 6, lesions=False), images("reserve", 12))


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A context of its own folder."""
    return Context(seed=7, path=("generator",), folder=tmp_path)


@pytest.fixture(scope="session")
def make_images() -> Callable[..., ImageSet]:
    """How the cohorts here are made."""
    return images
