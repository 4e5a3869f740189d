"""Each attack's scores against a direct transcription of its paper's formula, in float64."""

from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from privbench.attacks.conditional_gap import conditional_gap
from privbench.attacks.loss import loss
from privbench.attacks.pfami import pfami
from privbench.attacks.pia import pia
from privbench.attacks.pian import pian
from privbench.attacks.secmi import secmi
from privbench.audit.errors import SkippedError
from privbench.audit.target import Access, Queries, Target
from privbench.audit.types import ImageSet
from privbench.generators.latent.diffusion import NoisePredictor, UNetShape, alphas_cumprod

N, SIDE = 6, 16


@dataclass(frozen=True, eq=False)
class Network:
    """A random U-Net in some precision: epsilon, whatever it puts out."""

    unet: NoisePredictor
    dtype: torch.dtype
    alphas_cumprod: torch.Tensor

    def prepare(self, images: ImageSet) -> Queries:
        label = torch.zeros(len(images), dtype=torch.long) if images.label is None else torch.tensor(images.label)
        return Queries(2 * torch.tensor(images.pixels, dtype=self.dtype) - 1, (label,))

    def unconditional(self, condition):
        return (torch.full_like(condition[0], 2),)

    def predict_noise(self, x_t, t, condition):
        return self.unet.noise(x_t, t, condition[0])


@pytest.fixture(scope="module", params=["epsilon", "v"])
def unet(request):
    with torch.random.fork_rng():
        torch.manual_seed(5)
        made = NoisePredictor(
            UNetShape(latent_channels=1, spatial=(SIDE, SIDE), channels=16, classes=2, prediction=request.param)
        )
        for p in made.parameters():
            p.data += 0.02 * torch.randn_like(p)  # biases and norms of a trained network are not zeros and ones
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def candidates(make_patients):
    return replace(make_patients("c", N, images=1, side=SIDE), label=np.arange(N) % 2)


@pytest.fixture
def target(unet, candidates):
    network = Network(unet.float(), torch.float32, alphas_cumprod())
    return Target(candidates.take(slice(0, 0)), Access.DENOISER, open_denoiser=lambda: network)


@pytest.fixture
def exact(unet, candidates):
    """eps_theta in float64, with the candidates and the schedule."""
    double = deepcopy(unet).double()
    x_0, label = 2 * torch.tensor(candidates.pixels, dtype=torch.float64) - 1, torch.tensor(candidates.label)

    @torch.no_grad()
    def eps(x, t, told=label):
        return double.noise(x, torch.full((len(x),), t), told)

    return x_0, eps, alphas_cumprod()


def assert_agrees(found, expected):
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4)


def noises(auxiliary, t, count):
    return [
        torch.randn((1, SIDE, SIDE), generator=auxiliary.shared.torch_rng("noise", str(t), str(k))).double()
        for k in range(count)
    ]


def errors(auxiliary, exact, t, count, x_0=None, **told):
    own, eps, abar = exact
    x_0 = own if x_0 is None else x_0
    return torch.stack(
        [
            (e - eps(abar[t].sqrt() * x_0 + (1 - abar[t]).sqrt() * e, t, **told)).square().mean((1, 2, 3))
            for e in noises(auxiliary, t, count)
        ]
    )


def test_loss(target, candidates, auxiliary, exact):
    expected = torch.stack([errors(auxiliary, exact, t, 2).mean(0) for t in (250, 750)]).mean(0)
    assert_agrees(loss(target, candidates, auxiliary, timesteps=2, noises=2).score, -expected)


def test_secmi(target, candidates, auxiliary, exact):
    x_0, eps, abar = exact

    def phi(x, t, then):
        """Equation 9 of the paper: a deterministic step, either way."""
        e = eps(x, t)
        x_0 = (x - (1 - abar[t]).sqrt() * e) / abar[t].sqrt()
        return abar[then].sqrt() * x_0 + (1 - abar[then]).sqrt() * e

    x_t = x_0
    for now, then in pairwise(range(0, 101, 10)):
        x_t = phi(x_t, now, then)
    back = phi(phi(x_t, 100, 110), 110, 100)
    assert_agrees(secmi(target, candidates, auxiliary).score, -(back - x_t).flatten(1).norm(dim=1).square())


def test_pia(target, candidates, auxiliary, exact):
    x_0, eps, abar = exact
    own = eps(x_0, 0)
    found = eps(abar[200].sqrt() * x_0 + (1 - abar[200]).sqrt() * own, 200)
    assert_agrees(pia(target, candidates, auxiliary).score, -(own - found).abs().pow(4).sum((1, 2, 3)).pow(1 / 4))


def test_pian(target, candidates, auxiliary, exact):
    x_0, eps, abar = exact
    own = eps(x_0, 0)
    own = own / own.abs().mean((1, 2, 3), keepdim=True) * np.sqrt(2 / np.pi)
    found = eps(abar[200].sqrt() * x_0 + (1 - abar[200]).sqrt() * own, 200)
    assert_agrees(pian(target, candidates, auxiliary).score, -(own - found).abs().pow(4).sum((1, 2, 3)).pow(1 / 4))


def test_pfami(target, candidates, auxiliary, exact):
    own = errors(auxiliary, exact, 100, 2).mean(0)
    expected = torch.zeros_like(own)
    for side in (15, 13):  # of 16, the nearest to 95% and 80%
        start = (SIDE - side) // 2
        crop = torch.tensor(candidates.pixels)[..., start : start + side, start : start + side].double()
        copy = torch.nn.functional.interpolate(crop, size=(SIDE, SIDE), mode="bilinear").clamp(0, 1)
        beside = errors(auxiliary, exact, 100, 2, 2 * copy - 1).mean(0)
        expected += (beside - own) / own / 2
    found = pfami(target, candidates, auxiliary, copies=2, noises=2).score
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_conditional_gap(target, candidates, auxiliary, exact):
    free = torch.full((N,), 2)
    gaps = [errors(auxiliary, exact, t, 2, told=free) - errors(auxiliary, exact, t, 2) for t in (100, 300, 500)]
    expected = torch.stack(gaps).mean((0, 1)).numpy()
    found = conditional_gap(target, candidates, auxiliary, noises=2).score
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * float(errors(auxiliary, exact, 100, 2).mean()))


def test_conditional_gap_is_skipped_where_candidates_have_no_label(target, candidates, auxiliary):
    network = target.denoiser()

    class Untold(Network):
        def prepare(self, images):
            return Queries(2 * torch.tensor(images.pixels) - 1, (torch.full((len(images),), 2),))

    untold = Untold(network.unet, torch.float32, network.alphas_cumprod)
    with pytest.raises(SkippedError, match="told nothing of the candidates: they have no label"):
        conditional_gap(replace(target, open_denoiser=lambda: untold), candidates, auxiliary, noises=1)


def test_conditional_gap_is_skipped_where_the_model_has_no_unconditional_form(target, candidates, auxiliary):
    class Bound(Network):
        unconditional = None

    network = target.denoiser()
    bound = Bound(network.unet, torch.float32, network.alphas_cumprod)
    with pytest.raises(SkippedError, match="has no unconditional form"):
        conditional_gap(replace(target, open_denoiser=lambda: bound), candidates, auxiliary)
