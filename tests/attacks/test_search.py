from functools import partial

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from privbench.attacks import spaces, streaming
from privbench.attacks.search import euclidean, nearest_distance, patient_ranking
from privbench.attacks.streaming import forget, streamed, vector_ranking
from privbench.audit.types import ImageSet, Ranking


def apart(queries: ImageSet, images: ImageSet) -> np.ndarray:
    """Root mean square distance of each query to each image, by SciPy."""
    flat = [x.pixels.reshape(len(x), -1).astype(np.float64) for x in (queries, images)]
    return cdist(*flat) / np.sqrt(flat[0].shape[1])


def expected(queries: ImageSet, images: ImageSet) -> np.ndarray:
    """The same to each patient's nearest image."""
    d = apart(queries, images)
    return np.stack([d[:, images.patient == p].min(1) for p in images.patients], axis=1)


@pytest.mark.parametrize("block", [7, 1000])
def test_distances_agree_with_scipy_whatever_the_block(make_patients, block):
    queries, images = make_patients("q", 11), make_patients("m", 17, images=3)
    shuffled = images.take(np.random.default_rng(0).permutation(len(images)))
    found = patient_ranking(queries, shuffled, partial(spaces.pixels, device="cpu"), ranks=12, block=block)
    nearest = expected(queries, images)
    assert found.distance.dtype == np.float32
    np.testing.assert_allclose(found.distance, np.sort(nearest, axis=1)[:, :12], rtol=1e-5)
    np.testing.assert_allclose(found.distance, np.take_along_axis(nearest, found.patient, axis=1), rtol=1e-5)
    to = apart(queries, shuffled)
    np.testing.assert_allclose(found.distance, np.take_along_axis(to, found.image, axis=1), rtol=1e-5)


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
        partial(spaces.background, device="cpu"),
    ):
        found = patient_ranking(images, images, compare)
        assert np.array_equal(found.patient[:, 0], np.arange(6))
        assert np.all(found.distance[:, 0] == 0)
        assert np.all(found.distance[:, 1:] > 0.01)


def test_a_candidate_is_never_near_its_own_patient(make_patients):
    images = make_patients("m", 5, images=3)
    found = patient_ranking(images, images, partial(spaces.pixels, device="cpu"), siblings=False)
    assert not (images.patients[found.patient[:, :4]] == images.patient[:, None]).any()
    assert np.all(np.isfinite(found.distance[:, :4]))
    assert np.all(found.patient[:, 4] == -1)
    assert np.all(np.isinf(found.distance[:, 4]))


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
        found, known = (patient_ranking(x, x, compare, block=5) for x in (mapped, images))
        np.testing.assert_array_equal(found.distance, known.distance)


@pytest.mark.parametrize("block", [(5, 3), (7, 100), (4096, 2048)])
@pytest.mark.parametrize("siblings", [True, False])
def test_a_stream_of_blocks_finds_what_scipy_finds(make_patients, monkeypatch, block, siblings):
    monkeypatch.setattr(streaming, "BLOCK", block)
    images = make_patients("m", 17, images=3)
    shuffled = images.take(np.random.default_rng(0).permutation(len(images)))
    to = apart(shuffled, images)
    if not siblings:
        to[shuffled.patient[:, None] == images.patient] = np.inf
    known = Ranking.of(to, images.patient, ranks=6)
    found = vector_ranking(shuffled, images, ranks=6, siblings=siblings, scale=1 / 32, device="cpu")
    np.testing.assert_allclose(found.distance, known.distance, rtol=1e-5)
    assert np.array_equal(found.patient, known.patient)
    assert np.array_equal(found.image, known.image)
    assert (found.distance[:, 0] == 0).all() == siblings


def test_near_copies_are_right_in_a_stream():
    rng = np.random.default_rng(1)
    originals = rng.random((30, 1, 64, 64), dtype=np.float32)
    size = np.geomspace(1e-6, 0.1, 30)[:, None, None, None]
    copies = (originals + size * rng.standard_normal(originals.shape)).astype(np.float32)
    found = streamed(copies, originals, np.arange(30), ranks=3, device="cpu")
    reference = cdist(*(x.reshape(30, -1).astype(np.float64) for x in (copies, originals)))
    np.testing.assert_allclose(found.distance, np.sort(reference, axis=1)[:, :3], rtol=1e-5)


def test_fewer_patients_than_ranks_leave_gaps_only_where_somebody_is_left_out(make_patients):
    images = make_patients("m", 5, images=3)
    found = vector_ranking(images, images, ranks=48, siblings=False, device="cpu")
    assert found.distance.shape == (15, 5)
    assert np.isinf(found.distance[:, 4]).all()
    assert (found.patient[:, 4] == -1).all()
    assert np.isfinite(found.distance[:, :4]).all()
    nobody = vector_ranking(images.take(slice(0, 0)), images, device="cpu")
    assert nobody.distance.shape == (0, 5)


def test_pages_of_a_read_only_map_are_given_back_and_those_of_a_writable_one_are_kept(tmp_path):
    np.save(tmp_path / "pixels.npy", np.ones((4, 1, 8, 8), np.float32))
    private = np.load(tmp_path / "pixels.npy", mmap_mode="c")
    private[0] = 5
    read = np.load(tmp_path / "pixels.npy", mmap_mode="r")
    for array in (private, private[1:], read, read[1:], np.ones(3, np.float32)):
        forget(array)
    assert (private[0] == 5).all()
    assert (read == 1).all()


def test_a_stream_of_memory_maps_is_the_same_as_one_of_arrays(make_patients, tmp_path):
    images = make_patients("m", 6)
    np.save(tmp_path / "pixels.npy", images.pixels)
    mapped = np.load(tmp_path / "pixels.npy", mmap_mode="r")
    options = {"ranks": 4, "device": "cpu", "block": (5, 4)}
    found, known = (streamed(x, x, np.arange(12), **options) for x in (mapped, images.pixels))
    assert np.array_equal(found.distance, known.distance)
    assert np.array_equal(found.image, known.image)
