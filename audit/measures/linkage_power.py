"""What a verifier can do at all: pairs and searches of unseen patients with a known answer."""

import numpy as np

from ..context import Context
from ..record import Estimate, Plot, Series
from ..statistics.auc import auc_interval
from ..statistics.clustered import mean_interval
from ..statistics.retrieval import FIGURES, Searches
from ..statistics.stats import roc_auc
from ..types import GalleryScores, PairScores
from .links import FALSE_IDENTIFICATION_RATE

SHOWN = ("map@r", "precision@1")


def verifier_auc(pairs: PairScores, context: Context, group: str = "") -> Estimate:
    """How well pairs of one patient are told from pairs of two.

    Args:
        pairs: with a known answer.
        context: for the confidence.
        group: of the estimate; by default what the pairs are.
    """
    owners = (pairs.same_patient, pairs.different_patient)
    interval = auc_interval(pairs.same, pairs.different, owners, context.confidence)
    return Estimate(
        name="verifier_auc",
        group=group or pairs.name,
        value=roc_auc(pairs.same, pairs.different),
        low=interval.low,
        high=interval.high,
        null=0.5,
        n=len(pairs.same) + len(pairs.different),
        unit="pair",
        worse="none",
        method=f"{_what(pairs)} of unseen patients; Obuchowski variance by patient, logit, Student's t",
    )


def no_real_pairs(reason: str) -> Estimate:
    """What stands where no pair of two real images could be shown: the gate lets nothing pass beside it."""
    return Estimate(name="verifier_auc", group="real pairs", value=None, n=0, unit="pair", worse="none", note=reason)


def verifier_recall(pairs: PairScores, threshold: float, context: Context) -> Estimate:
    """The share of pairs of one patient that would be linked: ranking pairs is not yet finding one in a gallery."""
    found = pairs.same > threshold
    interval = mean_interval(found.astype(np.float64), pairs.same_patient, context.confidence)
    return Estimate(
        name="verifier_recall",
        group=pairs.name,
        value=float(found.mean()),
        low=interval.low,
        high=interval.high,
        null=FALSE_IDENTIFICATION_RATE,
        n=len(found),
        unit="pair",
        worse="none",
        method=f"{_what(pairs)} of one unseen patient above the threshold for linkage; Wilson, by patient",
        note="" if not pairs.alteration else f"{pairs.strength:g} times the documented amount of the alteration",
    )


def verifier_retrieval(search: GalleryScores, context: Context) -> list[Estimate]:
    """mAP@R and P@1 of searches for unseen patients among their images."""
    searches, used = Searches.of(search)
    if not len(searches):
        return []
    values, chance = searches.figures(), searches.chance()
    found = []
    for name in SHOWN:
        at = FIGURES.index(name)
        interval = mean_interval(values[at], search.query[used], context.confidence)
        found.append(
            Estimate(
                name=f"verifier_{name}",
                group=search.name,
                value=float(values[at].mean()),
                low=interval.low,
                high=interval.high,
                null=float(chance[at]),
                n=len(searches),
                unit="image",
                worse="none",
                method="searches among the images of unseen patients; Wilson, by patient; null: exact expectation",
                note=searches.described(),
            )
        )
    return found


def robustness(power: tuple[PairScores, ...], threshold: float) -> Plot | None:
    """Recall at the threshold for linkage against how strongly copies were altered, one line a kind; None without."""
    kinds: dict[str, dict[float, float]] = {}
    for pairs in power:
        if pairs.alteration:
            kinds.setdefault(pairs.alteration, {})[pairs.strength] = float((pairs.same > threshold).mean())
    lines = {kind: sorted(found.items()) for kind, found in kinds.items() if len(found) > 1}
    if not lines:
        return None
    return Plot(
        name="robustness of the verifier",
        kind="curve",
        x_label="strength of the alteration (1: the documented amount)",
        y_label="share of altered copies above the threshold for linkage",
        series=tuple(
            Series(label=kind, x=tuple(x for x, _ in points), y=tuple(y for _, y in points))
            for kind, points in lines.items()
        ),
    )


def _what(pairs: PairScores) -> str:
    return f"copies (altered: {pairs.alteration}) and originals" if pairs.alteration else "real pairs"
