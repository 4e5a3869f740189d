from functools import partial

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from privbench.attacks import spaces
from privbench.attacks.search import euclidean, nearest_distance, patient_distances
from privbench.audit.types import ImageSet


def expected(queries: ImageSet, images: ImageSet) -> np.ndarray:
    """Root mean square distance to each patient's nearest image, by SciPy."""
    flat = [x.pixels.reshape(len(x), -1).astype(np.float64) for x in (queries, images)]
    d = cdist(*flat) / np.sqrt(flat[0].shape[1])
    return np.stack([d[:, images.patient == p].min(1) for p in images.patients], axis=1)


@pytest.mark.parametrize("block", [7, 1000])
def test_distances_agree_with_scipy_whatever_the_block(make_patients, block):
    queries, images = make_patients("q", 11), make_patients("m", 17, images=3)
    shuffled = images.take(np.random.default_rng(0).permutation(len(images)))
    found = patient_distances(queries, shuffled, partial(spaces.pixels, device="cpu"), block=block)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected(queries, images), rtol=1e-5)


@pytest.mark.parametrize("size", [1e-6, 1e-4, 1e-2, 0.1])
def test_near_copies_are_right_although_float32_products_cancel(size):
    rng = np.random.default_rng(1)
    originals = rng.random((30, 1, 64, 64), dtype=np.float32)
    copies = (originals + size * rng.standard_normal(originals.shape)).astype(np.float32)
    flat = [x.reshape(30, 1, -1) for x in (copies, originals)]
    reference = cdist(*(x[:, 0].astype(np.float64) for x in flat))
    np.testing.assert_allclose(euclidean(*flat), reference, rtol=1e-5)
    np.testing.assert_allclose(nearest_distance(copies, originals), reference.min(1) / 64, rtol=1e-9)


def test_an_exact_copy_is_at_distance_zero_in_every_space(make_patients):
    images = make_patients("m", 6, images=1)
    for compare in (
        partial(spaces.pixels, device="cpu"),
        partial(spaces.patch_max, device="cpu", side=8),
        partial(spaces.moved, device="cpu", shift=2),
        partial(spaces.foreground, device="cpu"),
    ):
        found = patient_distances(images, images, compare)
        assert np.all(np.diag(found) == 0)
        assert np.all(found[~np.eye(6, dtype=bool)] > 0.01)


def test_a_candidate_is_never_near_its_own_patient(make_patients):
    images = make_patients("m", 5, images=3)
    found = patient_distances(images, images, partial(spaces.pixels, device="cpu"), siblings=False)
    own = images.patient[:, None] == images.patients[None]
    assert np.all(np.isinf(found[own]))
    assert np.all(np.isfinite(found[~own]))


def test_the_worst_tile_is_the_distance_of_patch_max(make_patients):
    a, b = make_patients("a", 4, side=20), make_patients("b", 3, side=20)
    tile = np.zeros((len(a), len(b), 3, 3))
    for i, j in np.ndindex(len(a), len(b)):
        square = np.zeros((24, 24))
        square[:20, :20] = (a.pixels[i, 0].astype(np.float64) - b.pixels[j, 0]) ** 2
        tile[i, j] = square.reshape(3, 8, 3, 8).mean((1, 3))
    np.testing.assert_allclose(spaces.patch_max(a, b, "cpu", 8), np.sqrt(tile.max((2, 3))), rtol=1e-5)


def test_memory_maps_are_searched_without_being_changed(make_patients, tmp_path):
    images = make_patients("m", 6)
    np.save(tmp_path / "pixels.npy", images.pixels)
    mapped = ImageSet(np.load(tmp_path / "pixels.npy", mmap_mode="r"), images.patient)
    for compare in (partial(spaces.pixels, device="cpu"), partial(spaces.moved, device="cpu", shift=1)):
        np.testing.assert_array_equal(
            patient_distances(mapped, mapped, compare, block=5), patient_distances(images, images, compare, block=5)
        )
