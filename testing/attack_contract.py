"""What an attack must return, and from what it must keep its hands."""

import inspect
from dataclasses import replace
from functools import partial
from typing import get_args

import numpy as np
from pydantic.fields import FieldInfo

from ..audit.contract import check_scores
from ..audit.errors import AccessError, BadInputError, InvalidError, SkippedError
from ..audit.target import Access, Denoiser, Target
from ..audit.types import (
    AttackScores,
    AttributeScores,
    CanaryScores,
    LinkageScores,
    MembershipScores,
    MemorizationScores,
)
from .audits import Audit, Subject
from .conformance import UnmetError, require
from .purity import Parts, require_inputs_kept, require_no_global_rng, require_repeatable

WANTED = {
    MembershipScores: "one finite float64 for each candidate, in the order given",
    MemorizationScores: "make each ranking with Ranking.of(distances, candidates.patient): of each sample the 48 "
    "nearest patients, numbered in the sorted order of candidates.patients; of each candidate image the 128 nearest "
    "others (own=candidates.patient), for a sibling slice is no neighbour",
    CanaryScores: "one finite float64 for each canary, whose names are different and sorted",
    AttributeScores: "of each attribute a guess and a prior for every candidate, in the order given, in that field's "
    "own values (a lesion's size: its class by edges)",
    LinkageScores: "one row per sample or stranger, one column per candidate, in the order given, without NaN; "
    "strangers are reference images, and power is at least one kind of PairScores of unseen reference patients",
}
"""What valid scores look like, by what an attack returned."""


def require_facts(plugin: object) -> None:
    """A description, and a type and a description for every option."""
    first = (inspect.getdoc(plugin) or "").split("\n", 1)[0]
    require(
        first.endswith("."),
        f"the docstring's first line is {first!r}",
        "begin the docstring with one sentence: privbench list and the report show it",
    )
    assert callable(plugin)
    for parameter in inspect.signature(plugin).parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            raise UnmetError("it takes **keywords, which nobody can check", "name each option")
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            notes = [a for a in get_args(parameter.annotation)[1:] if isinstance(a, FieldInfo) and a.description]
            require(
                notes,
                f"option {parameter.name!r} has no description",
                f'annotate it: {parameter.name}: Annotated[type, Field(description="...")] = default',
            )


def valid_scores(scores: AttackScores, audit: Audit, subject: Subject) -> None:
    """Scores of the declared family, of the engine's shapes and types, and numbers."""
    try:
        check_scores(scores, audit.truth, "the attack", subject.facts.family)
    except (ValueError, TypeError) as error:
        raise UnmetError(str(error), WANTED.get(type(scores), "return the scores of its family")) from error
    if isinstance(scores, MembershipScores | CanaryScores):
        _numbers("score", scores.score, np.float64)
    elif isinstance(scores, LinkageScores):
        _numbers("similarity", scores.similarity, np.float32)
        _numbers("strangers", scores.strangers, np.float32)
        for pairs in scores.power:
            _numbers(f"{pairs.name}: same", pairs.same, np.float64)
            _numbers(f"{pairs.name}: different", pairs.different, np.float64)
        for search in scores.searches:
            there = np.where(np.isneginf(search.similarity), np.float32(0), search.similarity)
            _numbers(f"search {search.name!r}", there, np.float32)
    elif isinstance(scores, MemorizationScores):
        _valid_spaces(scores)


def _numbers(name: str, array: object, dtype: type) -> None:
    require(
        isinstance(array, np.ndarray) and array.dtype == dtype,
        f"{name} is {getattr(array, 'dtype', type(array).__name__)}",
        f"return a NumPy array of {dtype.__name__}",
    )
    assert isinstance(array, np.ndarray)
    require(
        np.isfinite(array).all(), f"{name} is not finite", "score in a scale that neither overflows nor divides by 0"
    )


def _valid_spaces(scores: MemorizationScores) -> None:
    require(scores.spaces, "there is no space", "return at least one SpaceDistances")
    names = [space.space for space in scores.spaces]
    require(len(set(names)) == len(names), f"two spaces have one name: {names}", "name each space for what it compares")
    for space in scores.spaces:
        for name, ranking in (("samples", space.samples), ("candidates", space.candidates)):
            found = np.where(np.isposinf(ranking.distance), np.float32(0), ranking.distance)
            _numbers(f"space {space.space!r}: {name}", found, np.float32)
            require(found.min(initial=0) >= 0, f"space {space.space!r}: a distance is negative", "none is")


def returns_valid_scores(subject: Subject) -> None:
    """On a harmless and on a leaking release."""
    for leak in (False, True):
        audit = subject.audit(leak=leak)
        valid_scores(subject.scores(audit), audit, subject)


def repeats_itself(subject: Subject) -> None:
    """To the bit, under one context."""
    audit = subject.audit()
    require_repeatable(partial(subject.scores, audit))


def leaves_global_rngs(subject: Subject) -> None:
    """Python's, NumPy's, torch's."""
    audit = subject.audit()
    require_no_global_rng(partial(subject.scores, audit))


def leaves_inputs(subject: Subject) -> None:
    """Candidates, samples, reference and public images."""
    audit = subject.audit()
    split = audit.split
    assert split.public is not None
    parts = {
        "candidates": audit.truth.candidates,
        "samples": audit.target.samples,
        "reference": split.reference,
        "public": split.public,
    }

    def run(given: Parts) -> None:
        changed = replace(
            audit,
            split=replace(split, reference=given["reference"], public=given["public"]),
            truth=replace(audit.truth, candidates=given["candidates"]),
            target=replace(audit.target, samples=given["samples"]),
        )
        subject.scores(changed)

    require_inputs_kept(parts, run)


def takes_only_the_declared_access(subject: Subject) -> None:
    """Whoever declares SAMPLES never opens the denoiser; whoever declares more asks for it where it is not granted."""
    audit = subject.audit()
    opened: list[bool] = []

    def open_denoiser() -> Denoiser:
        opened.append(True)
        raise AccessError("the check grants none")

    if subject.facts.access is Access.SAMPLES:
        target = Target(audit.target.samples, Access.WEIGHTS, "tiny", open_denoiser)
        try:
            subject.scores(replace(audit, target=target))
        except AccessError:
            opened.append(True)
        require(not opened, "it declares SAMPLES and opened the denoiser", "declare access=Access.DENOISER")
        return
    target = Target(audit.target.samples, Access.SAMPLES, "tiny", open_denoiser)
    try:
        subject.scores(replace(audit, target=target))
    except AccessError:
        return
    raise UnmetError(
        f"it declares {subject.facts.access.name} and made scores where only SAMPLES was granted",
        "declare access=Access.SAMPLES, or let target.denoiser() raise",
    )


def survives(subject: Subject, audit: Audit) -> None:
    """Valid scores, or an error that says what is missing."""
    fix = "return scores, or raise BadInputError, SkippedError or InvalidError with the reason"
    try:
        scores = subject.scores(audit)
    except (BadInputError, SkippedError, InvalidError):
        return
    except Exception as error:
        raise UnmetError(f"it raised {type(error).__name__}: {error}".split("\n", 1)[0], fix) from error
    try:
        valid_scores(scores, audit, subject)
    except UnmetError as error:
        raise UnmetError(f"{error.seen} (instead of an error)", fix) from error


def takes_one_sample(subject: Subject) -> None:
    """A release of one image."""
    survives(subject, subject.audit().with_samples(slice(0, 1)))


def takes_no_samples(subject: Subject) -> None:
    """An empty release."""
    survives(subject, subject.audit().with_samples(slice(0, 0)))


def takes_one_patient_a_side(subject: Subject) -> None:
    """One member, one holdout patient, of one image each."""
    survives(subject, subject.audit(world=replace(subject.world, patients=1, images=1)))
