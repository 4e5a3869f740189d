"""One tiny audit: a world, a release with a known answer, and the engine's own joining and statistics."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np

from ..audit.candidates import draw_candidates, without_attributes, write_candidates
from ..audit.context import Auxiliary, Context
from ..audit.contract import check_scores
from ..audit.measures.measured import Measured, Truth
from ..audit.persist import load_images
from ..audit.plugin import Facts, facts_of, options_model
from ..audit.record import Privacy
from ..audit.retraining import coins
from ..audit.stages import measure
from ..audit.target import Access, Target
from ..audit.types import AttackScores, ImageSet, Index, Split, concatenate
from .denoisers import Memorizer
from .purity import own_copy
from .worlds import World, release

HEADLINE = {
    "membership": "auc",
    "memorization": "copied_share",
    "reidentification": "linked_excess",
    "attribute": "attribute_risk",
    "canary": "guesses_right",
}
"""The estimate whose p-value says whether an attack of that family accuses the generator."""

CLAIM = Privacy(
    epsilon=1.0,
    delta=1e-5,
    unit="patient",
    patient_epsilon=1.0,
    patient_delta=1e-5,
    images_per_patient=1,
    accountant="none",
    noise_multiplier=1.0,
    sample_rate=1.0,
    steps=1,
    max_grad_norm=1.0,
    multiplicity=1,
    secure_noise=False,
)
"""What the generator claims where the attack under examination tests a claim."""


def resolved(plugin: object, kind: str, options: Mapping[str, object]) -> tuple[Facts, dict[str, object]]:
    """The facts of a plugin and all its options, checked as the engine checks them.

    Raises:
        TypeError: if it is no plugin of that kind.
        pydantic.ValidationError: if an option is wrong.
    """
    facts = facts_of(plugin)
    if facts is None or facts.kind != kind or not callable(plugin):
        raise TypeError(f"{plugin!r} is no {kind}: decorate it with @privbench.{kind}(...)")
    model = options_model(plugin)(**options)
    return facts, {name: getattr(model, name) for name in type(model).model_fields}


@dataclass(frozen=True, eq=False)
class Rememberer:
    """A ``Trainer`` whose models know what they were trained on by heart; training takes no time.

    Attributes:
        split: of the audit.
        target: the audited model.
        context: of the attack.
        leak: whether a model with canaries knows them; else it has learnt nothing of those it was trained on.
    """

    split: Split
    target: Target
    context: Context
    leak: bool = True

    def shadow(self, images: ImageSet, name: str = "shadow model") -> Target:  # noqa: ARG002
        """The ideal model of ``images``."""
        return self._model(images)

    def with_canaries(self, canaries: ImageSet) -> Target:
        """The ideal model of the members and of the canaries that the coins chose, or of fresh patients."""
        if not self.leak:
            assert self.split.reserve is not None
            return self._model(self.split.reserve)
        patients = canaries.patients
        chosen = canaries.take(np.isin(canaries.patient, patients[coins(patients, self.context)]))
        return self._model(concatenate(self.split.members, chosen))

    def _model(self, images: ImageSet) -> Target:
        samples = self.target.samples.take(slice(0, 0))
        return replace(self.target, samples=samples, open_denoiser=lambda: Memorizer(images), key="", guarded=None)


@dataclass(frozen=True, eq=False)
class Audit:
    """A split, a release, and the candidates as an attack meets them.

    Attributes:
        split: the cohort.
        truth: candidates, membership, samples.
        target: the release behind the granted access.
        seed: of the attack.
        engine: the surroundings that the attack is given.
        leak: whether the generator knows whom it was trained on.
    """

    split: Split
    truth: Truth
    target: Target
    engine: Context
    leak: bool = False

    def with_samples(self, index: Index | slice) -> "Audit":
        """The same with only some of the samples, in that order."""
        samples = self.target.samples.take(index)
        return replace(self, target=replace(self.target, samples=samples), truth=replace(self.truth, samples=samples))


def tiny_audit(world: World, access: Access, seed: int, folder: Path, *, leak: bool) -> Audit:
    """An audit of a generator that leaks a lot or nothing; candidates are memory maps, as in a real run.

    Args:
        world: where patients come from.
        access: what is granted; from ``DENOISER`` on there is a denoiser that has memorized images by heart.
        seed: of patients, release and attack.
        folder: where the candidates lie.
        leak: whether half the samples are exact copies of members (and the denoiser memorized the members); else
            samples (and what was memorized) are of other, fresh patients.
    """
    split = world.split(seed)
    assert split.reserve is not None
    samples = release(split, 0.5 if leak else 0.0, seed)
    shuffled = Context(seed=seed, path=("candidates", ""), folder=folder)
    write_candidates(split, shuffled)
    drawn = draw_candidates(split, shuffled)
    memory = split.members if leak else split.reserve
    target = Target(samples, access, "tiny", lambda: Memorizer(memory)) if access > Access.SAMPLES else Target(samples)
    engine = Context(seed=seed, path=("attack", "checked"), folder=folder)
    truth = Truth(load_images(folder, "candidates"), drawn.member, drawn.patient, samples)
    return Audit(split, truth, target, engine, leak)


def unshuffled(audit: Audit) -> Audit:
    """Members first and named accordingly, as if nobody had shuffled: who looks at order or names is found out."""
    truth = audit.truth
    order = np.argsort(~truth.member, kind="stable")
    patient = truth.patient[order]
    _, first, position = np.unique(patient, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    pseudonyms = np.array([f"candidate-{i:06d}" for i in rank[position]])
    candidates = replace(truth.candidates.take(order), patient=pseudonyms)
    return replace(audit, truth=replace(truth, candidates=candidates, member=truth.member[order], patient=patient))


@dataclass(frozen=True, eq=False)
class Subject:
    """An attack under examination.

    Attributes:
        attack: the decorated function.
        facts: what it says of itself.
        options: all its options.
        world: where it is examined.
        seeds: how many audits the check of the null makes.
    """

    attack: object
    facts: Facts
    options: Mapping[str, object] = field(default_factory=dict)
    world: World = field(default_factory=World)
    seeds: int = 40

    def audit(self, seed: int = 0, *, leak: bool = False, world: World | None = None) -> Audit:
        """A tiny audit at the access that the attack declares, all of it in memory."""
        with tempfile.TemporaryDirectory() as folder:
            audit = tiny_audit(world or self.world, self.facts.access, seed, Path(folder), leak=leak)
            return replace(audit, truth=replace(audit.truth, candidates=own_copy(audit.truth.candidates)))

    def scores(self, audit: Audit) -> AttackScores:
        """What the attack says."""
        assert callable(self.attack)
        with tempfile.TemporaryDirectory() as folder:
            surroundings = replace(audit.engine, folder=Path(folder))
            target = replace(audit.target, privacy=CLAIM) if self.facts.family == "canary" else audit.target
            trainer = Rememberer(audit.split, target, surroundings, audit.leak)
            auxiliary = Auxiliary(audit.split.reference, audit.split.public, surroundings, trainer=trainer)
            candidates = audit.truth.candidates
            if self.facts.family == "attribute":
                candidates = without_attributes(candidates)
            found = self.attack(target, candidates, auxiliary, **self.options)
        return cast("AttackScores", found)

    def measured(self, audit: Audit) -> Measured:
        """What the engine makes of it."""
        scores = self.scores(audit)
        check_scores(scores, audit.truth, "the attack")
        return measure(scores, audit.truth, audit.engine)

    def p_value(self, audit: Audit) -> float | str:
        """Of the headline estimate, or why the finding is invalid."""
        measured = self.measured(audit)
        if measured.invalid:
            return measured.invalid
        assert self.facts.family is not None
        wanted = HEADLINE[self.facts.family]
        found = next(e.p_value for e in measured.estimates if e.name == wanted and not e.group)
        assert found is not None
        return found
