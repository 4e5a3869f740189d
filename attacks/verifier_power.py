"""What verifiers make of pairs and searches with a known answer: real images and altered copies of unseen patients."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..audit.context import Context
from ..audit.power.alteration import altered
from ..audit.types import GalleryScores, ImageSet, Index, Names, PairScores, Pixels
from .ensemble import Ensemble, averaged
from .verifier import ALTERED, views_of

PAIRS, COPIES = 50_000, 5_000  # pairs of two patients that are kept at most: of real images, of each kind of copy
KINDS = {"noise": "noise", "shift": "shift", "intensity": "intensity", "rotation": "rotate"}
STRENGTHS = (1.0, 0.5, 2.0)  # times the amounts that audit/power/alteration.py documents
REAL, ACROSS, ALL = "unseen patients", "across visits", "perturbed copies"
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Shown:
    """The power that verifiers showed.

    Attributes:
        pairs: by kind, real ones first.
        searches: by kind, real ones first.
        each: of every verifier by itself, on the first kind of pair.
    """

    pairs: tuple[PairScores, ...]
    searches: tuple[GalleryScores, ...]
    each: tuple[PairScores, ...]


def power_of(ensemble: Ensemble, images: ImageSet, context: Context) -> Shown:
    """Real pairs where a patient has two images, those of two visits where there are such, and altered copies.

    A copy is compared with its original, and searched for among all images; a real image is searched for among the
    others (across visits: among those that its own visit did not give).

    Args:
        ensemble: to be tried.
        images: of patients on whom no verifier was trained.
        context: where randomness comes from.
    """
    patient = images.patient
    vectors = ensemble.vectors(images.pixels)
    same = patient[:, None] == patient[None]
    alone = np.eye(len(images), dtype=bool)
    once = np.triu(~alone)
    pairs: list[PairScores] = []
    searches: list[GalleryScores] = []
    each: tuple[PairScores, ...] = ()
    scores = ensemble.each(vectors, vectors)
    mean = averaged(scores)
    wanted = {REAL: (same & ~alone, alone)}
    if images.visit is not None:
        later = images.visit[:, None] != images.visit[None]
        wanted[ACROSS] = same & later, same & ~later
    for name, (genuine, hidden) in wanted.items():
        if genuine.any():
            chosen = _chosen(genuine & once, ~same & once, PAIRS, context.rng("different pairs", name))
            pairs.append(_pairs(name, mean, chosen, patient))
            searches.append(GalleryScores(name, np.where(hidden, np.float32(-np.inf), mean), patient, patient))
            each = each or tuple(_pairs(name, own, chosen, patient) for own in scores)
    for name, alteration, strength, copies in _copies(images, context):
        scores = ensemble.each(ensemble.vectors(copies), vectors)
        mean = averaged(scores)
        chosen = _chosen(alone, ~same, COPIES, context.rng("different pairs", name))
        pairs.append(_pairs(name, mean, chosen, patient, alteration, strength))
        each = each or tuple(_pairs(name, own, chosen, patient, alteration, strength) for own in scores)
        if strength == 1:
            searches.append(GalleryScores(name, mean, patient, patient))
    return Shown(tuple(pairs), tuple(searches), each)


def _copies(images: ImageSet, context: Context) -> list[tuple[str, str, float, Pixels]]:
    """Name, alteration, strength and pixels: all alterations at once, then each by itself."""
    bare = ImageSet(images.pixels, images.patient)
    found = [(ALL, "all at once", 1.0, views_of(images.pixels, ALTERED, context.torch_rng("altered copies")))]
    for kind, how in KINDS.items():
        for strength in STRENGTHS:
            name = kind if strength == 1 else f"{kind} x{strength:g}"
            found.append((name, kind, strength, altered(bare, how, strength, context.rng("altered", name)).pixels))
    return found


def _chosen(same: Mask, different: Mask, most: int, rng: np.random.Generator) -> tuple[Index, Index]:
    """Row and column of pairs of one patient, and of some of two."""
    genuine, impostor = np.argwhere(same), np.argwhere(different)
    if len(impostor) > most:
        impostor = impostor[np.sort(rng.choice(len(impostor), most, replace=False))]
    return genuine, impostor


def _pairs(
    name: str, scores: Pixels, chosen: tuple[Index, Index], patient: Names, alteration: str = "", strength: float = 1.0
) -> PairScores:
    genuine, impostor = chosen
    return PairScores(
        name=name,
        same=scores[tuple(genuine.T)].astype(np.float64),
        different=scores[tuple(impostor.T)].astype(np.float64),
        same_patient=patient[genuine[:, 0]],
        different_patient=patient[impostor[:, 0]],
        alteration=alteration,
        strength=strength,
    )
