"""Audits of simulated patients in quantity: one attacker, whose networks are trained once, and patients anew each time.

All audits share the scanners and the attacker's reference patients; members, holdout and fresh patients are other
people in every audit. Everything else is what ``privbench run`` does.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from privbench.attacks.domias import domias
from privbench.attacks.gan_leaks import gan_leaks
from privbench.attacks.logan import logan
from privbench.attacks.loss import loss
from privbench.attacks.monte_carlo import monte_carlo
from privbench.attacks.nearest import nearest
from privbench.attacks.pfami import pfami
from privbench.attacks.pia import pia
from privbench.attacks.pian import pian
from privbench.attacks.secmi import secmi
from privbench.attacks.siamese import siamese
from privbench.audit.candidates import draw_candidates, write_candidates
from privbench.audit.context import Arrays, Auxiliary, Context
from privbench.audit.making import Opened
from privbench.audit.measures.measured import Measured, Truth
from privbench.audit.persist import load_images
from privbench.audit.power.certify import Attack
from privbench.audit.stages import measure
from privbench.audit.target import Access, Target
from privbench.audit.types import AttackScores, ImageSet, Split
from privbench.cohorts.brain_sim import brain_sim
from privbench.testing.audits import HEADLINE
from privbench.testing.denoisers import Memorizer

ATTACKS: dict[str, Callable[..., AttackScores]] = {
    "nearest": nearest,
    "gan-leaks": gan_leaks,
    "monte-carlo": monte_carlo,
    "logan": logan,
    "domias": domias,
    "loss": loss,
    "secmi": secmi,
    "pia": pia,
    "pian": pian,
    "pfami": pfami,
    "siamese": siamese,
}
"""Those that need no trained generator."""
FAMILY = dict.fromkeys(ATTACKS, "membership") | {"nearest": "memorization", "siamese": "reidentification"}
REFERENCE = 200
NETWORKS = ("copy detector", "verifier")
_trained: dict[tuple[str, ...], Arrays] = {}


@dataclass(frozen=True)
class SameScanners(Context):
    """A context whose patients are its own, but whose hospitals are those of seed 0."""

    def rng(self, *purpose: str) -> np.random.Generator:
        """As ``Context.rng``."""
        return super().rng(*purpose) if purpose != ("centers",) else Context(seed=0).rng(*purpose)


def trained_once(path: tuple[str, ...], inputs: tuple[object, ...], make: Callable[[], Arrays]) -> Arrays:  # noqa: ARG001
    """A keeper for one process: networks depend on the reference alone, which all audits share."""
    if path[-1] not in NETWORKS:
        return make()
    if path not in _trained:
        _trained[path] = {name: np.array(value) for name, value in make().items()}
    return _trained[path]


@cache
def reference() -> ImageSet:
    """The attacker's patients."""
    folder = Path(tempfile.mkdtemp())
    return brain_sim(
        SameScanners(seed=0, folder=folder), members=1, holdout=1, reference=REFERENCE, public=1, reserve=1
    ).reference


@contextmanager
def cohort(seed: int, patients: int, public: int = 1) -> Iterator[Split]:
    """As many members, holdout and reserve patients, who are nobody of any other seed."""
    with tempfile.TemporaryDirectory() as folder:
        context = SameScanners(seed=1 + seed, folder=Path(folder))
        drawn = brain_sim(context, members=patients, holdout=patients, reference=1, public=public, reserve=patients)
        yield replace(drawn, reference=reference())


@contextmanager
def truth_of(split: Split, samples: ImageSet, seed: int) -> Iterator[Truth]:
    """Candidates under pseudonyms, and who is who."""
    with tempfile.TemporaryDirectory() as folder:
        context = Context(seed=seed, path=("candidates",), folder=Path(folder))
        write_candidates(split, context)
        drawn = draw_candidates(split, context)
        yield Truth(load_images(context.folder, "candidates"), drawn.member, drawn.patient, samples)


def attack_of(name: str, split: Split) -> Attack:
    """An attack with its default options, on any released images."""
    auxiliary = Auxiliary(split.reference, split.public, Context(path=("attack", name), keeper=trained_once))

    def attack(samples: ImageSet, candidates: ImageSet, opened: Opened | None) -> AttackScores:
        denoiser = opened[1] if opened else None
        return ATTACKS[name](Target(samples, Access.DENOISER, "simulated", denoiser), candidates, auxiliary)

    return attack


def attacked(name: str, truth: Truth, split: Split, seed: int) -> Measured:
    """What an attack finds; the denoiser, where it asks for one, knows the samples by heart."""
    scores = attack_of(name, split)(truth.samples, truth.candidates, ("", lambda: Memorizer(truth.samples)))
    return measure(scores, truth, Context(seed=seed, path=("attack", name, "statistics")))


def p_value(name: str, measured: Measured) -> float:
    """Of the estimate that accuses; nan where the attack's own check failed."""
    found = [e.p_value for e in measured.estimates if e.name == HEADLINE[FAMILY[name]] and not e.group]
    return float("nan") if measured.invalid or not found or found[0] is None else found[0]
