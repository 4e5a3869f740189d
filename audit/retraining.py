"""Training the audited generator again: for attackers who own a shadow model, and for canaries put in by coins."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .context import Context, seed_sequence
from .errors import BadInputError, SkippedError
from .making import Making, Opened
from .store import Progressed
from .target import Target
from .types import ImageSet, Names, Split, TrainingData, concatenate


@dataclass(frozen=True, eq=False)
class Retraining:
    """A ``Trainer`` whose models are stages of the store: each is trained once, by whoever comes first.

    Attributes:
        making: the audit whose generator is trained.
        split: of the audit.
        target: the audited model; a trained one grants as much.
        context: of the attack; the coins are drawn from it.
    """

    making: Making
    split: Split
    target: Target
    context: Context

    def shadow(self, images: ImageSet, name: str = "shadow model") -> Target:
        """The generator trained on ``images`` alone."""
        return self._trained(images, name)

    def with_canaries(self, canaries: ImageSet) -> Target:
        """The generator trained on the members and on the canaries that the coins chose."""
        patients = canaries.patients
        chosen = np.isin(canaries.patient, patients[coins(patients, self.context)])
        images = concatenate(self.split.members, canaries.take(chosen))
        target = self._trained(images, "model with canaries", self.target.key)
        return replace(target, privacy=self.making.claimed(_data(self.split, images), target.key))

    def _trained(self, images: ImageSet, name: str, start: str = "") -> Target:
        key, denoiser = _trained_on(images, self.making, self.split, name, start)
        return Target(self.target.samples.take(slice(0, 0)), self.target.access, self.target.generator, denoiser, key)


def shadow_half(reference: ImageSet, index: int, seed: int) -> NDArray[np.bool_]:
    """Which images of the reference shadow model ``index`` is trained on: those of a random half of the patients.

    Models 2k and 2k + 1 see the two halves of one division, so that of every two models each patient is in one and
    out of the other. Centres are divided too, each as evenly as can be. It depends on nothing but these arguments: the
    same models serve every attack of an audit, and any process can train any of them.

    Args:
        reference: the attacker's images.
        index: of the shadow model, from 0.
        seed: of the audit.

    Returns:
        ``(n,)`` a mask of ``reference``.
    """
    names, first = np.unique(reference.patient, return_index=True)
    center = np.full(len(names), "") if reference.center is None else reference.center[first]
    rng = np.random.default_rng(seed_sequence(seed, "shadow models", str(index // 2)))
    order = rng.permutation(len(names))
    order = order[np.argsort(center[order], kind="stable")]
    return np.isin(reference.patient, names[order[index % 2 :: 2]])


def train_shadow(making: Making, split: Split, index: int) -> Progressed:
    """Train shadow model ``index`` of an audit, for its attacks to find; one under way is left to whoever is at it.

    Args:
        making: the audit; its generator need not be trained yet.
        split: of the audit.
        index: from 0.

    Returns:
        How far it was before.

    Raises:
        SkippedError: if it cannot be trained.
    """
    images = split.reference.take(shadow_half(split.reference, index, making.spec.seed))
    before = making.training_again(_data(split, images))
    if before == "open":
        _trained_on(images, making, split, f"shadow model {index + 1}")
    return before


def _trained_on(images: ImageSet, making: Making, split: Split, name: str, start: str = "") -> Opened:
    """The audited generator trained on ``images`` in place of the members."""
    data = _data(split, images)
    if making.training_again(data, start) != "done":
        making.progress.message(f"training {name} on {len(images.patients)} patients")
    try:
        return making.trained_again(data, start)
    except BadInputError as error:
        what = f"{making.spec.generator.name} cannot be trained on {len(images.patients)} patients for the {name}"
        raise SkippedError(f"{what}: {error}".replace("\n", "; ")) from error


def _data(split: Split, images: ImageSet) -> TrainingData:
    return TrainingData(images, split.public, split.reserve)


def coins(canaries: Names, context: Context) -> NDArray[np.bool_]:
    """Which of the canaries, in sorted order, are trained on: a fair coin for each."""
    return context.rng("coins").random(len(canaries)) < 0.5
