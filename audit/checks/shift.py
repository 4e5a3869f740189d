"""Do members and holdout come from different centres, classes, examinations or scanners?"""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..record import Estimate
from ..statistics.resampling import Multiplicities, bootstrap, draws
from ..statistics.stats import permutation_p_value
from ..types import FloatArray
from .features import PERCENTILES
from .inputs import HOW_TO_SPLIT, Comparison, Tested, permuted_members

PERMUTATIONS = 4999
TO_CENTRE = 500  # resamples
BRIGHTNESS = ("mean intensity", "contrast", *(f"intensity percentile {p}" for p in PERCENTILES))

# from weights of each patient among members and among holdout, (k, p) each, to the difference (k,)
Difference = Callable[[FloatArray, FloatArray], FloatArray]


def check_shift(comparison: Comparison) -> Tested:
    """How far members' and holdout's distributions lie apart, by patient: one test for each thing that is known."""
    if comparison.too_few:
        return Tested(skipped=comparison.too_few)
    estimates = []
    same = []
    for group, name, differ in _differences(comparison):
        if differ is None:
            same.append(group)
        else:
            estimates.append(_estimate(group, name, differ, comparison))
    missing = [what for what in ("center", "label", "visit") if getattr(comparison.candidates, what) is None]
    notes = [f"not known, so not compared: {', '.join(missing)}"] if missing else []
    notes += [f"the same for all patients: {', '.join(same)}"] if same else []
    return Tested(
        estimates=tuple(estimates),
        said=tuple(f"{e.group} differs ({_SAID[e.name]} {e.value:.2f}, {e.null:.2f} by chance)" for e in estimates),
        advice=HOW_TO_SPLIT,
        notes=tuple(notes),
    )


_SAID = {"cramers_v": "Cramér's V", "ks_distance": "Kolmogorov-Smirnov distance"}


def cramers_v(members: FloatArray, holdout: FloatArray, shares: FloatArray) -> FloatArray:
    """Cramér's V of side against category: sqrt(chi^2 / n), between 0 and 1.

    Args:
        members: ``(k, p)`` weight of each patient among members.
        holdout: the same among holdout.
        shares: ``(p, c)`` what share of a patient's images is in each category; rows sum to 1.
    """
    counts = np.stack([members @ shares, holdout @ shares])  # (2, k, c)
    total = counts.sum(axis=(0, 2))
    expected = counts.sum(axis=2, keepdims=True) * counts.sum(axis=0, keepdims=True) / total[:, None]
    # a category nobody drawn is in adds nothing
    terms = np.divide((counts - expected) ** 2, expected, out=np.zeros_like(counts), where=expected > 0)
    return np.asarray(np.sqrt(terms.sum(axis=(0, 2)) / total), np.float64)


def ks_distance(members: FloatArray, holdout: FloatArray, values: FloatArray) -> FloatArray:
    """The largest difference of the two distribution functions (Kolmogorov-Smirnov), between 0 and 1.

    Args:
        members: ``(k, p)`` weight of each patient among members.
        holdout: the same among holdout.
        values: ``(p,)``.
    """
    order = np.argsort(values, kind="stable")
    last = np.append(values[order][1:] > values[order][:-1], True)
    gap = np.cumsum(members[:, order], axis=1) / members.sum(axis=1, keepdims=True)
    gap -= np.cumsum(holdout[:, order], axis=1) / holdout.sum(axis=1, keepdims=True)
    return np.asarray(np.abs(gap[:, last]).max(axis=1), np.float64)


def _differences(comparison: Comparison) -> list[tuple[str, str, Difference | None]]:
    """What is compared, the name of the difference, and the difference; None where all patients are the same."""
    images = comparison.candidates
    found: list[tuple[str, str, Difference | None]] = []
    for group, value in (("center", images.center), ("label", images.label), ("visit number", images.visit)):
        if value is not None:
            categories, code = np.unique(value, return_inverse=True)
            shares = comparison.by_patient(np.eye(len(categories))[code])
            found.append(
                (group, "cramers_v", partial(cramers_v, shares=shares) if np.ptp(shares, axis=0).any() else None)
            )
    numbers = [("images per patient", np.bincount(comparison.owner).astype(np.float64))]
    if images.visit is not None:
        owner = np.unique(np.stack([comparison.owner, images.visit], axis=1), axis=0)[:, 0]
        numbers.append(("examinations per patient", np.bincount(owner).astype(np.float64)))
    numbers += zip(BRIGHTNESS, comparison.by_patient(comparison.features.brightness).T, strict=True)
    for group, values in numbers:
        varied = np.ptp(values) > 1e-9
        found.append((group, "ks_distance", partial(ks_distance, values=values) if varied else None))
    return found


def _estimate(group: str, name: str, differ: Difference, comparison: Comparison) -> Estimate:
    """Value, interval by bootstrap, null and p-value by exchange of patients."""
    member, context = comparison.member, comparison.context
    value = float(_between(differ, member[None])[0])
    everybody = np.zeros(len(member), np.intp)
    exchanges = permuted_members(member, everybody, context.rng("shift", group), PERMUTATIONS)
    null = np.concatenate([_between(differ, drawn) for drawn in exchanges])
    low, high = _interval(differ, comparison, value, context.rng("shift", group, "interval"))
    return Estimate(
        name=name,
        value=value,
        low=low,
        high=high,
        null=float(null.mean()),
        n=len(member),
        unit="patient",
        worse="higher",
        p_value=permutation_p_value(value, null),
        group=group,
        method=f"{_SAID[name]}, by patient; bootstrap of patients, corrected for bias; null and p-value: "
        f"{PERMUTATIONS} exchanges of patients",
    )


def _between(differ: Difference, member: NDArray[np.bool_]) -> FloatArray:
    return differ(member.astype(np.float64), (~member).astype(np.float64))


def _interval(
    differ: Difference, comparison: Comparison, value: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Interval of the difference, less twice what resampling adds to it.

    Any two samples look more unlike than what they were drawn from, and their resamples more unlike again: by about as
    much. The interval holds ``value`` in any case.
    """
    member = comparison.member
    sides = comparison.patients[member], comparison.patients[~member]

    def resampled(members: Multiplicities, holdout: Multiplicities) -> FloatArray:
        weights = np.zeros((2, len(members), len(member)))
        weights[0, :, member], weights[1, :, ~member] = members.T, holdout.T
        return differ(weights[0], weights[1])

    added = float(resampled(*(draws(side)(rng, TO_CENTRE) for side in sides)).mean()) - value
    found = bootstrap(lambda *drawn: resampled(*drawn) - 2 * added, sides, rng, comparison.context.confidence)
    return min(max(found.low, 0.0), value), max(min(found.high, 1.0), value)
