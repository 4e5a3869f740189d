"""Scoring pairs of embedded images, and searching a gallery: 2,000 queries, 5,000 images of 1,250 patients."""

import numpy as np
import pytest
import torch
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from torch.nn import functional

from privbench.attacks.verifier import EMBEDDING, Verifier
from privbench.audit.context import Context
from privbench.audit.statistics.retrieval import Searches
from privbench.audit.types import GalleryScores
from privbench.testing.memory import peak_bytes

QUERIES, GALLERY, IMAGES = 2000, 5000, 4
ROUNDS = {"rounds": 3, "warmup_rounds": 1, "iterations": 1}


@pytest.fixture(scope="module")
def embedded():
    """Embeddings in (0, 1) of queries and gallery."""
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.rand((n, EMBEDDING), generator=generator) for n in (QUERIES, GALLERY))


@pytest.fixture(scope="module")
def verifier():
    with Context().torch_scope("weights"):
        return Verifier(1, 8)


@pytest.fixture(scope="module")
def patients():
    """Whom queries and gallery show."""
    gallery = np.repeat(np.arange(GALLERY // IMAGES), IMAGES)
    return np.random.default_rng(0).choice(gallery, QUERIES), gallery


def test_pairs(benchmark, verifier, embedded):
    """Weighted city-block distances of all pairs."""
    verifier.compared(*(rows[:8] for rows in embedded))  # what torch imports first is not the verifier's
    benchmark.extra_info["peak_mb"] = peak_bytes(lambda: verifier.compared(*embedded)) / 2**20
    scores = benchmark.pedantic(verifier.compared, embedded, **ROUNDS)
    assert scores.shape == (QUERIES, GALLERY)


def test_pairs_by_broadcasting(benchmark, verifier, embedded):
    """The same from |a - b|, 64 rows at a time."""
    queries, gallery = embedded
    weight = functional.softplus(verifier.weight.detach())

    def compared():
        parts = [(part[:, None] - gallery[None]).abs() @ weight for part in torch.split(queries, 64)]
        return (verifier.bias.detach() - torch.cat(parts)).numpy()

    expected = benchmark.pedantic(compared, **ROUNDS)
    np.testing.assert_allclose(verifier.compared(*embedded), expected, atol=1e-3)


def test_retrieval(benchmark, verifier, embedded, patients):
    """mAP@R, R-precision and P@1 of every query, from similarities."""
    query, gallery = (names.astype(str) for names in patients)
    search = GalleryScores("", verifier.compared(*embedded), query, gallery)

    def retrieved():
        searches, _ = Searches.of(search)
        return searches.figures()

    found = benchmark.pedantic(retrieved, **ROUNDS)
    assert found.shape == (3, QUERIES)


def test_retrieval_by_pytorch_metric_learning(benchmark, embedded, patients):
    """Their means, from embeddings, with its own search."""
    names = ("mean_average_precision_at_r", "r_precision", "precision_at_1")
    calculator = AccuracyCalculator(include=names, k="max_bin_count", device=torch.device("cpu"))
    query, gallery = (torch.from_numpy(names) for names in patients)
    found = benchmark.pedantic(calculator.get_accuracy, (embedded[0], query, embedded[1], gallery), **ROUNDS)
    assert len(found) == len(names)
