"""Synthetic against real images in one feature space, beside real against real: the floor of the distance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..audit.context import Context
from ..audit.errors import SkippedError
from ..audit.record import Estimate
from ..audit.statistics.blocks import Kept, left_out
from ..audit.types import FloatArray, ImageSet, Index, Names, Split
from .frechet_distance import Gaussian, frechet_distance
from .kernel_distance import KernelDistance
from .manifold import manifold
from .resampling import centred_interval, patient_weights, percentile_interval

CONTROL = "members (control)"


def whole_patients(patient: Names, most: int, rng: np.random.Generator) -> Index:
    """Positions, in order, of randomly chosen patients with together at most ``most`` images (at least one patient)."""
    patients, owner, counts = np.unique(patient, return_inverse=True, return_counts=True)
    order = rng.permutation(len(patients))
    chosen = order[: max(1, int(np.searchsorted(np.cumsum(counts[order]), most, side="right")))]
    return np.flatnonzero(np.isin(owner, chosen))


@dataclass(frozen=True, eq=False, slots=True)
class Features:
    """Images in a feature space.

    Attributes:
        values: ``(n, d)``.
        patient: ``(n,)``, the unit of resampling.
        center: ``(n,)``, within which patients are resampled, or None.
    """

    values: FloatArray
    patient: Names
    center: Names | None

    @property
    def n(self) -> int:
        """Number of patients."""
        return len(np.unique(self.patient))


def units(samples: ImageSet) -> Names:
    """What to resample synthetic images by: the patient whose record conditioned them, where there is one."""
    if samples.source is None:
        return samples.patient
    known = samples.source != ""
    return np.where(known, np.char.add("source ", samples.source), samples.patient)


def chosen_images(samples: ImageSet, split: Split, most: int, context: Context) -> dict[str, ImageSet]:
    """The sets to compare, by the field of ``Comparison``: at most ``most`` images of each, by whole patients.

    The control is kept to the number of synthetic images, since fewer images raise a Frechet distance. For synthetic
    images ``patient`` becomes the unit to resample by.

    Raises:
        SkippedError: if there is only one synthetic image, which has no spread.
    """
    if len(samples) < 2:
        raise SkippedError("needs at least 2 synthetic images, there is 1: release more")
    parts = {"synthetic": replace(samples, patient=units(samples)), "real": split.holdout, "control": split.members}
    limit = {"control": min(most, len(samples))}
    return {
        part: whole.take(whole_patients(whole.patient, limit.get(part, most), context.rng("images", part)))
        for part, whole in parts.items()
    }


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """Three sets of images in one space.

    Attributes:
        real: the holdout.
        synthetic: the samples.
        control: members, as many images as there are samples where possible: what perfect samples would look like.
    """

    real: Features
    synthetic: Features
    control: Features

    def frechet(self, name: str, context: Context, resamples: int, note: str) -> list[Estimate]:
        """``name`` of the samples, with the control's as its null, and of the control."""
        how = (
            f"bootstrap of patients within centres on both sides, {resamples} resamples, percentiles of the "
            "deviation from the resamples' mean (resampling itself raises the distance)"
        )
        found = []
        for side in (self.control, self.synthetic):
            value = frechet_distance(Gaussian.fit(side.values), Gaussian.fit(self.real.values))
            draws = np.array(
                [
                    frechet_distance(Gaussian.fit(side.values, a), Gaussian.fit(self.real.values, b))
                    for a, b in self._draws(side, context, resamples)
                ]
            )
            found.append((value, *centred_interval(value, draws, context.confidence)))
        return _pair(name, found[::-1], found[0][0], self.real.n, how, note)

    def kid(self, name: str, context: Context, resamples: int) -> list[Estimate]:
        """Kernel distance of the samples, and of the control."""
        how = f"percentile bootstrap of patients within centres on both sides, {resamples} resamples"
        found = []
        for side in (self.synthetic, self.control):
            distance = KernelDistance(side.values, self.real.values, side.patient, self.real.patient)
            value = distance(np.ones(len(side.values)), np.ones(len(self.real.values)))
            draws = np.array([distance(a, b) for a, b in self._draws(side, context, resamples)])
            found.append((value, *percentile_interval(draws, context.confidence)))
        return _pair(name, found, 0.0, self.real.n, how, "unbiased: about 0 for images of one distribution")

    def manifold(self, extractor: str, context: Context, resamples: int, k: int) -> list[Estimate]:
        """Precision, density, recall and coverage of the samples, with the control's values as nulls."""
        how = f"percentile bootstrap, {resamples} resamples of patients within centres; neighbourhoods kept"
        estimates = []
        scores = [manifold(self.real.values, s.values, self.real.patient, s.patient, k) for s in self._sides()]
        for measure in ("precision", "density", "recall", "coverage"):
            found, blocks = [], []
            for side, score in zip(self._sides(), scores, strict=True):
                each = getattr(score, measure)
                averaged = side if measure in {"precision", "density"} else self.real
                drawn = patient_weights(averaged.patient, resamples, context.rng("manifold", measure), averaged.center)
                draws = drawn @ each / drawn.sum(axis=1)
                found.append((float(each.mean()), *percentile_interval(draws, context.confidence)))
                # What is averaged over released images shares no patient with another audit.
                blocks.append(left_out(averaged.patient, found[-1][0], _mean(each)) if averaged is self.real else ())
            name = f"{measure}-{extractor}"
            estimates += _pair(
                name, found, found[1][0], self.real.n, how, f"k={k}, siblings excluded", worse="lower", blocks=blocks
            )
        return estimates

    def _sides(self) -> tuple[Features, Features]:
        return self.synthetic, self.control

    def _draws(self, side: Features, context: Context, resamples: int) -> "zip[tuple[FloatArray, FloatArray]]":
        return zip(
            patient_weights(side.patient, resamples, context.rng("bootstrap", "side"), side.center),
            patient_weights(self.real.patient, resamples, context.rng("bootstrap", "real"), self.real.center),
            strict=True,
        )


def _mean(each: FloatArray) -> Callable[[Kept], FloatArray]:
    def of(kept: Kept) -> FloatArray:
        mean: FloatArray = kept @ each / kept.sum(axis=1)
        return mean

    return of


def _pair(
    name: str,
    found: list[tuple[float, float, float]],
    null: float,
    n: int,
    method: str,
    note: str,
    *,
    worse: str = "higher",
    blocks: Sequence[tuple[float, ...]] = ((), ()),
) -> list[Estimate]:
    return [
        Estimate.model_validate(
            {
                "name": name,
                "group": group,
                "value": value,
                "low": low,
                "high": high,
                "null": null,
                "n": n,
                "unit": "patient",
                "worse": worse if not group else "none",
                "method": method,
                "note": note,
                "blocks": without,
            }
        )
        for group, (value, low, high), without in zip(("", CONTROL), found, blocks, strict=True)
    ]
