"""mAP@R, R-precision and P@1 are pytorch-metric-learning's, and chance is what random rankings give."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

from privbench.audit.context import Context
from privbench.audit.measures.measured import Truth
from privbench.audit.measures.retrieval import measure_retrieval
from privbench.audit.statistics import retrieval
from privbench.audit.statistics.retrieval import Searches, chance_at_r
from privbench.audit.types import GalleryScores, ImageSet

NAMES = ("mean_average_precision_at_r", "r_precision", "precision_at_1")


def theirs(similarity, query, gallery):
    """pytorch-metric-learning's figures, with a search of the given similarities instead of its own of embeddings."""

    def search(rows, k, _reference, _includes_query):
        order = np.argsort(-similarity[rows[:, 0].long().numpy()], axis=1, kind="stable")[:, :k]
        return None, torch.from_numpy(order.copy())

    calculator = AccuracyCalculator(include=NAMES, k="max_bin_count", device=torch.device("cpu"), knn_func=search)
    places = torch.arange(len(query))[:, None], torch.arange(len(gallery))[:, None]
    found = calculator.get_accuracy(places[0], torch.tensor(query), places[1], torch.tensor(gallery))
    return [found[name] for name in NAMES]


def ours(similarity, query, gallery):
    searches, used = Searches.of(GalleryScores("", similarity, query.astype(str), gallery.astype(str)))
    return searches.figures().mean(axis=1), used


@pytest.mark.parametrize("decimals", [6, 1, 0])
def test_the_figures_are_those_of_pytorch_metric_learning_also_with_ties(decimals):
    rng = np.random.default_rng(decimals)
    gallery = rng.permutation(np.repeat(np.arange(20), rng.integers(1, 6, 20)))
    query = rng.integers(0, 20, 60)
    similarity = (rng.random((60, len(gallery))) + (query[:, None] == gallery)).round(decimals).astype(np.float32)
    assert decimals or len(np.unique(similarity)) == 3, "hardly anything but ties"
    np.testing.assert_allclose(ours(similarity, query, gallery)[0], theirs(similarity, query, gallery), atol=1e-12)


def test_queries_for_whom_nobody_is_there_are_left_out_as_there():
    rng = np.random.default_rng(1)
    gallery, query = np.repeat(np.arange(10), 2), rng.integers(5, 15, 40)
    similarity = rng.random((40, 20), dtype=np.float32)
    found, used = ours(similarity, query, gallery)
    assert used.tolist() == np.flatnonzero(query < 10).tolist()
    np.testing.assert_allclose(found, theirs(similarity, query, gallery), atol=1e-12)


def test_a_query_among_its_own_gallery_is_not_found_by_itself():
    rng = np.random.default_rng(2)
    names = np.repeat(np.arange(10), 4)
    points = rng.normal(size=(40, 3)).astype(np.float32) + names[:, None] * 0.3
    similarity = -np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(similarity, -np.inf)
    calculator = AccuracyCalculator(include=NAMES, device=torch.device("cpu"))
    expected = calculator.get_accuracy(torch.tensor(points), torch.tensor(names))
    np.testing.assert_allclose(ours(similarity, names, names)[0], [expected[name] for name in NAMES], atol=1e-6)


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(3)
    gallery, query = np.repeat(np.arange(10), 3), rng.integers(0, 10, 50)
    similarity = rng.random((50, 30), dtype=np.float32)
    whole = ours(similarity, query, gallery)[0]
    monkeypatch.setattr(retrieval, "BLOCK", 70)
    assert np.array_equal(whole, ours(similarity, query, gallery)[0])


@pytest.mark.parametrize(("gallery", "relevant"), [(12, 3), (5, 5), (7, 1), (1, 1)])
def test_chance_is_the_mean_over_random_rankings(gallery, relevant):
    rng = np.random.default_rng(0)
    patient = (np.arange(gallery) < relevant).astype(str)
    similarity = rng.random((20_000, gallery), dtype=np.float32)
    searches, _ = Searches.of(GalleryScores("", similarity, np.full(20_000, "True"), patient))
    np.testing.assert_allclose(searches.figures().mean(axis=1), chance_at_r(gallery, relevant), atol=0.01)
    np.testing.assert_allclose(searches.chance(), chance_at_r(gallery, relevant), rtol=1e-12)


def test_one_figure_is_chance_in_a_small_gallery_and_eleven_times_chance_in_a_large_one():
    # mAP@R of 0.0051 (mammograms, Informatics 2025, 12(4):112)
    assert chance_at_r(196, 1)[0] == pytest.approx(0.0051, abs=5e-5)
    assert 0.0051 / chance_at_r(4000, 3)[0] == pytest.approx(11, abs=0.2)


# ---- of released images -----------------------------------------------------------------------------------------

PATIENTS, IMAGES, SAMPLES = 24, 2, 96


def release(found, seed=0, centers=2, per_source=4):
    """Similarities of released images, of several a source, that find their source patient in a share ``found``."""
    rng = np.random.default_rng(seed)
    patient = np.repeat([f"p{i:02d}" for i in range(2 * PATIENTS)], IMAGES)
    member = np.arange(len(patient)) < PATIENTS * IMAGES
    center = np.array([f"c{int(p[1:]) % centers}" for p in patient])
    source = np.repeat([f"p{i:02d}" for i in range(PATIENTS)], per_source)
    candidates, samples = (np.zeros((len(names), 1, 1, 1), np.float32) for names in (patient, source))
    truth = Truth(
        ImageSet(candidates, patient, center=center), member, patient, ImageSet(samples, source, source=source)
    )
    right = (source[:, None] == patient) & (rng.random(len(source)) < found)[:, None]
    return (rng.random((len(source), len(patient))) + right).astype(np.float32), truth


def named(estimates):
    return {e.name: e for e in estimates}


def test_a_release_that_shows_its_sources_is_found_out():
    found = named(measure_retrieval(*release(0.5), Context()))
    gallery = PATIENTS * IMAGES
    for name, chance in zip(("map@r", "r_precision", "precision@1"), chance_at_r(gallery, IMAGES), strict=True):
        estimate, lift = found[name], found[f"{name}_lift"]
        assert estimate.null == pytest.approx(chance)
        assert estimate.low < estimate.value < estimate.high
        assert estimate.value == pytest.approx(0.5, abs=0.15)
        assert lift.value == pytest.approx(estimate.value / chance)
        assert lift.low > 5
        assert estimate.p_value <= 0.002
        assert estimate.n == SAMPLES
        assert "n/a" in estimate.note


def test_random_rankings_are_not_accused():
    p_values = [
        named(measure_retrieval(*release(0.0, seed), Context(seed=seed)))["map@r"].p_value for seed in range(20)
    ]
    # of 20 uniform draws more than 4 lie below 0.05 with probability 0.003
    assert sum(p < 0.05 for p in p_values) <= 4


def test_images_of_one_source_that_only_resemble_one_another_are_not_accused():
    def p_value(seed):
        similarity, truth = release(0.0, seed, per_source=8)
        shared = similarity[::8].repeat(8, axis=0)  # eight images of a source rank the gallery alike
        return named(measure_retrieval(shared, truth, Context(seed=seed)))["map@r"].p_value

    assert sum(p_value(seed) < 0.05 for seed in range(20)) <= 4


def test_images_that_show_the_right_centre_beat_a_random_ranking_and_are_not_accused():
    def shown(seed):
        similarity, truth = release(0.0, seed, centers=6)
        centers = dict(zip(truth.patient, truth.candidates.center, strict=True))
        same = np.array([centers[s] for s in truth.samples.source])[:, None] == truth.candidates.center
        return named(measure_retrieval(similarity + same, truth, Context(seed=seed)))["map@r"]

    found = [shown(seed) for seed in range(20)]
    assert all(e.low > e.null for e in found)
    assert sum(e.p_value < 0.05 for e in found) <= 4


def test_without_known_sources_there_is_no_figure():
    similarity, truth = release(0.5)
    for source in (None, np.full(SAMPLES, ""), np.full(SAMPLES, "p40")):  # p40 is a holdout patient
        nowhere = replace(truth, samples=replace(truth.samples, source=source))
        (found,) = measure_retrieval(similarity, nowhere, Context())
        assert found.value is None
        assert "source" in found.note or "record" in found.note
