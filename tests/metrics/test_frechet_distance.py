import numpy as np
import pytest
from scipy.linalg import sqrtm

from privbench.metrics.frechet_distance import Gaussian, frechet_distance
from privbench.metrics.kernel_distance import KernelDistance
from privbench.metrics.manifold import manifold


@pytest.mark.parametrize(("n", "m", "d"), [(200, 150, 8), (12, 9, 30), (40, 8, 20)])
def test_the_distance_agrees_with_scipys_matrix_square_root(n, m, d):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)), rng.normal(1, 2, size=(m, d))
    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    gap = a.mean(0) - b.mean(0)
    expected = gap @ gap + np.trace(ca) + np.trace(cb) - 2 * np.trace(sqrtm(ca @ cb)).real
    assert frechet_distance(Gaussian.fit(a), Gaussian.fit(b)) == pytest.approx(expected, rel=1e-5)


def test_the_distance_of_two_axis_aligned_gaussians_has_a_closed_form():
    a = Gaussian.from_moments(np.array([1.0, 2.0]), np.diag([4.0, 9.0]))
    b = Gaussian.from_moments(np.array([0.0, 0.0]), np.diag([1.0, 25.0]))
    assert frechet_distance(a, b) == pytest.approx(1 + 4 + (2 - 1) ** 2 + (3 - 5) ** 2)


def test_a_weight_of_two_is_the_image_twice():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(10, 4)), rng.normal(size=(9, 4))
    weights = rng.integers(0, 3, 10)
    twice = frechet_distance(Gaussian.fit(np.repeat(a, weights, axis=0)), Gaussian.fit(b))
    assert frechet_distance(Gaussian.fit(a, weights.astype(float)), Gaussian.fit(b)) == pytest.approx(twice)


def test_kid_agrees_with_a_double_loop():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(7, 3)), rng.normal(1, 1, size=(6, 3))

    def kernel(x, y):
        return (x @ y / 3 + 1) ** 3

    within = [
        sum(kernel(s[i], s[j]) for i in range(len(s)) for j in range(len(s)) if i != j) / (len(s) * (len(s) - 1))
        for s in (a, b)
    ]
    expected = sum(within) - 2 * sum(kernel(x, y) for x in a for y in b) / 42
    distance = KernelDistance(a, b, np.arange(7).astype(str), np.arange(6).astype(str))
    assert distance(np.ones(7), np.ones(6)) == pytest.approx(expected)


def test_kid_of_one_distribution_is_zero_on_average_though_images_cluster_by_patient():
    rng = np.random.default_rng(3)
    patient = np.repeat(np.arange(20), 4).astype(str)
    found = []
    for _ in range(200):
        a, b = (np.repeat(rng.normal(size=(20, 2)), 4, axis=0) + 0.1 * rng.normal(size=(80, 2)) for _ in range(2))
        found.append(KernelDistance(a, b, patient, patient)(np.ones(80), np.ones(80)))
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(200)


def test_precision_recall_density_and_coverage_follow_their_definitions():
    rng = np.random.default_rng(4)
    real, synthetic, k = rng.normal(size=(12, 2)), rng.normal(1, 1, size=(10, 2)), 3

    def inside(points, centers):
        hits = np.zeros((len(centers), len(points)), bool)
        for i, center in enumerate(centers):
            radius = sorted(np.linalg.norm(center - c) for j, c in enumerate(centers) if j != i)[k - 1]
            hits[i] = [np.linalg.norm(center - p) <= radius for p in points]
        return hits

    found = manifold(real, synthetic, np.arange(12).astype(str), np.arange(10).astype(str), k)
    hits, back = inside(synthetic, real), inside(real, synthetic)
    assert found.precision.mean() == pytest.approx(hits.any(0).mean())
    assert found.density.mean() == pytest.approx(hits.sum() / (k * 10))
    assert found.coverage.mean() == pytest.approx(hits.any(1).mean())
    assert found.recall.mean() == pytest.approx(back.any(0).mean())
