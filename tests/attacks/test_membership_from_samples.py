"""Monte Carlo, LOGAN and DOMIAS: the papers' formulas, what they find, and whom they leave alone."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KernelDensity

from privbench.attacks.density import WIDTHS, likeliest_bandwidth, log_density
from privbench.attacks.domias import domias
from privbench.attacks.kernel_logistic import fit_kernel_logistic
from privbench.attacks.logan import logan
from privbench.attacks.monte_carlo import monte_carlo
from privbench.attacks.vectors import spacing, vectors_in
from privbench.audit.context import Auxiliary, Context
from privbench.audit.errors import BadInputError
from privbench.audit.memory import Memory
from privbench.audit.target import Target
from privbench.audit.types import concatenate

ATTACKS = {"monte-carlo": monte_carlo, "logan": logan, "domias": domias}


class InMemory:
    """A keeper for these tests: networks are trained once."""

    def __init__(self):
        self.kept = {}

    def __call__(self, path, inputs, make):
        content = tuple(x if isinstance(x, str | float | int) else x.pixels.tobytes() for x in inputs)
        key = path, content
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]


@pytest.fixture(scope="module")
def candidates(make_patients):
    return concatenate(make_patients("m", 20), make_patients("h", 20))


@pytest.fixture(scope="module")
def is_member(candidates):
    return np.char.startswith(candidates.patient, "m")


@pytest.fixture(scope="module")
def aux(make_patients):
    keeper = InMemory()
    return Auxiliary(make_patients("r", 40), None, Context(seed=3, path=("attack", "test"), keeper=keeper), keeper)


@pytest.fixture(scope="module")
def copies(candidates, is_member, make_patients):
    """Releases half of which are altered copies of members' first images."""
    first = candidates.take(is_member).take(slice(0, None, 2))
    noise = np.random.default_rng(0).normal(0, 0.05, first.pixels.shape).astype(np.float32)
    changed = {
        "exact": first.pixels,
        "noisy": first.pixels + noise,
        "recoloured": (0.9 * first.pixels**1.2 + np.float32(0.03)),
    }
    fresh = make_patients("f", 20, images=1)
    return {kind: concatenate(replace(first, pixels=pixels), fresh) for kind, pixels in changed.items()}


def flat(images):
    return images.pixels.reshape(len(images), -1).astype(np.float64)


@pytest.mark.parametrize("space", ["pca", "embedding"])
@pytest.mark.parametrize("kind", ["exact", "noisy", "recoloured"])
@pytest.mark.parametrize("name", ATTACKS)
def test_copied_members_score_highest(candidates, is_member, aux, copies, name, kind, space):
    score = ATTACKS[name](Target(copies[kind]), candidates, aux, space=space, steps=60).score
    assert roc_auc_score(is_member, score) > 0.8


@pytest.mark.parametrize("space", ["pca", "embedding", "pixels"])
@pytest.mark.parametrize("name", ATTACKS)
def test_fresh_patients_accuse_nobody(candidates, is_member, aux, make_patients, name, space):
    aucs = []
    for seed in range(6):
        fresh = Target(make_patients("f", 30, seed=seed))
        score = ATTACKS[name](fresh, candidates, aux, space=space, steps=60).score
        aucs.append(roc_auc_score(is_member[::2], score.reshape(-1, 2).max(1)))
    assert abs(np.mean(aucs) - 0.5) < 4 * 0.093, "sd of U for 20 and 20; the patients are the same six times"
    assert np.ptp(aucs) > 0


@pytest.mark.parametrize("name", ATTACKS)
def test_what_it_remembers_of_other_releases_changes_nothing(candidates, aux, copies, name):
    used, fresh = (replace(aux, memory=Memory()) for _ in range(2))
    for kind in ("noisy", "exact"):
        last = ATTACKS[name](Target(copies[kind]), candidates, used, space="embedding", steps=60).score
    alone = ATTACKS[name](Target(copies["exact"]), candidates, fresh, space="embedding", steps=60).score
    np.testing.assert_allclose(last, alone, rtol=1e-4, atol=1e-6)
    again = ATTACKS[name](
        Target(copies["exact"]), candidates, replace(aux, memory=Memory()), space="embedding", steps=60
    )
    assert np.array_equal(alone, again.score)


@pytest.mark.parametrize("space", ["pca", "embedding", "pixels"])
@pytest.mark.parametrize("name", ATTACKS)
def test_an_empty_release_is_refused(candidates, aux, name, space):
    with pytest.raises(BadInputError, match="no images to compare\nrelease at least one image"):
        ATTACKS[name](Target(candidates.take(slice(0, 0))), candidates, aux, space=space, steps=60)


def test_monte_carlo_is_the_weighted_count_of_samples_within_epsilon(candidates, aux, make_patients):
    samples = make_patients("f", 60)
    distance = cdist(flat(candidates), flat(samples)) / 32
    epsilon = np.median(distance.min(1))
    weight = np.where(distance <= epsilon, np.log(epsilon / distance), 0).sum(1) / len(samples)
    score = monte_carlo(Target(samples), candidates, aux, space="pixels").score
    has = distance.min(1) < epsilon
    assert 0.4 < has.mean() < 0.6
    np.testing.assert_allclose(score[has], weight[has], rtol=1e-3)
    np.testing.assert_allclose(
        score[~has], np.log(epsilon / distance.min(1)[~has]) / len(samples), rtol=1e-3, atol=1e-9
    )
    assert len(np.unique(score)) == len(score), "no ties among those without a neighbour"


def test_monte_carlo_stands_a_release_of_all_candidates(candidates, aux):
    score = monte_carlo(Target(candidates), candidates, aux, space="pixels").score
    assert np.isfinite(score).all()


def test_the_classifier_agrees_with_scikit_learns():
    """A Gaussian process classifier's Laplace mode is kernel logistic regression with ridge 1 over its variance."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(0, 1, (60, 3)).astype(np.float32)
    positive = np.arange(60) < 30
    asked = rng.normal(0, 1, (20, 3)).astype(np.float32)
    ours = fit_kernel_logistic(vectors, positive, width=0.8, ridge=0.25, device="cpu").logit(asked, "cpu")
    kernel = ConstantKernel(4.0) * RBF(0.8)
    theirs = (
        GaussianProcessClassifier(kernel, optimizer=None, max_iter_predict=200).fit(vectors, positive).base_estimator_
    )
    expected = kernel(asked, vectors) @ (theirs.y_train_ - theirs.pi_)
    np.testing.assert_allclose(ours, expected, atol=2e-3)


def test_both_classes_weigh_the_same():
    rng = np.random.default_rng(1)
    vectors = rng.normal(0, 1, (200, 2)).astype(np.float32)
    positive = np.arange(200) < 20
    logit = fit_kernel_logistic(vectors, positive, width=2.0, ridge=1.0, device="cpu").logit(vectors, "cpu")
    assert abs(np.median(logit)) < 0.5, "not log(20 / 180) = -2.2"


def test_logan_says_when_synthetic_images_look_synthetic(candidates, aux, make_patients):
    fresh = make_patients("f", 30)
    dark = replace(fresh, pixels=fresh.pixels * np.float32(0.3))
    real, synthetic = (logan(Target(x), candidates, aux, space="pca").notes for x in (fresh, dark))
    assert not real
    assert "are told apart with an AUC of 1.00: scores speak of how synthetic an image looks" in synthetic[0]


def test_logan_deals_many_images_out_to_several_classifiers(candidates, is_member, aux, copies):
    score = logan(Target(copies["exact"]), candidates, aux, space="pca", images=12).score
    assert roc_auc_score(is_member, score) > 0.8


def test_domias_is_the_ratio_of_two_kernel_density_estimates(candidates, aux, make_patients):
    samples = make_patients("f", 30)
    score = domias(Target(samples), candidates, aux, bandwidth=0.7).score
    found = vectors_in("pca", Target(samples), candidates, aux, components=64, steps=1)
    estimates = [KernelDensity(bandwidth=0.7).fit(x) for x in (found.samples, found.reference)]
    expected = estimates[0].score_samples(found.candidates) - estimates[1].score_samples(found.candidates)
    np.testing.assert_allclose(score, expected, rtol=1e-4, atol=1e-4)


def test_principal_components_describe_the_reference_in_units_of_its_spread(candidates, aux):
    found = vectors_in("pca", Target(candidates), candidates, aux, components=64, steps=1)
    assert found.reference.shape == (80, 20), "half as many as there are reference patients"
    np.testing.assert_allclose(np.cov(found.reference.T), np.eye(20), atol=1e-3)
    assert np.abs(found.reference.mean(0)).max() < 1e-4


def test_the_bandwidth_is_the_likeliest_for_unseen_patients():
    rng = np.random.default_rng(2)
    points = (np.repeat(rng.normal(0, 1, (40, 2)), 3, axis=0) + rng.normal(0, 0.02, (120, 2))).astype(np.float32)
    patient = np.repeat([f"p{i:02d}" for i in range(40)], 3)
    scale = spacing(points, patient, "cpu")
    apart = patient[:, None] != patient[None]
    distance = np.where(apart, cdist(points, points), np.inf)
    assert scale == pytest.approx(np.median(distance.min(1)), rel=1e-5)

    def likelihood(width):
        others = (~apart).sum(1)
        density = np.exp(-((distance / width) ** 2) / 2).sum(1) / (120 - others) / width**2
        return np.log(density + 1e-300).sum()

    best = max(scale * WIDTHS, key=likelihood)
    assert likeliest_bandwidth(points, patient, Context(), "cpu") == pytest.approx(best)
    assert best > 0.1, "not the 0.02 by which siblings differ"


def test_densities_do_not_underflow():
    far = np.full((1, 4000), 3.0, np.float32)
    found = log_density(far, np.zeros((5, 4000), np.float32), 0.5, "cpu")
    np.testing.assert_allclose(found, -4000 * 9 / 0.5, rtol=1e-5)


def test_memory_computes_each_image_once_and_keeps_apart_what_has_another_name():
    asked = []

    def mean(pixels):
        asked.append(len(pixels))
        return pixels.mean((1, 2, 3))

    memory, pixels = Memory(), np.random.default_rng(0).random((6, 1, 4, 4), np.float32)
    first = memory.rows("mean", pixels[:4], mean)
    second = memory.rows("mean", pixels[[5, 1, 1, 0]], mean)
    memory.rows("other", pixels[:2], mean)
    np.testing.assert_array_equal(first, pixels[:4].mean((1, 2, 3)))
    np.testing.assert_array_equal(second, pixels[[5, 1, 1, 0]].mean((1, 2, 3)))
    assert asked == [4, 1, 2]
