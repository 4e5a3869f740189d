"""Toy patients: smooth pictures that differ from person to person, seen twice each."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from privbench.audit.context import Auxiliary, Context
from privbench.audit.types import ImageSet

MakePatients = Callable[..., ImageSet]


@pytest.fixture(scope="session")
def make_patients() -> MakePatients:
    """``make_patients(prefix, n, images=2, side=32, seed=0)``: n patients, smooth random pictures with a lesion."""

    def make(prefix: str, n: int, images: int = 2, side: int = 32, seed: int = 0) -> ImageSet:
        rng = np.random.default_rng([seed, *prefix.encode()])
        picture = ndimage.gaussian_filter(rng.standard_normal((n, side, side)), (0, 2.5, 2.5))
        picture = 0.5 + 0.2 * picture / picture.std((1, 2), keepdims=True)
        y, x = np.mgrid[:side, :side] - (side - 1) / 2
        picture *= np.hypot(x, y) < 0.31 * side
        repeated = np.repeat(picture, images, axis=0)
        mask = np.zeros(repeated.shape, np.uint8)
        for i in range(n):
            cy, cx = rng.integers(2 * side // 5, side - 2 * side // 5, 2)
            radius = 2.5 + 2 * rng.random() + rng.random((side, side))
            lesion = np.hypot(x + (side - 1) / 2 - cx, y + (side - 1) / 2 - cy) < radius
            mask[i * images : (i + 1) * images] = lesion
        repeated = repeated + 0.02 * rng.standard_normal(repeated.shape)
        return ImageSet(
            np.clip(repeated, 0, 1)[:, None].astype(np.float32),
            np.repeat([f"{prefix}{i:03d}" for i in range(n)], images),
            mask=mask,
        )

    return make


@pytest.fixture
def auxiliary(make_patients: MakePatients) -> Auxiliary:
    return Auxiliary(make_patients("r", 20), None, Context(seed=3, path=("attack", "test")))


@pytest.fixture(scope="session")
def released() -> Callable[[ImageSet], ImageSet]:
    """Images as a generator releases them: under names of their own."""

    def release(images: ImageSet) -> ImageSet:
        return replace(images, patient=np.array([f"s{i}" for i in range(len(images))]), source=images.patient)

    return release


@pytest.fixture(autouse=True)
def no_global_randomness() -> object:
    """No attack may touch NumPy's or torch's global generator."""
    import torch

    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    yield
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)
