"""Who is compared: audits sorted by what was audited and by seed, and refused where they do not belong together."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from ..comparable import differing
from ..errors import BadInputError
from ..record import AuditRecord, Outcome
from .labels import labels_of
from .model import ComparedRun, Entrant

SEVERITY: tuple[Outcome, ...] = ("pass", "inconclusive", "fail")


@dataclass(frozen=True, slots=True)
class Audited:
    """All audits of one entrant.

    Attributes:
        paths: where each was read from, by seed.
        records: the audits, by seed.
    """

    paths: dict[int, str]
    records: dict[int, AuditRecord]


def audited_in(records: Sequence[tuple[str, AuditRecord]]) -> list[Audited]:
    """The entrants among ``records``, in the order in which they first appear.

    Raises:
        BadInputError: if there are fewer than two, if one has two runs of one seed, or if two audits of one seed do not
            rest on the same data.
    """
    if len(records) < 2:
        given = f"only '{records[0][0]}' was given" if records else "no run was given"
        raise BadInputError(f"{given}, a comparison needs two\ngive the folders of two runs or more")
    _refuse_others(records)
    found: dict[str, Audited] = {}
    for path, record in records:
        own = found.setdefault(_identity(record), Audited({}, {}))
        seed = record.spec.seed
        if seed in own.paths:
            twice = (
                "the same run" if record == own.records[seed] else f"'{record.spec.generator.name}' with seed {seed}"
            )
            raise BadInputError(f"'{own.paths[seed]}' and '{path}' are {twice}\ngive one of them, or another seed")
        own.paths[seed], own.records[seed] = path, record
    if len(found) < 2:
        name = records[0][1].spec.generator.name
        raise BadInputError(
            f"all {len(records)} runs are of one generator, '{name}' with the same options; only seeds differ\n"
            "give a run of another generator, or of other options"
        )
    return list(found.values())


def common_seeds(entrants: Sequence[Audited]) -> tuple[int, ...]:
    """The seeds that every entrant has a run of.

    Raises:
        BadInputError: if there is none.
    """
    common = set.intersection(*(set(one.records) for one in entrants))
    if not common:
        first, second = _apart(entrants)
        raise BadInputError(
            f"no seed is common to all: '{_one(first.paths)}' has {_listed(first.records)}, "
            f"'{_one(second.paths)}' {_listed(second.records)}\nrun each generator with the same --seed"
        )
    return tuple(sorted(common))


def described(entrants: Sequence[Audited], seeds: tuple[int, ...]) -> tuple[Entrant, ...]:
    """What a reader is told of each."""
    labels = labels_of([next(iter(one.records.values())) for one in entrants])
    return tuple(_described(one, label, seeds) for one, label in zip(entrants, labels, strict=True))


def _described(one: Audited, label: str, seeds: tuple[int, ...]) -> Entrant:
    some = one.records[seeds[0]]
    runs = tuple(_run(one.paths[seed], one.records[seed], seed in seeds) for seed in sorted(one.records))
    outcomes = [run.outcome for run in runs if run.compared]
    return Entrant(
        label=label,
        generator=some.spec.generator,
        guard=some.spec.guard,
        access=some.access,
        releases_real=some.releases_real,
        runs=runs,
        outcome=max(outcomes, key=SEVERITY.index),
        fails=outcomes.count("fail"),
        opens=outcomes.count("inconclusive"),
        failed=tuple(dict.fromkeys(plugin for run in runs if run.compared for plugin in run.failed)),
    )


def _run(path: str, record: AuditRecord, compared: bool) -> ComparedRun:
    made = record.provenance
    failed = tuple(f.plugin for f in record.findings if f.status == "error")
    passed = record.verdict.outcome == "pass"
    return ComparedRun(
        path=path,
        seed=record.spec.seed,
        compared=compared,
        outcome="inconclusive" if failed and passed else record.verdict.outcome,
        failed=failed,
        started=made.started,
        privbench=made.privbench,
        git_commit=made.git_commit,
        command=made.command,
        sha256=hashlib.sha256(record.model_dump_json().encode()).hexdigest(),
    )


def _identity(record: AuditRecord) -> str:
    """What makes an audit one of another entrant: what was audited and what was granted; not its seed or attacks."""
    content = record.spec.model_dump(mode="json", include={"generator", "guard", "samples", "budget"})
    return json.dumps([content, record.access], sort_keys=True, default=str)


def _refuse_others(records: Sequence[tuple[str, AuditRecord]]) -> None:
    """Each against the first of its seed, where fingerprints decide; these against one another by what was asked."""
    first: dict[int, tuple[str, AuditRecord]] = {}
    known, start = records[0]
    for path, record in records:
        if record.spec.confidence != start.spec.confidence:
            _refuse(
                known,
                path,
                f"their intervals are of confidence {start.spec.confidence:g} and {record.spec.confidence:g}",
            )
        if record.spec.seed in first:
            other, one = first[record.spec.seed]
            if why := differing(one, record):
                _refuse(other, path, why)
            continue
        first[record.spec.seed] = path, record
        if record.spec.cohort != start.spec.cohort:
            _refuse(known, path, _cohorts(start, record))


def _refuse(first: str, second: str, why: str) -> None:
    raise BadInputError(
        f"'{first}' and '{second}' cannot be compared: {why}\naudit both on the same cohort, with the same seed"
    )


def _cohorts(first: AuditRecord, second: AuditRecord) -> str:
    """How the cohorts differ, in a few words."""
    a, b = first.spec.cohort, second.spec.cohort
    if a.name != b.name:
        return f"cohort '{a.name}' and '{b.name}'"
    names = (n for n in {**a.options, **b.options} if a.options.get(n) != b.options.get(n))
    option = next(names, "")
    return f"cohort '{a.name}' with {option}={a.options.get(option)!r} and {option}={b.options.get(option)!r}"


def _apart(entrants: Sequence[Audited]) -> tuple[Audited, Audited]:
    """Two of them with no seed in common, else the first and the one that shares least with it."""
    first = entrants[0]
    return first, min(entrants[1:], key=lambda one: len(first.records.keys() & one.records.keys()))


def _one(paths: dict[int, str]) -> str:
    return next(iter(paths.values()))


def _listed(records: dict[int, AuditRecord]) -> str:
    return f"seed{'s' * (len(records) > 1)} {', '.join(map(str, sorted(records)))}"
