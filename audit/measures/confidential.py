"""Per-record scores, for the owner of the data alone: files of their own, never part of record, report or log."""

import csv
import io
from collections.abc import Iterable

import numpy as np

from ..attributes import attribute_of
from ..types import (
    AttackScores,
    AttributeScores,
    CanaryScores,
    LinkageScores,
    MembershipScores,
    MemorizationScores,
    Names,
)
from .measured import Truth

HEADER = "# CONFIDENTIAL: scores of individual patients. Do not publish."


def confidential_csv(scores: AttackScores, truth: Truth) -> str:
    """One row a candidate (membership, attributes), released image (memorization, re-identification), or canary."""
    if isinstance(scores, MembershipScores):
        columns = ["patient", "member", "score"]
        rows: Iterable[Iterable[object]] = zip(
            truth.patient.tolist(), truth.member.astype(int).tolist(), scores.score.tolist(), strict=True
        )
    elif isinstance(scores, MemorizationScores):
        columns, rows = _distances(scores, truth)
    elif isinstance(scores, LinkageScores):
        columns, rows = _similarities(scores, truth)
    elif isinstance(scores, AttributeScores):
        columns, rows = _guesses(scores, truth)
    elif isinstance(scores, CanaryScores):
        columns, rows = ["canary", "score"], zip(scores.canaries.tolist(), scores.score.tolist(), strict=True)
    else:
        raise TypeError(f"nobody writes {type(scores).__name__}")
    text = io.StringIO()
    text.write(HEADER + "\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def _distances(scores: MemorizationScores, truth: Truth) -> tuple[list[str], Iterable[Iterable[object]]]:
    patients = scores.spaces[0].patients
    member, _ = truth.of_patients(patients)
    real = _real_names(patients, truth)
    columns, values = ["image"], [np.arange(len(scores.spaces[0].samples)).astype(str)]
    for space in scores.spaces:
        for side, group in (("member", member), ("holdout", ~member)):
            near, column = space.samples.nearest_in(group)
            columns += [f"{space.space}_{side}", f"{space.space}_{side}_patient"]
            values += [near.astype(np.float32).astype(str), np.where(np.isfinite(near), real[column], "")]
    return columns, zip(*values, strict=True)


def _similarities(scores: LinkageScores, truth: Truth) -> tuple[list[str], Iterable[Iterable[object]]]:
    columns, values = ["image"], [np.arange(len(scores.similarity)).astype(str)]
    for side, group in (("member", truth.member), ("holdout", ~truth.member)):
        best = scores.similarity[:, group]
        columns += [f"{side}_score", f"{side}_patient"]
        values += [best.max(axis=1).astype(str), truth.patient[group][best.argmax(axis=1)]]
    return columns, zip(*values, strict=True)


def _guesses(scores: AttributeScores, truth: Truth) -> tuple[list[str], Iterable[Iterable[object]]]:
    columns, values = ["patient", "member"], [truth.patient, truth.member.astype(int)]
    for guesses in scores.guesses:
        true = attribute_of(truth.candidates, guesses.attribute, guesses.edges)
        columns += [guesses.attribute, f"{guesses.attribute}_guess", f"{guesses.attribute}_prior"]
        values += [np.full(len(truth.patient), "") if true is None else true, guesses.guess, guesses.prior]
    return columns, zip(*(column.tolist() for column in values), strict=True)


def _real_names(pseudonyms: Names, truth: Truth) -> Names:
    names, first = np.unique(truth.candidates.patient, return_index=True)
    return truth.patient[first[np.searchsorted(names, pseudonyms)]]
