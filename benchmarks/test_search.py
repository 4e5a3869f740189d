"""The exact search of an audit against scikit-learn and numpy: 2,000 queries, 5,000 references, 4,096 pixels."""

from functools import partial

import numpy as np
import pytest

from privbench.attacks import spaces
from privbench.attacks.search import nearest_distance, patient_ranking
from privbench.audit.types import RANKS, ImageSet

QUERIES, REFERENCES, SIDE, IMAGES = 2000, 5000, 64, 4
ROUNDS = {"rounds": 3, "warmup_rounds": 1, "iterations": 1}


@pytest.fixture(scope="module")
def pixels():
    """Queries and references; every tenth query is a near-copy, where float32 products lose the distance."""
    rng = np.random.default_rng(0)
    references = rng.random((REFERENCES, 1, SIDE, SIDE), np.float32)
    queries = rng.random((QUERIES, 1, SIDE, SIDE), np.float32)
    queries[::10] = references[:QUERIES:10] + rng.normal(0, 1e-4, (QUERIES // 10, 1, SIDE, SIDE)).astype(np.float32)
    return queries.clip(0, 1), references


@pytest.fixture(scope="module")
def flat(pixels):
    return [x.reshape(len(x), -1) for x in pixels]


@pytest.fixture(scope="module")
def copies(pixels):
    """The distances of the near-copies, in float64."""
    queries, references = (x[:QUERIES:10].astype(np.float64) for x in pixels)
    return np.sqrt(np.square(queries - references).mean(axis=(1, 2, 3)))


def error(found, copies):
    """The worst relative error at a near-copy."""
    return float(np.abs(found[::10] / copies - 1).max())


def test_patient_ranking(benchmark, pixels, copies):
    """Every query to every patient's nearest image, right to 1e-5: what `nearest` asks for."""
    queries, references = pixels
    asked = ImageSet(queries, np.array([f"q{i}" for i in range(QUERIES)]))
    searched = ImageSet(references, np.repeat([f"p{i:04d}" for i in range(REFERENCES // IMAGES)], IMAGES))
    compare = partial(spaces.pixels, device="cpu")
    found = benchmark.pedantic(patient_ranking, (asked, searched, compare), **ROUNDS)
    assert found.distance.shape == (QUERIES, RANKS)
    benchmark.extra_info["error_at_a_copy"] = error(found.distance[:, 0], copies)


def test_nearest_distance(benchmark, pixels, copies):
    """FAISS, its proposals recomputed: what `gan-leaks` asks for."""
    found = benchmark.pedantic(nearest_distance, pixels, **ROUNDS)
    benchmark.extra_info["error_at_a_copy"] = error(found, copies)


def test_scikit_learn_brute_force(benchmark, flat, copies):
    from sklearn.neighbors import NearestNeighbors

    queries, references = flat
    searcher = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(references)
    found, _ = benchmark.pedantic(searcher.kneighbors, (queries,), **ROUNDS)
    benchmark.extra_info["error_at_a_copy"] = error(found[:, 0] / SIDE, copies)


def test_numpy(benchmark, flat, copies):
    """The same product without the correction of near-copies."""
    queries, references = flat

    def search():
        squared = np.square(queries).sum(1)[:, None] + np.square(references).sum(1) - 2 * queries @ references.T
        return np.sqrt(np.maximum(squared.min(axis=1), 0)) / SIDE

    benchmark.extra_info["error_at_a_copy"] = error(benchmark.pedantic(search, **ROUNDS), copies)
