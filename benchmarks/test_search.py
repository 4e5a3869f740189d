"""The exact search of an audit against FAISS, scikit-learn and numpy, and its memory on maps of growing size.

By default 2,000 queries, 5,000 references, 4,096 pixels. The sizes to state, each in a process of its own:
``python benchmarks/searching.py top 10000 50000`` (seconds against FAISS with exactly computed distances, memory beyond
the images) and ``python benchmarks/searching.py attack 200000 50000`` (resident memory of ``nearest``; 13 GB of disk).
"""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from privbench.attacks import spaces
from privbench.attacks.search import nearest_distance, patient_ranking
from privbench.attacks.streaming import vector_ranking
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


def searching(*arguments):
    """What ``searching.py`` prints."""
    command = [sys.executable, str(Path(__file__).with_name("searching.py")), *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_the_five_nearest_against_faiss(benchmark):
    """Both in one process; extra_info holds the ratios of time and the memory beyond the images."""
    found = benchmark.pedantic(searching, ("top", QUERIES, REFERENCES), rounds=1)
    assert found["error"] < 1e-6
    benchmark.extra_info.update(found)


@pytest.mark.parametrize(("samples", "candidates"), [(4000, 2000), (8000, 2000), (4000, 4000)])
def test_the_attack_on_memory_maps(benchmark, samples, candidates):
    """`nearest` in the space of pixels: seconds double with either side, memory does not."""
    benchmark.extra_info.update(benchmark.pedantic(searching, ("attack", samples, candidates), rounds=1))


def test_vector_ranking(benchmark, pixels, copies):
    """Every query to the 48 nearest patients in a stream, right to 1e-5: what `nearest` asks for."""
    queries, references = pixels
    asked = ImageSet(queries, np.array([f"q{i}" for i in range(QUERIES)]))
    searched = ImageSet(references, np.repeat([f"p{i:04d}" for i in range(REFERENCES // IMAGES)], IMAGES))
    options = {"scale": 1 / SIDE, "device": "cpu"}
    found = benchmark.pedantic(vector_ranking, (asked, searched), options, rounds=3, warmup_rounds=1)
    assert found.distance.shape == (QUERIES, RANKS)
    benchmark.extra_info["error_at_a_copy"] = error(found.distance[:, 0], copies)


def test_patient_ranking(benchmark, pixels, copies):
    """The same by a space that gives every distance: what `nearest` asks for where there are no vectors."""
    queries, references = pixels
    asked = ImageSet(queries, np.array([f"q{i}" for i in range(QUERIES)]))
    searched = ImageSet(references, np.repeat([f"p{i:04d}" for i in range(REFERENCES // IMAGES)], IMAGES))
    compare = partial(spaces.pixels, device="cpu")
    found = benchmark.pedantic(patient_ranking, (asked, searched, compare), **ROUNDS)
    assert found.distance.shape == (QUERIES, RANKS)
    benchmark.extra_info["error_at_a_copy"] = error(found.distance[:, 0], copies)


def test_nearest_distance(benchmark, pixels, copies):
    """The nearest two, computed again: what `gan-leaks` asks for."""
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
