"""Guesses of hidden attributes -> what the release tells of members that it does not tell of holdout patients."""

import math
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..attributes import WORDS, attribute_of
from ..context import Context
from ..record import Estimate
from ..statistics.blocks import Kept, left_out
from ..statistics.clustered import mean_interval
from ..statistics.stats import SIGNIFICANCE, Interval, holm, permutation_p_value, shuffle_within
from ..types import AttributeGuesses, AttributeScores, FloatArray, Names
from .inferred_risk import Success
from .measured import Measured, Truth

PERMUTATIONS = 999
FEWEST = 10
"""Patients on either side below which nothing is said."""
KNOWN = 0.8
"""Where more of the holdout patients' attributes are guessed right than this, it is hardly hidden, nor is there enough
left to infer: the risk is shown and not judged."""
METHOD = (
    "(members - holdout) / (1 - holdout) of the shares guessed right (Anonymeter), each patient's success adjusted for "
    "the guess without the release; Fieller's interval with two patients more a side"
)


def measure_attribute(scores: AttributeScores, truth: Truth, context: Context) -> Measured:
    """The patient is the unit: success about a patient is the share of his or her images guessed right.

    Returns:
        ``attribute_risk`` of each attribute, and overall (group "") the largest of them, its interval and p-value
        corrected for their number; ``attribute_success`` about members, about holdout and without the release.
    """
    patients = truth.candidates.patients
    member, strata = truth.of_patients(patients)
    told: dict[str, Success] = {}
    gaps: list[Estimate] = []
    for guesses in scores.guesses:
        success = success_of(guesses, truth)
        if (lacks := _lacks(guesses, truth, member)) or success is None:
            gaps.append(_unmeasured(guesses.attribute, len(member), lacks))
        else:
            told[guesses.attribute] = success
    hidden = {name: s for name, s in told.items() if _hidden(s, ~member)}
    p_values = {name: _p_value(s, member, held_fixed(name, strata), context.under(name)) for name, s in told.items()}
    adjusted = dict(zip(hidden, holm(np.array([p_values[name] for name in hidden])), strict=True))
    single = [
        _risk(
            name,
            s,
            member,
            truth.names(patients),
            context.confidence,
            float(adjusted.get(name, p_values[name])),
            len(hidden),
        )
        for name, s in told.items()
    ]
    judged = [e for e in single if e.group in hidden]
    if judged:
        worst = _worst(judged, hidden, member, context.confidence)
    else:
        known = [f"{WORDS[e.group]}: hardly hidden" for e in single]
        worst = _unmeasured("", len(member), "; ".join([*(e.note for e in gaps), *known]))
    rates = [e for name, s in told.items() for e in _successes(name, s, patients, member, context.confidence)]
    return Measured((worst, *single, *gaps, *rates), (), scores.notes)


def success_of(guesses: AttributeGuesses, truth: Truth) -> Success | None:
    """How often each candidate patient, in sorted order, was guessed right; None where the truth is not known."""
    true = attribute_of(truth.candidates, guesses.attribute, guesses.edges)
    if true is None:
        return None
    _, owner, images = np.unique(truth.candidates.patient, return_inverse=True, return_counts=True)

    def share(chosen: NDArray[np.bool_]) -> FloatArray:
        return np.asarray(np.bincount(owner, chosen) / images)

    right, told = guesses.guess == true, guesses.told
    return Success(
        share(right),
        share(guesses.prior == true),
        None if told is None else share(told & right),
        None if told is None else share(told),
    )


def judged(scores: AttributeScores, truth: Truth, others: NDArray[np.bool_]) -> dict[str, Success]:
    """The attributes that an audit judges, with the attack's success.

    Args:
        scores: of the attack.
        truth: of the audit; who was a member is not used.
        others: ``(p,)`` patients whom the release does not show.
    """
    found = {guesses.attribute: success_of(guesses, truth) for guesses in scores.guesses}
    return {name: s for name, s in found.items() if s is not None and _hidden(s, others)}


def _hidden(success: Success, others: NDArray[np.bool_]) -> bool:
    """Whether enough is left to infer of those whom the release does not show."""
    return float(success.right[others].mean()) <= KNOWN


def held_fixed(attribute: str, strata: Names) -> Names:
    """The strata within which patients are exchanged: the centres, but not where the centre itself is asked for."""
    return np.full(len(strata), "") if attribute == "center" else strata


def _p_value(success: Success, member: NDArray[np.bool_], strata: Names, context: Context) -> float:
    """Whether more was told of members than under exchanges of patients between members and holdout."""
    evidence, rng = success.evidence, context.rng("permutations")
    divisions = np.array([member[shuffle_within(strata, rng)] for _ in range(PERMUTATIONS)])
    return permutation_p_value(float(evidence[member].sum()), divisions @ evidence)


def _lacks(guesses: AttributeGuesses, truth: Truth, member: NDArray[np.bool_]) -> str:
    """What an attribute lacks to be measured, or ""."""
    name = WORDS[guesses.attribute]
    true = attribute_of(truth.candidates, guesses.attribute, guesses.edges)
    if true is None:
        return f"{name}: the candidates have none"
    if len(np.unique(true)) < 2:
        return f"{name}: all candidates are of one class"
    fewest = int(min(member.sum(), (~member).sum()))
    if fewest < FEWEST:
        return f"{name}: {fewest} patients on one side, at least {FEWEST} needed"
    return ""


def _unmeasured(group: str, n: int, note: str) -> Estimate:
    return Estimate(
        name="attribute_risk", group=group, value=None, null=0.0, n=n, unit="patient", worse="higher", note=note
    )


def _risk(
    name: str,
    success: Success,
    member: NDArray[np.bool_],
    names: Names,
    confidence: float,
    p_value: float,
    several: int,
) -> Estimate:
    """The risk of one attribute; ``p_value`` and what would show are corrected for the ``several`` that are judged."""
    interval = success.interval(member, confidence)
    shares = [float(side.mean()) for side in (success.right[member], success.right[~member])]
    without = [float(side.mean()) for side in (success.prior[member], success.prior[~member])]
    return Estimate(
        name="attribute_risk",
        group=name,
        value=success.risk(member),
        low=interval.low,
        high=interval.high,
        null=0.0,
        n=len(member),
        unit="patient",
        worse="higher",
        detectable=success.detectable(member, SIGNIFICANCE / max(several, 1)),
        p_value=p_value,
        method=f"{METHOD}; p-value: {PERMUTATIONS} permutations {'' if name == 'center' else 'within centres '}(Holm)",
        note=f"guessed right with the release: {shares[0]:.1%} of members, {shares[1]:.1%} of holdout; "
        f"without it: {without[0]:.1%} and {without[1]:.1%}"
        + ("; hardly hidden: shown, not judged" if shares[1] > KNOWN else ""),
        blocks=left_out(names, success.risk(member), partial(_risks, success, member)),
    )


def _risks(success: Success, member: NDArray[np.bool_], kept: Kept) -> FloatArray:
    """The risk of those who stay; nan where one side is empty."""
    told = [bool(stay[member].any() and stay[~member].any()) for stay in kept]
    risks = [success.of(stay).risk(member[stay]) if ok else math.nan for stay, ok in zip(kept, told, strict=True)]
    return np.array(risks)


def _worst(
    single: list[Estimate], hidden: dict[str, Success], member: NDArray[np.bool_], confidence: float
) -> Estimate:
    """The largest risk of any attribute: intervals that hold together for all hold for the largest."""
    together = [success.interval(member, 1 - (1 - confidence) / len(hidden)) for success in hidden.values()]
    bounds = Interval(max(i.low for i in together), max(i.high for i in together))
    value = max(e.value for e in single if e.value is not None)
    worst = next(e for e in single if e.value == value)
    would_show = [e.detectable for e in single]
    return worst.model_copy(
        update={
            "group": "",
            "low": bounds.low,
            "high": bounds.high,
            "detectable": None if None in would_show else max(d for d in would_show if d is not None),
            "p_value": min(e.p_value for e in single if e.p_value is not None),
            "method": f"{METHOD}; largest of {len(hidden)}, bounds and p-value corrected for that (Bonferroni, Holm)",
            "note": f"{WORDS[worst.group]}: {worst.note}",
        }
    )


def _successes(
    name: str, success: Success, patients: Names, member: NDArray[np.bool_], confidence: float
) -> list[Estimate]:
    """The shares that the risk is made of."""
    every = np.ones(len(member), dtype=bool)
    found = []
    for who, values, side in (
        ("members", success.right, member),
        ("holdout", success.right, ~member),
        ("without the release", success.prior, every),
    ):
        interval = mean_interval(values[side], patients[side], confidence)
        found.append(
            Estimate(
                name="attribute_success",
                group=f"{WORDS[name]}, {who}",
                value=float(values[side].mean()),
                low=interval.low,
                high=interval.high,
                n=int(side.sum()),
                unit="patient",
                worse="none",
                method="mean over patients of the share of a patient's images guessed right; Wilson, Student's t",
            )
        )
    return found
