"""What the engine checks of values that plugins hand it, so that a broken plugin cannot pass for a safe generator."""

import numpy as np
from numpy.typing import NDArray

from .attributes import ATTRIBUTES
from .errors import BadInputError
from .measures.measured import Truth
from .plugin import Need
from .registry import Plugin
from .types import (
    CANDIDATE_RANKS,
    RANKS,
    AttackScores,
    AttributeScores,
    CanaryScores,
    ImageSet,
    Index,
    LinkageScores,
    MembershipScores,
    MemorizationScores,
    Ranking,
    SpaceDistances,
    Split,
)

BLOCK = 256


def check_needs(split: Split, plugins: list[Plugin]) -> None:
    """Every plugin has what it needs of the cohort, before anything is trained.

    Raises:
        BadInputError: naming the plugin, what it lacks and the fix.
    """
    sizes = {part: len(images.patients) for part, images in split.parts()}
    for plugin in plugins:
        for need in plugin.facts.needs:
            if not _has(split, need):
                raise BadInputError(f"{plugin.label} needs {MISSING[need][0]}, the cohort has none\n{MISSING[need][1]}")
        for part, least in plugin.facts.patients.items():
            if sizes.get(part, 0) < least:
                raise BadInputError(
                    f"{plugin.label} needs at least {least} {part} patients, the cohort has {sizes.get(part, 0)}\n"
                    f"give the cohort more patients, or leave this {plugin.entry.kind} out"
                )


MISSING: dict[Need, tuple[str, str]] = {
    "public": ("public images", "mark some with split=public in metadata.csv, or choose another generator"),
    "reserve": ("reserve patients", "raise --cohort-opt reserve=..., or mark some with split=reserve"),
    "mask": ("lesion masks", "give mask_file_name in metadata.csv, or leave this plugin out"),
    "label": ("labels", "give a column label in metadata.csv, or leave this plugin out"),
    "center": ("centres", "give a column center in metadata.csv, or leave this plugin out"),
    "visit": ("examinations", "give a column visit in metadata.csv, or leave this plugin out"),
}


def _has(split: Split, need: Need) -> bool:
    part = getattr(split, need, None) if need in {"public", "reserve"} else getattr(split.members, need)
    return part is not None and len(part) > 0


def check_samples(images: ImageSet, members: ImageSet, label: str) -> None:
    """A generator's images have the cohort's shape and are finite and in [0, 1].

    Raises:
        BadInputError: if not.
    """
    expected = members.pixels.shape[1:]
    if not len(images):
        raise BadInputError(f"{label} gave no images")
    if images.pixels.shape[1:] != expected:
        raise BadInputError(
            f"{label}: its images are {images.pixels.shape[1:]} (channels, height, width), the cohort's {expected}\n"
            "bring both to one size with the option size, and to one number of channels"
        )
    for part in images.batches(BLOCK):
        if not np.isfinite(part.pixels).all() or part.pixels.min() < 0 or part.pixels.max() > 1:
            raise BadInputError(f"{label}: its images have values that are not finite or not in [0, 1]")


SCORES: dict[str, type[AttackScores]] = {
    "membership": MembershipScores,
    "memorization": MemorizationScores,
    "reidentification": LinkageScores,
    "attribute": AttributeScores,
    "canary": CanaryScores,
}


def check_scores(scores: AttackScores, truth: Truth, label: str, family: str | None = None) -> None:
    """An attack's scores are of its family's kind, have a row for each candidate or sample, and are numbers.

    Args:
        scores: what it returned.
        truth: of the audit.
        label: of the attack, for messages.
        family: that it declared; None: any.

    Raises:
        TypeError: if they are not scores, or of another family.
        ValueError: if a shape is wrong, a score is not a number, or sibling images count as neighbours.
    """
    expected = SCORES.get(family or "")
    if expected and not isinstance(scores, expected):
        raise TypeError(f"{label} declares family {family} but returned {type(scores).__name__}")
    for array, rows in _arrays(scores, len(truth.candidates), len(truth.samples), label):
        if array.shape != rows:
            raise ValueError(f"{label} returned scores of shape {array.shape}, not {rows}")
        if np.isnan(array).any():
            raise ValueError(f"{label} returned scores that are not numbers")
    _check_kind(scores, truth, label)


def _check_kind(scores: AttackScores, truth: Truth, label: str) -> None:
    """What scores of one kind must be besides."""
    if isinstance(scores, MembershipScores | CanaryScores) and np.isinf(scores.score).any():
        raise ValueError(f"{label} returned infinite scores: they tie, and a tie is no guess")
    if isinstance(scores, MemorizationScores):
        for space in scores.spaces:
            _check_space(space, truth, label)
    if isinstance(scores, LinkageScores):
        _check_power(scores, label)
    if isinstance(scores, AttributeScores):
        _check_guesses(scores, len(truth.candidates), label)
    if isinstance(scores, CanaryScores) and not np.array_equal(scores.canaries, np.unique(scores.canaries)):
        raise ValueError(f"{label}: its canaries are not different patients in sorted order")


def _check_power(scores: LinkageScores, label: str) -> None:
    """There are strangers, and pairs of either kind: without them no threshold and no power could be named."""
    for own in (scores, *scores.verifiers):
        if not len(own.strangers):
            raise ValueError(f"{label} returned no strangers: what a false match looks like is not known")
        if not own.power:
            raise ValueError(f"{label} returned no pairs with a known answer: it shows no power")
        for pairs in own.power:
            if not (len(pairs.same) and len(pairs.different)):
                raise ValueError(f"{label} returned no pairs of one patient, or none of two, as '{pairs.name}'")


def _check_guesses(scores: AttributeScores, candidates: int, label: str) -> None:
    """Attributes that there are, each once, with a guess for every candidate, and a prior of the same kind."""
    names = [guesses.attribute for guesses in scores.guesses]
    if not names or len(set(names)) < len(names) or not set(names) <= set(ATTRIBUTES):
        raise ValueError(f"{label} guessed {names}, not each of some of {list(ATTRIBUTES)} once")
    for guesses in scores.guesses:
        for guess in (guesses.guess, guesses.prior, *([] if guesses.told is None else [guesses.told])):
            if guess.shape != (candidates,):
                raise ValueError(f"{label}, {guesses.attribute}: guesses are {guess.shape}, not ({candidates},)")
        kinds = {guess.dtype.kind for guess in (guesses.guess, guesses.prior)}
        if kinds != {"U" if guesses.attribute == "center" else "i"}:
            raise ValueError(f"{label}, {guesses.attribute}: guesses are not of the kind of what is guessed")
        if guesses.told is not None and guesses.told.dtype != np.bool_:
            raise ValueError(f"{label}, {guesses.attribute}: what rests on the release is not given as bool")
        if list(guesses.edges) != sorted(set(guesses.edges)):
            raise ValueError(f"{label}, {guesses.attribute}: the edges of its classes do not rise")


def _check_space(space: SpaceDistances, truth: Truth, label: str) -> None:
    candidates, patients = truth.candidates, truth.candidates.patients
    label = f"{label}, space '{space.space}'"
    if not np.array_equal(space.patients, patients):
        raise ValueError(f"{label}: its columns are not the candidate patients in sorted order")
    own = np.searchsorted(patients, candidates.patient)
    if (space.candidates.patient == own[:, None]).any():
        raise ValueError(f"{label}: a candidate's own patient is among its neighbours")
    _check_ranking(space.samples, own, len(patients), f"{label}, samples")
    _check_ranking(space.candidates, own, len(patients) - 1, f"{label}, candidates")
    if space.cells is not None:
        for cell, n in zip(space.cells, (len(truth.samples), len(candidates)), strict=True):
            if cell.shape != (n,) or not np.issubdtype(cell.dtype, np.integer) or cell.min(initial=0) < 0:
                raise ValueError(f"{label}: its cells are not one number from 0 for each sample and candidate image")


def _check_ranking(ranking: Ranking, owner: Index, others: int, label: str) -> None:
    """Each row holds different patients, nearest first, as many as there are, and an image of each.

    Args:
        ranking: of samples or candidates.
        owner: ``(m,)`` the patient of each candidate image, as a column number.
        others: patients that may be neighbours.
        label: for messages.
    """
    distance, patient, image = ranking.distance, ranking.patient, ranking.image
    if {patient.shape, image.shape} != {distance.shape} or {patient.dtype, image.dtype} != {np.dtype(np.int32)}:
        raise ValueError(f"{label}: patients and images are not int32 arrays of the distances' shape")
    there = np.arange(distance.shape[1]) < others
    if not (np.isfinite(distance) == there).all() or not ((patient >= 0) == there).all():
        raise ValueError(f"{label}: a row does not hold the {min(others, len(there))} nearest of {others} patients")
    distance, patient, image = distance[:, there], patient[:, there], image[:, there]
    if (np.diff(distance, axis=1) < 0).any():
        raise ValueError(f"{label}: patients are not in the order of their distances")
    if (np.diff(np.sort(patient, axis=1), axis=1) == 0).any():
        raise ValueError(f"{label}: a row names one patient twice")
    if image.size and (image.min() < 0 or image.max() >= len(owner) or (owner[image] != patient).any()):
        raise ValueError(f"{label}: an image is not one of the patient it stands for")


def _arrays(
    scores: AttackScores, candidates: int, samples: int, label: str
) -> list[tuple[NDArray[np.floating], tuple[int, ...]]]:
    if isinstance(scores, MembershipScores):
        return [(scores.score, (candidates,))]
    if isinstance(scores, AttributeScores):
        return []
    if isinstance(scores, CanaryScores):
        return [(scores.score, (len(scores.canaries),))]
    if isinstance(scores, LinkageScores):
        return [
            (scores.similarity, (samples, candidates)),
            (scores.strangers, (len(scores.strangers), candidates)),
            *((search.similarity, (len(search.query), len(search.gallery))) for search in scores.searches),
            *(pair for own in scores.verifiers for pair in _arrays(own, candidates, samples, label)),
        ]
    if isinstance(scores, MemorizationScores):
        return [
            pair
            for space in scores.spaces
            for pair in (
                (space.samples.distance, (samples, min(RANKS, len(space.patients)))),
                (space.candidates.distance, (candidates, min(CANDIDATE_RANKS, len(space.patients)))),
            )
        ]
    raise TypeError(f"{label} returned {type(scores).__name__}, not scores")
