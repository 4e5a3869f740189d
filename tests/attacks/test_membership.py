from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score

from privbench.attacks.gan_leaks import gan_leaks
from privbench.attacks.loss import loss
from privbench.audit.errors import AccessError
from privbench.audit.target import Access, Queries, Target
from privbench.audit.types import ImageSet, concatenate


@pytest.fixture(scope="module")
def candidates(make_patients):
    return concatenate(make_patients("m", 20), make_patients("h", 20))


@pytest.fixture(scope="module")
def is_member(candidates):
    return np.char.startswith(candidates.patient, "m")


@dataclass(frozen=True)
class Exact:
    """The denoiser of a model that has learned its training images by heart: the posterior mean over them alone.

    It is exactly what minimises the training loss, so a member's loss is as low as it can be.
    """

    images: torch.Tensor
    calls: list[int]

    @property
    def alphas_cumprod(self) -> torch.Tensor:
        return torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)

    def prepare(self, images: ImageSet) -> Queries:
        return Queries(torch.from_numpy(images.pixels.copy()), (torch.ones(len(images)),))

    def predict_noise(self, x_t: torch.Tensor, t: torch.Tensor, condition: tuple[torch.Tensor, ...]) -> torch.Tensor:
        assert len(condition[0]) == len(x_t)
        self.calls.append(len(x_t))
        abar = self.alphas_cumprod[t].float()[:, None]
        flat, known = x_t.flatten(1), self.images.flatten(1)
        squared = (flat[:, None] - abar[..., None].sqrt() * known[None]).square().sum(2)
        mean = torch.softmax(-squared / (2 * (1 - abar)), dim=1) @ known
        return ((flat - abar.sqrt() * mean) / (1 - abar).sqrt()).reshape(x_t.shape)


@pytest.fixture
def memorizer(candidates, is_member):
    exact = Exact(torch.from_numpy(candidates.pixels[is_member]), [])
    return exact, Target(candidates.take(slice(0, 2)), Access.DENOISER, open_denoiser=lambda: exact)


def test_gan_leaks_is_minus_the_distance_to_the_nearest_sample(candidates, auxiliary):
    samples = candidates.take(slice(0, 60, 7))
    flat = [x.pixels.reshape(len(x), -1).astype(np.float64) for x in (candidates, samples, auxiliary.reference)]
    to_samples, to_reference = (cdist(flat[0], f).min(1) / 32 for f in flat[1:])
    plain = gan_leaks(Target(samples), candidates, auxiliary, calibrated=False).score
    calibrated = gan_leaks(Target(samples), candidates, auxiliary, calibrated=True).score
    np.testing.assert_allclose(plain, -to_samples, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(calibrated, to_reference - to_samples, rtol=1e-6, atol=1e-12)
    assert np.all(plain[::7][: len(samples)] == 0)


@pytest.mark.parametrize("calibrated", [False, True])
def test_copied_members_score_highest_and_fresh_patients_say_nothing(
    candidates, is_member, auxiliary, make_patients, calibrated
):
    copied = candidates.take(is_member).take(slice(0, None, 2))
    noisy = replace(copied, pixels=copied.pixels + np.float32(0.01))
    leak = gan_leaks(Target(noisy), candidates, auxiliary, calibrated=calibrated).score
    assert roc_auc_score(is_member, leak) > 0.95
    fresh = gan_leaks(Target(make_patients("f", 40)), candidates, auxiliary, calibrated=calibrated).score
    by_patient = fresh.reshape(-1, 2).max(1)
    assert 0.5 - 4 * 0.093 < roc_auc_score(is_member[::2], by_patient) < 0.5 + 4 * 0.093  # sd of U for 20 and 20


def test_loss_finds_the_members_of_a_model_that_learned_them_by_heart(candidates, is_member, memorizer, auxiliary):
    score = loss(memorizer[1], candidates, auxiliary).score
    assert score.shape == (len(candidates),)
    assert np.all(score < 0)
    assert roc_auc_score(is_member, score) > 0.99


def test_loss_agrees_with_its_formula_and_with_every_batch_size(candidates, memorizer, auxiliary):
    exact, target = memorizer
    some = candidates.take(slice(0, 40, 5))
    found = loss(target, some, auxiliary, timesteps=1, noises=2, batch=3).score
    eps = [torch.randn((1, 32, 32), generator=auxiliary.shared.torch_rng("noise", "500", k)) for k in "01"]
    x0, abar = torch.from_numpy(some.pixels.copy()), float(exact.alphas_cumprod[500])
    at, condition = torch.full((len(some),), 500), (torch.ones(len(some)),)
    errors = [
        (exact.predict_noise(abar**0.5 * x0 + (1 - abar) ** 0.5 * e, at, condition) - e).square().mean((1, 2, 3))
        for e in eps
    ]
    np.testing.assert_allclose(found, -torch.stack(errors).mean(0).numpy(), rtol=1e-4)


def test_loss_asks_the_network_no_more_often_than_it_must(candidates, memorizer, auxiliary):
    exact, target = memorizer
    loss(target, candidates, auxiliary, timesteps=3, noises=2, batch=50)
    assert exact.calls == [50, 50, 50, 10] * 3, "80 candidates and 2 noises at each of 3 levels"


def test_the_same_seed_gives_the_same_bits_in_any_order_of_candidates(candidates, memorizer, auxiliary):
    order = np.random.default_rng(2).permutation(len(candidates))
    before = candidates.pixels.copy()
    target = memorizer[1]
    first, again = (loss(target, candidates, auxiliary).score for _ in range(2))
    assert np.array_equal(first, again)
    np.testing.assert_allclose(loss(target, candidates.take(order), auxiliary).score, first[order], rtol=1e-3)
    leaks = gan_leaks(target, candidates, auxiliary).score
    assert np.array_equal(gan_leaks(target, candidates.take(order), auxiliary).score, leaks[order])
    assert np.array_equal(before, candidates.pixels)


def test_loss_says_what_it_needs_of_a_target_that_only_gives_samples(candidates, auxiliary):
    with pytest.raises(AccessError, match="needs DENOISER, folder grants SAMPLES"):
        loss(Target(candidates, generator="folder"), candidates, auxiliary)
