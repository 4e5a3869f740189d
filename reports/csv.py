"""Every estimate as a row, for a spreadsheet or a data frame."""

import io
from collections.abc import Iterator
from csv import writer

from ..audit.outputs import run_name
from ..audit.plugin import report
from ..audit.record import AuditRecord, Estimate, Finding
from ..audit.types import ImageSet
from .cells import cell

Value = str | float | bool | None

RUN = (
    "run",
    "cohort",
    "generator",
    "guard",
    "seed",
    "budget",
    "simulated",
    "granted",
    "verdict",
    "privbench",
    "started",
)
FINDING = ("kind", "family", "plugin", "access", "status", "reason")
ESTIMATE = (
    "estimate",
    "group",
    "value",
    "low",
    "high",
    "null",
    "worse",
    "n",
    "unit",
    "detectable",
    "p_value",
    "method",
    "note",
)


@report(suffix="csv")
def csv(record: AuditRecord, gallery: ImageSet | None) -> str:  # noqa: ARG001
    """One row an estimate, with what it was found by and in which run, for a spreadsheet or a data frame.

    A finding without estimates has a row of its own, with its status and reason. Of a finding that is not valid, and of
    an estimate that could not be measured, the numbers are empty: no number stands for them.
    """
    text = io.StringIO()
    rows = writer(text, lineterminator="\n")
    rows.writerow((*RUN, *FINDING, *ESTIMATE))
    run = _run(record)
    for finding in record.findings:
        for estimated in _estimates(finding):
            rows.writerow([cell(value) for value in (*run, *_found(finding), *estimated)])
    return text.getvalue()


def _run(record: AuditRecord) -> tuple[Value, ...]:
    spec = record.spec
    return (
        run_name(spec),
        spec.cohort.name,
        spec.generator.name,
        spec.guard.name if spec.guard else "none",
        spec.seed,
        spec.budget,
        record.simulated,
        record.access,
        record.verdict.outcome,
        record.provenance.privbench,
        record.provenance.started,
    )


def _found(finding: Finding) -> tuple[Value, ...]:
    return finding.kind, finding.family, finding.plugin, finding.access, finding.status, finding.reason


def _estimates(finding: Finding) -> Iterator[tuple[Value, ...]]:
    for e in finding.estimates:
        # A copy of a member's image is there, whether or not members and holdout can be compared.
        valid = finding.status in {"ok", "skipped"} or e.name == "exact_copies"
        numbers: tuple[Value, ...] = (e.value, e.low, e.high, e.null) if valid else (None,) * 4
        yield e.name, e.group, *numbers, e.worse, e.n, e.unit, *_power(e, valid=valid), e.method, e.note
    if not finding.estimates:
        yield (None,) * len(ESTIMATE)


def _power(estimate: Estimate, *, valid: bool) -> tuple[Value, Value]:
    return (estimate.detectable, estimate.p_value) if valid else (None, None)
