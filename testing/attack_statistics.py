"""Whether an attack's scores mean what the statistics take them to mean."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..audit.attributes import attribute_of
from ..audit.errors import BadInputError, SkippedError
from ..audit.measures.membership import MEAN
from ..audit.record import Estimate
from ..audit.stages import measure
from ..audit.types import (
    AttackScores,
    AttributeScores,
    CanaryScores,
    FloatArray,
    ImageSet,
    LinkageScores,
    MembershipScores,
    MemorizationScores,
    Ranking,
    concatenate,
)
from .audits import Audit, Subject, tiny_audit, unshuffled
from .conformance import require
from .denoisers import Memorizer
from .worlds import named

LEVEL = 0.001  # an attack that keeps the contract fails the check of the null with this probability
Floats = NDArray[np.floating]
SLACK = 5e-3  # of the scores' spread: what another order of summation may change
LARGE = 256  # pixels a side: in so many dimensions exp(-d^2) underflows


def uniform_on_the_null(subject: Subject) -> None:
    """P-values over fresh patients are uniform; every other audit is not shuffled, so order and names must not count.

    Two-sided Kolmogorov-Smirnov for membership, whose p-values are continuous but for a few ties; the others come from
    permutations of counts and are conservative, so they are only required not to be too small.
    """
    from scipy.stats import kstest

    found: list[float] = []
    invalid = ""
    for seed in range(subject.seeds):
        with tempfile.TemporaryDirectory() as folder:
            audit = tiny_audit(subject.world, subject.facts.access, seed, Path(folder), leak=False)
            p = subject.p_value(unshuffled(audit) if seed % 2 else audit)
        invalid = p if isinstance(p, str) else invalid
        found += [p] if isinstance(p, float) else []
    _mostly_valid(len(found), subject.seeds, invalid)
    side = "two-sided" if subject.facts.family == "membership" else "greater"
    test = kstest(found, "uniform", alternative=side)
    small = sum(p < 0.05 for p in found)
    require(
        test.pvalue >= LEVEL,
        f"over {len(found)} releases without a leak p-values are not uniform (Kolmogorov-Smirnov {test.pvalue:.1g}, "
        f"{small} below 0.05, median {np.median(found):.2g})",
        "score images by what they show: not by order, names, files, or what tells members without the release",
    )


def finds_the_copycat(subject: Subject) -> None:
    """Half the samples are copies of members (the denoiser knows the members by heart): p < 0.05 nearly always."""
    seeds = max(3, subject.seeds // 4)
    found = [subject.p_value(subject.audit(seed, leak=True)) for seed in range(seeds)]
    values = [p for p in found if isinstance(p, float)]
    _mostly_valid(len(values), seeds, next((p for p in found if isinstance(p, str)), ""))
    caught = sum(p < 0.05 for p in values)
    require(
        caught >= len(values) - len(values) // 10,
        f"p < 0.05 in {caught} of {len(values)} audits of a release half of which are exact copies of members",
        "an attack must see exact copies; in a world too hard for its options, give others or world=World(...)",
    )


def _mostly_valid(valid: int, seeds: int, reason: str) -> None:
    require(
        2 * valid > seeds,
        f"{seeds - valid} of {seeds} findings were invalid: {reason}",
        "give options, or world=World(...), with which it works",
    )


def ignores_order_and_names(subject: Subject) -> None:
    """Candidates in another order, under other names, get the same scores."""
    audit = subject.audit()
    rng = np.random.default_rng(0)
    order = rng.permutation(len(audit.truth.candidates))
    patients = audit.truth.candidates.patients
    renamed = np.array([f"candidate-{i:06d}" for i in rng.permutation(len(patients))])
    shuffled = audit.truth.candidates.take(order)
    other = replace(shuffled, patient=renamed[np.searchsorted(patients, shuffled.patient)])
    before = subject.scores(audit)
    after = subject.scores(replace(audit, truth=replace(audit.truth, candidates=other)))
    columns = np.argsort(renamed)  # after's columns, in the order of before's
    for name, expected, got in _pairs(before, after, order, columns):
        require(
            _alike(expected, got),
            f"{name}: shuffled and renamed candidates got other scores",
            "score each candidate by its image alone; share noise among candidates, do not draw it in their order",
        )


def _pairs(
    before: AttackScores, after: AttackScores, order: NDArray[np.intp], columns: NDArray[np.intp]
) -> list[tuple[str, Floats, Floats]]:
    if isinstance(before, MembershipScores) and isinstance(after, MembershipScores):
        return [("score", before.score[order], after.score)]
    if isinstance(before, CanaryScores) and isinstance(after, CanaryScores):
        return [("score", before.score, after.score)]
    if isinstance(before, AttributeScores) and isinstance(after, AttributeScores):
        return [
            (a.attribute, *_coded(a.guess[order], b.guess)) for a, b in zip(before.guesses, after.guesses, strict=True)
        ]
    if isinstance(before, LinkageScores) and isinstance(after, LinkageScores):
        return [
            ("similarity", before.similarity[:, order], after.similarity),
            ("strangers", before.strangers[:, order], after.strangers),
        ]
    assert isinstance(before, MemorizationScores)
    assert isinstance(after, MemorizationScores)
    found = []
    for a, b in zip(before.spaces, after.spaces, strict=True):
        p = len(columns)
        found.append((f"space {a.space!r}: samples", _dense(a.samples, p)[:, columns], _dense(b.samples, p)))
        among = _dense(a.candidates, p)[order][:, columns]
        found.append((f"space {a.space!r}: candidates", among, _dense(b.candidates, p)))
    return found


def _coded(a: NDArray[np.generic], b: NDArray[np.generic]) -> tuple[Floats, Floats]:
    """Values as numbers, the same for the same."""
    codes = np.unique(np.concatenate([a, b]), return_inverse=True)[1].astype(np.float64)
    return codes[: len(a)], codes[len(a) :]


def _dense(ranking: Ranking, patients: int) -> Floats:
    """Distances ``(n, patients)``; who is not among the nearest lies at least as far as the last who is."""
    there = np.isfinite(ranking.distance)
    last = np.where(there, ranking.distance, 0).max(axis=1, initial=0)
    distance = np.repeat(last[:, None], patients, axis=1)
    rows, ranks = np.nonzero(there)
    distance[rows, ranking.patient[rows, ranks]] = ranking.distance[rows, ranks]
    return distance


def scores_each_sample_on_its_own(subject: Subject) -> None:
    """Scores of some samples are those rows of all samples' scores: the power certificate plants copies on that."""
    audit = subject.audit(leak=True)
    index = np.arange(len(audit.target.samples))[::-3]
    whole, part = subject.scores(audit), subject.scores(audit.with_samples(index))
    pairs: list[tuple[str, Floats, Floats]] = []
    if isinstance(whole, LinkageScores) and isinstance(part, LinkageScores):
        pairs = [
            ("similarity", whole.similarity[index], part.similarity),
            ("strangers", whole.strangers, part.strangers),
        ]
    elif isinstance(whole, MemorizationScores) and isinstance(part, MemorizationScores):
        for a, b in zip(whole.spaces, part.spaces, strict=True):
            p = len(a.patients)
            pairs.append((f"space {a.space!r}: samples", _dense(a.samples, p)[index], _dense(b.samples, p)))
            pairs.append((f"space {a.space!r}: candidates", _dense(a.candidates, p), _dense(b.candidates, p)))
    elif isinstance(whole, CanaryScores) and isinstance(part, CanaryScores):
        pairs = [("score", whole.score, part.score)]
    for name, expected, got in pairs:
        require(
            _alike(expected, got),
            f"{name}: changed when other samples were left out",
            "compare every sample with the candidates alone; normalise by reference or candidates, never by samples",
        )


def _alike(a: Floats, b: Floats) -> bool:
    finite = np.isfinite(a)
    if a.shape != b.shape or not np.array_equal(finite, np.isfinite(b)):
        return False
    x, y = a[finite].astype(np.float64), b[finite].astype(np.float64)
    return not len(x) or bool(np.abs(x - y).max() <= SLACK * max(float(x.std()), 1e-12))


def tells_candidates_apart(subject: Subject) -> None:
    """Different images have different scores, also in many dimensions (exp(-d^2) underflows: ties read as "safe")."""
    for world in (subject.world, replace(subject.world, side=LARGE, patients=8, reserve=16)):
        audit = subject.audit(world=world)
        try:
            scores = subject.scores(audit)
        except (BadInputError, SkippedError):
            if world is subject.world:
                raise
            continue
        assert isinstance(scores, MembershipScores)
        _, counts = np.unique(scores.score, return_counts=True)
        n = len(scores.score)
        tied = float((counts * (counts - 1)).sum() / (n * (n - 1)))
        require(
            tied < 0.5,
            f"{tied:.0%} of all pairs of {world.side}-pixel candidates have tied scores",
            "do not let scores underflow: return a distance or a logarithm, not exp of it",
        )


def rewards_a_copy(subject: Subject) -> None:
    """Releasing a copy of a candidate never lowers that candidate's score relative to the others'."""
    audit = subject.audit()
    scores = subject.scores(audit)
    fix = "higher score or smaller distance means nearer: check the sign, and that a copy has distance 0"
    if isinstance(scores, MembershipScores):
        chosen = np.argsort(scores.score, kind="stable")[:: max(1, len(scores.score) // 4)][:4]
        for i in chosen.tolist():
            before = _rank(scores.score, i)
            again = subject.scores(_with_copies(audit, np.array([i])))
            assert isinstance(again, MembershipScores)
            after = _rank(again.score, i)
            require(
                after >= before - 0.05,
                f"when its copy was released, a candidate fell from rank {before:.0%} to {after:.0%}",
                fix,
            )
        return
    chosen = np.arange(0, len(audit.truth.candidates), max(1, len(audit.truth.candidates) // 6))
    again = subject.scores(_with_copies(audit, chosen))
    if isinstance(scores, AttributeScores):
        assert isinstance(again, AttributeScores)
        _rewards_told(scores, again, audit, chosen)
        return
    owner = audit.truth.candidates.patient[chosen]
    rows = slice(-len(chosen), None)
    found: list[tuple[str, Floats, NDArray[np.bool_]]] = []
    if isinstance(again, LinkageScores):
        own = owner[:, None] == audit.truth.candidates.patient[None]
        found = [("similarity", -again.similarity[rows].astype(np.float64), own)]
    elif isinstance(again, MemorizationScores):
        found = [
            (f"space {s.space!r}", _dense(s.samples, len(s.patients))[rows], owner[:, None] == s.patients[None])
            for s in again.spaces
        ]
    for name, distance, own in found:
        nearest = np.where(own, distance, np.inf).min(axis=1)
        wrong = int((nearest > distance.min(axis=1) + SLACK * max(float(distance.std()), 1e-12)).sum())
        require(not wrong, f"{name}: {wrong} of {len(chosen)} exact copies are closer to another patient", fix)


def _rewards_told(before: AttributeScores, after: AttributeScores, audit: Audit, chosen: NDArray[np.intp]) -> None:
    """Who was copied with his attributes is guessed right at least as often as before."""
    for first, second in zip(before.guesses, after.guesses, strict=True):
        true = attribute_of(audit.truth.candidates, first.attribute, first.edges)
        assert true is not None
        was, now = (int((found.guess == true)[chosen].sum()) for found in (first, second))
        require(
            now >= was,
            f"{first.attribute}: of {len(chosen)} candidates whose copies were released {now} were guessed right, "
            f"{was} before",
            "guess what the nearest released image says",
        )


def _rank(score: Floats, i: int) -> float:
    return float(((score < score[i]).mean() + (score <= score[i]).mean()) / 2)


def _with_copies(audit: Audit, index: NDArray[np.intp]) -> Audit:
    """The audit with copies of some candidates at the end of the release, and learned by heart."""
    copies = audit.truth.candidates.take(index)
    both = named(_joined(audit.target.samples, copies))
    target = replace(audit.target, samples=both)
    if target.open_denoiser is not None:
        denoiser = audit.target.denoiser()
        assert isinstance(denoiser, Memorizer)
        learned = Memorizer(_joined(denoiser.memory, copies))
        target = replace(target, open_denoiser=lambda: learned)
    return replace(audit, target=target, truth=replace(audit.truth, samples=both))


def _joined(images: ImageSet, copies: ImageSet) -> ImageSet:
    return concatenate(replace(images, source=None, visit=None), replace(copies, source=None, visit=None))


def survives_monotone_transforms(subject: Subject) -> None:
    """Only the order of scores counts: their ranks give the same AUC and p-value."""
    audit = subject.audit(leak=True)
    scores = subject.scores(audit)
    ranked: AttackScores
    if isinstance(scores, MembershipScores | CanaryScores):
        ranked = replace(scores, score=_ranks(scores.score)[0])
    elif isinstance(scores, LinkageScores):
        pairs = [part for p in scores.power for part in (p.same, p.different)]
        first, second, *rest = _ranks(scores.similarity, scores.strangers, *pairs)
        power = tuple(
            replace(p, same=a, different=b) for p, a, b in zip(scores.power, rest[::2], rest[1::2], strict=True)
        )
        ranked = replace(scores, similarity=first.astype(np.float32), strangers=second.astype(np.float32), power=power)
    else:
        return
    found = [_figures(audit, s) for s in (scores, ranked)]
    require(
        found[0] == found[1],
        "AUC or p-value changed when scores were replaced by their ranks",
        "return scores on a scale where different values stay different",
    )


def _ranks(*arrays: Floats) -> list[FloatArray]:
    levels = np.unique(np.concatenate([np.ravel(a).astype(np.float64) for a in arrays]))
    return [np.searchsorted(levels, a.astype(np.float64)).astype(np.float64) for a in arrays]


def _figures(audit: Audit, scores: AttackScores) -> list[tuple[str, str, float | None, float | None]]:
    def figures(e: Estimate) -> tuple[str, str, float | None, float | None]:
        return e.name, e.group, e.value, e.p_value

    measured = measure(scores, audit.truth, audit.engine)
    # A mean of images does depend on the scale.
    return [figures(e) for e in measured.estimates if e.group != MEAN]
