"""Searching a gallery for one patient's images: mAP@R, R-precision and P@1 of each query, and what chance gives.

Musgrave et al., A metric learning reality check (arXiv 2003.08505). The figures are those of pytorch-metric-learning
(a test compares them), which gives their means only: intervals by patient, and permutations, need each query's.
"""

from dataclasses import dataclass

import numpy as np

from ..types import FloatArray, GalleryScores, Index, Pixels

FIGURES = ("map@r", "r_precision", "precision@1")
BLOCK = 2**22  # cells of a score matrix that are sorted at a time


@dataclass(frozen=True, eq=False, slots=True)
class Searches:
    """The first answers of each search of a gallery, patients being numbers.

    Attributes:
        ranked: ``(q, k)`` the patients of the k best matches, best first; -1 where nothing is left to search.
        asked: ``(q,)`` the patient that each query shows.
        relevant: ``(q,)`` R: how many images of that patient it can find, at least 1 and at most k.
        gallery: ``(q,)`` N: how many images it searches.
    """

    ranked: Index
    asked: Index
    relevant: Index
    gallery: Index

    @classmethod
    def of(cls, scores: GalleryScores) -> "tuple[Searches, Index]":
        """The searches that can succeed, and which queries these are: others show nobody of the gallery.

        Equal scores keep the gallery's order, which for candidates is random.
        """
        patients, code = np.unique(scores.gallery, return_inverse=True)
        asked = np.searchsorted(patients, scores.query)
        known = patients[np.minimum(asked, len(patients) - 1)] == scores.query
        found = np.full(len(asked), -1)
        found[known] = asked[known]
        searched = np.isfinite(scores.similarity)
        relevant = np.array([int(row[code == a].sum()) for row, a in zip(searched, found, strict=True)], dtype=np.intp)
        use = np.flatnonzero(relevant)
        most = int(relevant.max(initial=0))
        searches = cls(_best(scores.similarity[use], code, most), found[use], relevant[use], searched[use].sum(axis=1))
        return searches, use

    def __len__(self) -> int:
        return len(self.asked)

    def described(self) -> str:
        """N and R in words."""
        return f"gallery of {_span(self.gallery)} images, R = {_span(self.relevant)}"

    def figures(self, asked: Index | None = None, relevant: Index | None = None) -> FloatArray:
        """``(3, q)`` mAP@R, R-precision and P@1 of each query.

        Args:
            asked: ``(q,)`` whom the queries are said to show; None: whom they do.
            relevant: ``(q,)`` how many images of them there are to find.
        """
        asked = self.asked if asked is None else asked
        relevant = self.relevant if relevant is None else relevant
        match = self.ranked == asked[:, None]
        rank = np.arange(1, self.ranked.shape[1] + 1)
        hit = match & (rank <= relevant[:, None])
        average = (np.cumsum(hit, axis=1) / rank * hit).sum(axis=1) / relevant
        return np.stack([average, hit.sum(axis=1) / relevant, match[:, 0].astype(np.float64)])

    def chance(self) -> FloatArray:
        """``(3,)`` what random rankings give on average, exactly."""
        pairs, counts = np.unique(np.stack([self.gallery, self.relevant]), axis=1, return_counts=True)
        each = np.array([chance_at_r(int(n), int(r)) for n, r in pairs.T])
        mean: FloatArray = counts @ each / counts.sum()
        return mean


def chance_at_r(gallery: int, relevant: int) -> tuple[float, float, float]:
    """Expected mAP@R, R-precision and P@1 of a random ranking of N images, R of them matches.

    Any rank holds a match with probability R / N, so R-precision and P@1 are R / N on average, and given that rank i
    does, each rank before it does with probability (R - 1) / (N - 1):
    mAP@R = (1/R) sum_{i=1..R} (1/i) (R/N) (1 + (i-1)(R-1)/(N-1)). All by linearity of expectation, so exact.

    Args:
        gallery: N.
        relevant: R.
    """
    share = relevant / gallery
    if gallery == 1:
        return 1.0, 1.0, 1.0
    i = np.arange(1, relevant + 1)
    terms = share * (1 + (i - 1) * (relevant - 1) / (gallery - 1)) / i
    return float(terms.sum() / relevant), share, share


def _best(similarity: Pixels, code: Index, most: int) -> Index:
    """``(q, most)`` patients of the best matches, some rows at a time; -1 where a score is ``-inf``."""
    ranked = np.full((len(similarity), most), -1, dtype=np.intp)
    rows = max(1, BLOCK // max(1, similarity.shape[1]))
    for start in range(0, len(similarity), rows):
        block = similarity[start : start + rows]
        order = _first(block, most)
        there = np.isfinite(np.take_along_axis(block, order, axis=1))
        ranked[start : start + rows] = np.where(there, code[order], -1)
    return ranked


def _first(scores: Pixels, most: int) -> Index:
    """Columns of the ``most`` largest scores of each row, largest first; equal ones keep their order."""
    if not 0 < most < scores.shape[1]:
        return np.argsort(-scores, axis=1, kind="stable")[:, :most]
    chosen = np.sort(np.argpartition(-scores, most - 1, axis=1)[:, :most], axis=1)
    found = np.take_along_axis(scores, chosen, axis=1)
    order = np.take_along_axis(chosen, np.argsort(-found, axis=1, kind="stable"), axis=1)
    tied = np.flatnonzero((scores >= found.min(axis=1, keepdims=True)).sum(axis=1) > most)
    order[tied] = np.argsort(-scores[tied], axis=1, kind="stable")[:, :most]
    return order


def _span(counts: Index) -> str:
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low}-{high}"
