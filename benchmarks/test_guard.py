"""How long the guard's search takes beside the brute force that proves it."""

import numpy as np
import pytest

from privbench.audit.closest import closest, closest_by_brute_force
from privbench.audit.types import ImageSet

POSES = {"shift": 1, "mirror": True}


def images(n, seed, side=64):
    pixels = np.random.default_rng(seed).random((n, 1, side, side), np.float32)
    return ImageSet(pixels, np.array([f"{seed}-{i}" for i in range(n)]))


@pytest.mark.parametrize("search", [closest, closest_by_brute_force])
def test_500_samples_against_500_members(benchmark, search):
    found = benchmark.pedantic(search, (images(500, 0), images(500, 1)), POSES, rounds=3)
    assert len(found) == 500


def test_5000_samples_against_5000_members(benchmark):
    found = benchmark.pedantic(closest, (images(5000, 0), images(5000, 1)), POSES, rounds=1)
    assert len(found) == 5000
