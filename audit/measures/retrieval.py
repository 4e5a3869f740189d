"""Do released images lead back to the patient whose record conditioned them? mAP@R, R-precision and P@1."""

import numpy as np

from ..context import Context
from ..record import Estimate
from ..statistics.clustered import mean_interval
from ..statistics.retrieval import FIGURES, Searches
from ..statistics.stats import permutation_p_value, shuffle_within
from ..types import FloatArray, GalleryScores, Names, Pixels
from .excess import PERMUTATIONS
from .measured import Truth

NO_CONTROL = "sources are members, so holdout patients give no control (n/a): shuffled sources do"


def measure_retrieval(similarity: Pixels, truth: Truth, context: Context) -> list[Estimate]:
    """Each released image whose source is a member searches all members' images for those of its source.

    A generator is conditioned on members only, so there is nobody to search for among the holdout. What stands against
    the figures is their exact expectation for random rankings, and, as images may show the right centre without showing
    the right patient, sources exchanged between source patients within centres: all images of one source together,
    for they may resemble one another.

    Args:
        similarity: ``(n_samples, n_candidates)``.
        truth: of the audit.
        context: randomness and confidence.

    Returns:
        ``map@r``, ``r_precision``, ``precision@1`` and of each its lift over chance; only an ``map@r`` without a value
        where no source is known.
    """
    source, gallery = truth.samples.source, truth.patient[truth.member]
    if source is None or not np.isin(source, gallery).any():
        note = "no released image states the patient whose record conditioned it"
        return [Estimate(name="map@r", value=None, n=0, unit="image", worse="higher", note=note)]
    searches, used = Searches.of(GalleryScores("sources", similarity[:, truth.member], source, gallery))
    values, chance = searches.figures(), searches.chance()
    null = _shuffled(searches, source[used], truth, context)
    found = []
    for at, name in enumerate(FIGURES):
        interval = mean_interval(values[at], source[used], context.confidence)
        value = float(values[at].mean())
        found.append(
            Estimate(
                name=name,
                value=value,
                low=interval.low,
                high=interval.high,
                null=float(chance[at]),
                p_value=permutation_p_value(value, null[at]),
                method="Wilson, by source patient; null: exact expectation of random rankings; "
                f"p-value: {PERMUTATIONS} exchanges of source patients within centres",
                note=f"{searches.described()}; exchanged sources give {null[at].mean():.4f}; {NO_CONTROL}",
                n=len(searches),
                unit="image",
                worse="higher",
            )
        )
        found.append(
            Estimate(
                name=f"{name}_lift",
                value=value / chance[at],
                low=interval.low / chance[at],
                high=interval.high / chance[at],
                null=1.0,
                method="the figure over its exact expectation for a random ranking",
                note=searches.described(),
                n=len(searches),
                unit="image",
                worse="higher",
            )
        )
    return found


def _shuffled(searches: Searches, source: Names, truth: Truth, context: Context) -> FloatArray:
    """``(3, permutations)`` the means where each source patient's images are said to come from another's record."""
    names, first, owner = np.unique(source, return_index=True, return_inverse=True)
    patients, image = np.unique(truth.patient, return_index=True)
    center = truth.candidates.center
    at = image[np.searchsorted(patients, names)]
    strata = np.full(len(names), "") if center is None else center[at]
    rng = context.rng("retrieval", "permutations")
    asked, relevant = searches.asked[first], searches.relevant[first]
    means = []
    for _ in range(PERMUTATIONS):
        other = shuffle_within(strata, rng)[owner]
        means.append(searches.figures(asked[other], relevant[other]).mean(axis=1))
    return np.stack(means, axis=1)
