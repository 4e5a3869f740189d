"""Several audits held against one another, on the same patients; refused where they did not ask about the same."""

from collections.abc import Sequence

from .comparing.differences import MANY, differences_of, main_figures, overall
from .comparing.entrants import Audited, audited_in, common_seeds, described
from .comparing.leads import PRIVACY, leads_of, privacy_of, utility_of
from .comparing.model import (
    COMPARISON_VERSION,
    Cell,
    Compared,
    ComparedPlugin,
    ComparedRule,
    ComparedRun,
    Comparison,
    Entrant,
    PairDifference,
    SeedData,
)
from .comparing.rows import STRONGEST, rows_of
from .comparing.rules import rules_of
from .record import AuditRecord

__all__ = [
    "COMPARISON_VERSION",
    "MANY",
    "PRIVACY",
    "STRONGEST",
    "Cell",
    "Compared",
    "ComparedPlugin",
    "ComparedRule",
    "ComparedRun",
    "Comparison",
    "Entrant",
    "PairDifference",
    "SeedData",
    "compare",
    "leads_of",
    "main_figures",
    "overall",
    "privacy_of",
    "utility_of",
]


SHOWN = 8
"""Entrants, or runs, that a note names."""


def compare(records: Sequence[tuple[str, AuditRecord]]) -> Comparison:
    """Hold audits of several generators against one another.

    Audits of one generator with the same options, guard, access, budget and number of samples are one entrant, over
    its seeds. Entrants are compared seed by seed, on seeds that all of them have: only then are the patients the same.

    Args:
        records: each with what to call it, the folder that it was read from.

    Raises:
        BadInputError: if there are fewer than two entrants, if two runs of one seed do not rest on the same cohort and
            split, if a run is given twice, or if no seed is common to all.
    """
    entrants = audited_in(records)
    seeds = common_seeds(entrants)
    ours = [[one.records[seed] for seed in seeds] for one in entrants]
    first = ours[0][0]
    confidence = first.spec.confidence
    plugins, rows = rows_of(ours, confidence)
    who = described(entrants, seeds)
    return Comparison(
        confidence=confidence,
        cohort=first.spec.cohort,
        simulated=all(record.simulated for own in ours for record in own),
        budget=", ".join(dict.fromkeys(record.spec.budget for own in ours for record in own)),
        seeds=seeds,
        data=tuple(SeedData(seed=seed, data=record.data) for seed, record in zip(seeds, ours[0], strict=True)),
        entrants=who,
        plugins=tuple(plugins),
        estimates=differences_of(rows, len(entrants), confidence),
        rules=rules_of(ours),
        every_pair=len(entrants) <= MANY,
        notes=(*_unlike([entrant.label for entrant in who], ours, seeds), *_notes(entrants, seeds)),
    )


def _unlike(labels: Sequence[str], ours: Sequence[Sequence[AuditRecord]], seeds: Sequence[int]) -> list[str]:
    """What was not the same for all, although the patients to draw from were."""
    trained = [_trained_on(records, seeds) for records in ours]
    budgets = [records[0].spec.budget for records in ours]
    samples = [str(records[0].spec.samples or "the default") for records in ours]
    notes = []
    if len({marks for marks, _ in trained}) > 1:
        listed = _by_value([words for _, words in trained], labels)
        notes.append(f"Not all trained on the same patients, who are the members that attacks look for: {listed}.")
    for what, values in (("budgets", budgets), ("numbers of samples", samples)):
        if len(set(values)) > 1:
            notes.append(f"Audited with different {what}: {_by_value(values, labels)}.")
    return notes


def _trained_on(records: Sequence[AuditRecord], seeds: Sequence[int]) -> tuple[tuple[str, ...], str]:
    """The fingerprints of the patients that were trained on, seed by seed, and how many these are."""
    marks = [next((mark for mark in record.data if mark.part == "members"), None) for record in records]
    counts = dict.fromkeys(f"{mark.patients:,}" for mark in marks if mark)
    of = f" in seed {seeds[0]} and others" if len(counts) > 1 else ""
    return tuple(mark.sha256 if mark else "" for mark in marks), f"{next(iter(counts), 'an unknown number')}{of}"


def _by_value(values: Sequence[str], labels: Sequence[str]) -> str:
    """``dfgm, blending (64); ldm (132)``; of many the first."""
    own = {value: [label for label, v in zip(labels, values, strict=True) if v == value] for value in values}
    return "; ".join(
        f"{', '.join(some[:SHOWN])}{f' and {len(some) - SHOWN} more' if len(some) > SHOWN else ''} ({value})"
        for value, some in own.items()
    )


def _notes(entrants: Sequence[Audited], seeds: tuple[int, ...]) -> tuple[str, ...]:
    """What a reader must know of the comparison itself."""
    notes = []
    left_out = [path for one in entrants for seed, path in sorted(one.paths.items()) if seed not in seeds]
    if left_out:
        shown = ", ".join(left_out[:SHOWN]) + (f" and {len(left_out) - SHOWN} more" if len(left_out) > SHOWN else "")
        notes.append(f"Left out, for not every entrant has a run of the same seed: {shown}.")
    if len(seeds) == 1:
        notes.append(
            "One seed: what is shown holds for these trainings; another training of the same generator may differ."
        )
    every = [record for one in entrants for record in one.records.values()]
    versions = sorted({record.provenance.privbench for record in every})
    if len(versions) > 1:
        notes.append(f"The runs were made by several versions of privbench ({', '.join(versions)}).")
    if any(record.provenance.git_dirty for record in every):
        notes.append("At least one run was made with uncommitted changes to privbench.")
    return tuple(notes)
