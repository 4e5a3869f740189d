"""A generator small enough to be trained privately in seconds: the product's own DP-SGD on a three-layer denoiser."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import DDPMScheduler
from torch import nn

from privbench.audit.context import Auxiliary, Context
from privbench.audit.record import Privacy
from privbench.audit.retraining import coins
from privbench.audit.target import Access, Queries, Target
from privbench.audit.types import ImageSet, concatenate
from privbench.generators.private.accounting import noise_for
from privbench.generators.private.training import DpPlan, Private, train_privately
from privbench.testing import World

WORLD = World(patients=8, reference=8, side=8, images=1)
DELTA = 1e-5


class Mlp(nn.Module):
    """Epsilon for 8 x 8 pixels."""

    def __init__(self, norm=None, width=256):
        super().__init__()
        self.schedule = DDPMScheduler(1000, prediction_type="epsilon")
        self.first, self.middle, self.last = nn.Linear(65, width), nn.Linear(width, width), nn.Linear(width, 64)
        self.norm = norm or nn.Identity()

    def forward(self, x_t, t, _label):
        h = torch.relu(self.norm(self.first(torch.cat([x_t.flatten(1), t[:, None] / 1000], 1))))
        return self.last(torch.relu(self.middle(h))).reshape(x_t.shape)

    def target(self, _x_0, noise, _t):
        return noise


@dataclass(frozen=True, eq=False)
class Opened:
    """Its denoiser."""

    model: Mlp

    @property
    def alphas_cumprod(self):
        return self.model.schedule.alphas_cumprod.double()

    def prepare(self, images):
        return Queries(scaled(images), (torch.zeros(len(images), dtype=torch.int64),))

    def predict_noise(self, x_t, t, condition):
        with torch.no_grad():
            return self.model(x_t, t, condition[0])


def scaled(images):
    return 2 * torch.from_numpy(np.array(images.pixels)) - 1


@dataclass(frozen=True, eq=False)
class Generator:
    """Trains privately on one image a patient, and says what it claims."""

    folder: Path
    seed: int = 0
    epsilon: float = 2.0
    steps: int = 120
    rate: float = 1.0
    norm: float = 0.1
    multiplicity: int = 4
    layer: type[nn.Module] | None = None

    def trained(self, images: ImageSet, name: str) -> Target:
        context = Context(seed=self.seed, path=("generator", name), folder=self.folder)
        with context.torch_scope("weights"):
            model = Mlp(self.layer(256) if self.layer else None)
        n = len(images.patients)
        private = Private(scaled(images), torch.zeros(n, dtype=torch.int64), torch.arange(n))
        mechanism = noise_for(self.epsilon, DELTA, self.rate, self.steps)
        plan = DpPlan(mechanism, self.norm, self.multiplicity, 4096, 3e-3, 0.0, secure=False)
        made = train_privately(name, model, private, plan, context)
        epsilon = made.epsilon(DELTA)
        claim = Privacy(
            epsilon=epsilon,
            delta=DELTA,
            unit="patient",
            patient_epsilon=epsilon,
            patient_delta=DELTA,
            images_per_patient=1,
            accountant="prv",
            noise_multiplier=made.noise_multiplier,
            sample_rate=made.sample_rate,
            steps=made.steps,
            max_grad_norm=self.norm,
            multiplicity=self.multiplicity,
            secure_noise=False,
        )
        empty = images.take(slice(0, 0))
        return Target(empty, Access.DENOISER, "tiny", lambda: Opened(model), "", None, claim)


@dataclass(frozen=True, eq=False)
class Again:
    """A ``Trainer`` of it."""

    generator: Generator
    members: ImageSet
    context: Context

    def shadow(self, images):
        return self.generator.trained(images, "shadow")

    def with_canaries(self, canaries):
        chosen = np.isin(canaries.patient, canaries.patients[coins(canaries.patients, self.context)])
        return self.generator.trained(concatenate(self.members, canaries.take(chosen)), "canaries")


def audited(generator: Generator) -> tuple[Target, ImageSet, Auxiliary, Context]:
    """The generator trained on a few patients, candidates, what an attacker has, and the attack's context."""
    split = WORLD.split(generator.seed)
    context = Context(seed=generator.seed, path=("attack", "dp-canary"), folder=generator.folder)
    target = generator.trained(split.members, "audited")
    auxiliary = Auxiliary(split.reference, None, context, trainer=Again(generator, split.members, context))
    return target, split.holdout, auxiliary, context
