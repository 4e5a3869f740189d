"""Do verifiers trained from other seeds link the same images to the same patients?"""

import numpy as np
from numpy.typing import NDArray

from ..context import Context
from ..record import Estimate
from ..statistics.agreement import fleiss_kappa, kappa_interval
from ..statistics.clustered import mean_interval
from ..types import Index, LinkageScores, Names
from .links import Linkage
from .measured import Truth

KAPPA, AGREED = "verifier_agreement", "agreed_links"
ONE = "one verifier: whether others would link the same images could not be measured; raise the option verifiers"
Hits = tuple[NDArray[np.bool_], Index]


def measure_agreement(
    scores: LinkageScores, truth: Truth, member: NDArray[np.bool_], context: Context
) -> list[Estimate]:
    """What each verifier would have linked by itself, with a threshold of its own, against the others.

    Args:
        scores: with those of each verifier.
        truth: of the audit.
        member: ``(p,)`` which candidate patients are members.
        context: randomness and confidence.

    Returns:
        ``verifier_agreement``, Fleiss' kappa on which released images are linked to a member; ``agreed_links``, of all
        links of any verifier the share on which most, and on which all agree, the same for holdout patients being
        its null: links that cannot be true. Without a value where there is one verifier.
    """
    if len(scores.verifiers) < 2:
        return [Estimate(name=KAPPA, value=None, n=0, unit="image", worse="none", note=ONE)]
    linkages = [Linkage.of(own, truth) for own in scores.verifiers]
    ours, theirs = ([linkage.nearest(side) for linkage in linkages] for side in (member, ~member))
    together = Linkage.of(scores, truth).nearest(member)[1].astype(str)
    return [_kappa(ours, together, context), *_agreed(ours, theirs, context)]


def _kappa(found: list[Hits], nearest: Names, context: Context) -> Estimate:
    said = np.stack([hit for hit, _ in found], axis=1)
    value = fleiss_kappa(said)
    counts = ", ".join(str(int(n)) for n in said.sum(axis=0))
    note = f"released images linked to a member by each of {said.shape[1]} verifiers: {counts}"
    if np.isnan(value):
        note = f"{note}; they link all or none, so that agreement beyond chance is not defined"
        return Estimate(name=KAPPA, value=None, n=len(said), unit="image", worse="none", note=note)
    interval = kappa_interval(said, nearest, context.rng("agreement"), context.confidence)
    return Estimate(
        name=KAPPA,
        value=value,
        low=interval.low,
        high=interval.high,
        null=0.0,
        n=len(said),
        unit="image",
        worse="none",
        method="Fleiss' kappa on which released images are linked to a member, each verifier at its own threshold; "
        "bootstrap of the members that images resemble most",
        note=note,
    )


def _agreed(ours: list[Hits], theirs: list[Hits], context: Context) -> list[Estimate]:
    votes, patient = _votes(ours)
    false_votes, _ = _votes(theirs)
    estimates = []
    for group, least in (("most verifiers", len(ours) // 2 + 1), ("all verifiers", len(ours))):
        if not len(votes):
            note = "no verifier links any image to a member"
            estimates.append(Estimate(name=AGREED, group=group, value=None, n=0, unit="pair", worse="none", note=note))
            continue
        agreed = (votes >= least).astype(np.float64)
        interval = mean_interval(agreed, patient, context.confidence)
        control = int((false_votes >= least).sum())
        estimates.append(
            Estimate(
                name=AGREED,
                group=group,
                value=float(agreed.mean()),
                low=interval.low,
                high=interval.high,
                null=control / len(false_votes) if len(false_votes) else None,
                n=len(votes),
                unit="pair",
                worse="none",
                method="pairs of a released image and a member that any verifier links; Wilson, by member; "
                "null: the same of holdout patients",
                note=f"{int(agreed.sum())} of {len(votes)} links to members, "
                f"{control} of {len(false_votes)} to holdout patients",
            )
        )
    return estimates


def _votes(found: list[Hits]) -> tuple[NDArray[np.intp], Names]:
    """By how many verifiers each link, of a released image to a patient, was made; and the patient."""
    links = np.concatenate([np.stack([np.flatnonzero(hit), column[hit]], axis=1) for hit, column in found])
    pairs, votes = np.unique(links, axis=0, return_counts=True)
    return votes, pairs[:, 1].astype(str)
