"""Denoiser attacks on 2,000 candidates against the bare network evaluations that they need, in the same run."""

import time

import numpy as np
import pytest
import torch

from privbench.attacks.loss import loss
from privbench.attacks.pia import pia
from privbench.attacks.secmi import secmi
from privbench.audit.context import Auxiliary, Context
from privbench.audit.target import Access, Queries, Target
from privbench.audit.types import ImageSet
from privbench.generators.latent.diffusion import LatentDenoiser, NoisePredictor, UNetShape, alphas_cumprod

CANDIDATES, SIDE, BATCH = 2000, 8, 128
EVALUATIONS = {"pia": 2, "secmi": 4, "loss": 4}
OPTIONS = {"secmi": {"stride": 0.05}, "loss": {"timesteps": 2, "noises": 2}}
ATTACKS = {"pia": pia, "secmi": secmi, "loss": loss}
ROUNDS = 2


@pytest.fixture(scope="module")
def denoiser():
    """A U-Net of ldm's default width on 8x8 latents of 4 channels, which stand in for encoded images."""
    with Context().torch_scope("weights"):
        shape = UNetShape(latent_channels=4, spatial=(SIDE, SIDE), channels=32)
        unet = NoisePredictor(shape).eval().requires_grad_(False)

    def encode(images):
        return Queries(torch.tensor(images.pixels), (torch.zeros(len(images), dtype=torch.long),))

    return LatentDenoiser(encode, lambda x, t, c: unet.noise(x, t, c[0]), alphas_cumprod(), module=unet)


@pytest.fixture(scope="module")
def candidates():
    pixels = np.random.default_rng(0).random((CANDIDATES, 4, SIDE, SIDE), np.float32)
    return ImageSet(pixels, np.array([f"p{i}" for i in range(CANDIDATES)]))


def bare(denoiser, candidates, evaluations):
    """The network and nothing else, in batches of the attacks' size."""
    queries = denoiser.prepare(candidates)
    for _ in range(evaluations):
        for start in range(0, CANDIDATES, BATCH):
            part = queries.take(slice(start, start + BATCH))
            with torch.no_grad():
                denoiser.module.noise(part.latents, torch.full((len(part),), 200), part.condition[0])


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_and_the_bare_network(benchmark, name, denoiser, candidates):
    """``ratio`` is the CPU time of the attack over that of its evaluations, the two taking turns."""
    target = Target(candidates.take(slice(0, 0)), Access.DENOISER, open_denoiser=lambda: denoiser)
    auxiliary = Auxiliary(candidates, None, Context(seed=1))
    times = {"bare": [], "attack": []}

    def attack():
        return ATTACKS[name](target, candidates, auxiliary, batch=BATCH, **OPTIONS.get(name, {}))

    for _ in range(ROUNDS):
        for kind, work in (("bare", lambda: bare(denoiser, candidates, EVALUATIONS[name])), ("attack", attack)):
            started = time.process_time()
            work()
            times[kind].append(time.process_time() - started)
    benchmark.extra_info["ratio"] = min(times["attack"]) / min(times["bare"])
    benchmark.extra_info["bare_seconds"] = min(times["bare"])
    scores = benchmark.pedantic(attack, rounds=1)
    assert len(scores.score) == CANDIDATES
