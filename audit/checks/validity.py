"""Is the comparison of members and holdout fair? Asked before any attack, of the real images alone."""

import csv
import io
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from ..context import Context
from ..measures.measured import Truth
from ..record import Estimate, Finding, Status
from ..statistics.stats import holm
from ..types import Split
from .blind import check_blind
from .duplicates import NAME as DUPLICATES
from .duplicates import check_duplicates
from .inputs import Comparison, Tested, Twins
from .overlap import NAME as OVERLAP
from .overlap import check_overlap
from .shift import check_shift

VALIDITY_LEVEL = 0.01  # of all p-values of all checks together: 99 of 100 fair comparisons pass
HEADER = "# CONFIDENTIAL: names of patients. Do not publish."
COLUMNS = ("check", "part_a", "patient_a", "image_a", "part_b", "patient_b", "image_b", "distance", "measure")


@dataclass(frozen=True, slots=True)
class Check:
    """One question about the comparison.

    Attributes:
        name: as findings call it.
        summary: one line for whoever reads the report.
        ask: finds the answer.
    """

    name: str
    summary: str
    ask: Callable[[Comparison], Tested]


@dataclass(frozen=True, slots=True)
class Checked:
    """The answers.

    Attributes:
        findings: one for each check, in the order of ``CHECKS``.
        confidential: a CSV of the pairs of patients that were found, for the owner of the data only; "" if none were.
        tracebacks: name and traceback of each check that crashed.
    """

    findings: tuple[Finding, ...]
    confidential: str = ""
    tracebacks: tuple[tuple[str, str], ...] = ()


CHECKS = (
    Check(OVERLAP, "Is one person in two parts under two spellings of a name?", check_overlap),
    Check(DUPLICATES, "Are images of members also in the holdout, as they are or altered?", check_duplicates),
    Check("blind-baseline", "Can members be told from holdout without any generator?", check_blind),
    Check("shift", "Do centre, class, examinations or brightness differ between members and holdout?", check_shift),
)


def check_comparison(split: Split, truth: Truth, context: Context, checks: tuple[Check, ...] = CHECKS) -> Checked:
    """Ask every check, and judge all p-values together (Holm, family-wise ``VALIDITY_LEVEL``).

    A check that crashes is a finding with status ``error``; the others are still asked.

    Args:
        split: the cohort.
        truth: the candidates that attacks will see, and who is a member. Its samples are not looked at.
        context: where randomness comes from.
        checks: what is asked.
    """
    comparison = Comparison(split, truth, context)
    answers: list[Tested | Exception] = []
    seconds = []
    for check in checks:
        context.progress.message(f"check {check.name}")
        started = time.perf_counter()
        try:
            answers.append(check.ask(comparison))
        except Exception as error:  # noqa: BLE001 - whatever a check does, it is a finding and the audit goes on
            answers.append(error)
        seconds.append(time.perf_counter() - started)
    tested = [answer for answer in answers if isinstance(answer, Tested)]
    corrected = _corrected([e for answer in tested for e in answer.estimates])
    return Checked(
        findings=tuple(
            _finding(check, answer, took, corrected)
            for check, answer, took in zip(checks, answers, seconds, strict=True)
        ),
        confidential=_confidential([twin for answer in tested for twin in answer.twins]),
        tracebacks=tuple(
            (check.name, "".join(traceback.format_exception(answer)))
            for check, answer in zip(checks, answers, strict=True)
            if isinstance(answer, Exception)
        ),
    )


def _corrected(estimates: Iterable[Estimate]) -> dict[tuple[str, str], float]:
    """Holm's p-value of every estimate that has one, by its name and group."""
    tested = {(e.name, e.group): e.p_value for e in estimates if e.p_value is not None}
    return dict(zip(tested, holm(np.array(list(tested.values()))).tolist(), strict=True))


def _finding(
    check: Check, answer: Tested | Exception, seconds: float, corrected: dict[tuple[str, str], float]
) -> Finding:
    status: Status
    if isinstance(answer, Exception):
        status, reason, answer = "error", f"{type(answer).__name__}: {answer}".split("\n", 1)[0], Tested()
    else:
        faults = [answer.failed] if answer.failed else []
        faults += [
            said
            for estimate, said in zip(answer.estimates, answer.said, strict=True)
            if corrected.get((estimate.name, estimate.group), 1.0) <= VALIDITY_LEVEL
        ]
        status = "skipped" if answer.skipped else "invalid" if faults else "ok"
        reason = answer.skipped or (f"{'; '.join(faults)}: {answer.advice}" if faults else "")
    return Finding(
        plugin=check.name,
        kind="check",
        family="validity",
        summary=check.summary,
        access="SAMPLES",
        status=status,
        reason=reason,
        estimates=tuple(_with_correction(e, corrected) for e in answer.estimates),
        notes=answer.notes,
        seconds=seconds,
    )


def _with_correction(estimate: Estimate, corrected: dict[tuple[str, str], float]) -> Estimate:
    p_value = corrected.get((estimate.name, estimate.group))
    if p_value is None:
        return estimate
    said = f"p after Holm's correction for {len(corrected)} tests: {p_value:.3g}; fails at {VALIDITY_LEVEL:g}"
    return estimate.model_copy(update={"note": f"{estimate.note}; {said}" if estimate.note else said})


def _confidential(twins: list[Twins]) -> str:
    if not twins:
        return ""
    text = io.StringIO()
    text.write(HEADER + "\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for twin in twins:
        first, second = twin.images or ("", "")
        distance = "" if twin.distance is None else f"{twin.distance:.6g}"
        (part_a, part_b), (patient_a, patient_b) = twin.parts, twin.patients
        writer.writerow([twin.check, part_a, patient_a, first, part_b, patient_b, second, distance, twin.measure])
    return text.getvalue()
