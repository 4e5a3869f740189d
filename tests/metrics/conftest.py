"""Toy patients: a disc with a bright or dark lesion, which is its label."""

import numpy as np
import pytest

from privbench.audit.types import ImageSet, Split


def _toy(prefix, patients, seed, *, size=24, each=2):
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size] - size / 2
    pixels, masks, labels = [], [], []
    for patient in range(patients):
        label = patient % 2
        for _ in range(each):
            y, x = rng.uniform(-4, 4, 2)
            lesion = (rows - y) ** 2 + (columns - x) ** 2 < rng.uniform(6, 14)
            image = 0.45 * (rows**2 + columns**2 < (0.4 * size) ** 2) + np.where(lesion, (-0.3, 0.4)[label], 0)
            pixels.append(np.clip(image + 0.05 * rng.normal(size=image.shape), 0, 1))
            masks.append(lesion)
            labels.append(label)
    return ImageSet(
        pixels=np.array(pixels, np.float32)[:, None],
        patient=np.repeat([f"{prefix}{i}" for i in range(patients)], each),
        label=np.array(labels),
        mask=np.array(masks, np.uint8),
        center=np.repeat(np.array(["A", "B"])[np.arange(patients) // 2 % 2], each),
    )


@pytest.fixture(scope="session")
def toy():
    """``toy(prefix, patients, seed)``: an ImageSet of two images a patient, two centres, two labels."""
    return _toy


@pytest.fixture(scope="session")
def split():
    return Split(members=_toy("m", 16, 1), holdout=_toy("h", 16, 2), reference=_toy("r", 12, 3))


@pytest.fixture(scope="session")
def fresh():
    return _toy("s", 16, 4)
