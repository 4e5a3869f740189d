"""Training the audited generator again: for attackers who own a shadow model, and for canaries put in by coins."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .context import Context
from .errors import BadInputError, SkippedError
from .making import Making
from .persist import fingerprint
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

    def shadow(self, images: ImageSet) -> Target:
        """The generator trained on ``images`` alone."""
        return self._trained(images)

    def with_canaries(self, canaries: ImageSet) -> Target:
        """The generator trained on the members and on the canaries that the coins chose."""
        patients = canaries.patients
        chosen = np.isin(canaries.patient, patients[coins(patients, self.context)])
        return self._trained(concatenate(self.split.members, canaries.take(chosen)))

    def _trained(self, images: ImageSet) -> Target:
        data = TrainingData(images, self.split.public, self.split.reserve)
        try:
            key, denoiser = self.making.trained_again(data, fingerprint("again", images).sha256)
        except BadInputError as error:
            reason = f"{self.target.generator} cannot be trained on {len(images.patients)} patients: {error}"
            raise SkippedError(reason.replace("\n", "; ")) from error
        return Target(self.target.samples.take(slice(0, 0)), self.target.access, self.target.generator, denoiser, key)


def coins(canaries: Names, context: Context) -> NDArray[np.bool_]:
    """Which of the canaries, in sorted order, are trained on: a fair coin for each."""
    return context.rng("coins").random(len(canaries)) < 0.5
