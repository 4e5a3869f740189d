"""Is the comparison between training and holdout patients fair? What the checks found, in plain words."""

import re
from dataclasses import dataclass
from typing import Literal

from ..audit.record import AuditRecord, Estimate, Finding
from .measures import group_of
from .wording import sentence_of

FAMILY = "validity"
_FAILED = re.compile(r"the check '([^']*)' failed")
# What these say does not rest on the comparison: a copied image is one whoever the holdout patients are.
_STAND = {"exact_copies", "verifier_auc", "verifier_recall", "verifier_map@r", "verifier_precision@1"}
_TITLES = {
    "patient-overlap": (
        "Patients in two parts",
        "Is one person in two parts of the data, under two spellings of a name?",
    ),
    "duplicates": ("Duplicate images", "Are images of training patients also in the holdout, as they are or altered?"),
    "blind-baseline": (
        "Told apart without the generator",
        "Can training patients be told from holdout patients by their real images alone?",
    ),
    "shift": ("Differences between the groups", "Do centre, class, examinations or brightness differ?"),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the comparison, in plain words.

    Attributes:
        finding: what it found.
        title: its name for a reader.
        asks: the question it answers.
        outcome: how its badge is coloured.
        badge: Passed, Failed or Not made.
        says: what was found.
        advice: what to do, where it did not pass.
    """

    finding: Finding
    title: str
    asks: str
    outcome: Literal["pass", "inconclusive"]
    badge: str
    says: tuple[str, ...]
    advice: str


def checks_of(record: AuditRecord) -> tuple[Check, ...]:
    """Every check of the record."""
    return tuple(_check(f) for f in record.findings if f.kind == "check" and f.family == FAMILY)


def fair_sentence(checks: tuple[Check, ...]) -> str:
    """All checks in one sentence."""
    if not checks:
        return (
            "No check of the comparison was made: differences between the two groups that have nothing to do with the "
            "generator may hide a leak, or look like one."
        )
    failed = [c.title.lower() for c in checks if c.finding.status == "invalid"]
    missing = [c.title.lower() for c in checks if c.finding.status in {"skipped", "error"}]
    if failed:
        return (
            f"The comparison is not fair ({', '.join(failed)}). Results that rest on it are not valid, and the verdict "
            "cannot be a pass."
        )
    if missing:
        return f"Whether the comparison is fair is not settled: {', '.join(missing)} could not be checked."
    return (
        "Every check passed: as far as they can see, training and holdout patients differ in nothing but that the "
        "generator was trained on the former."
    )


def title_of_check(plugin: str) -> str:
    """The name of a check for a reader; one that nobody knows is shown as it is."""
    return _TITLES.get(plugin, (plugin, ""))[0]


def voided(finding: Finding) -> bool:
    """Whether a failed check of the comparison made this finding invalid."""
    return finding.kind == "attack" and finding.status == "invalid" and _FAILED.match(finding.reason) is not None


def failed_checks_of(finding: Finding) -> tuple[str, ...]:
    """The checks that made this finding invalid, by their names for a reader."""
    return tuple(dict.fromkeys(title_of_check(name) for name in _FAILED.findall(finding.reason)))


def crossed_out(finding: Finding, estimate: Estimate) -> bool:
    """Whether this number means nothing because the comparison was not fair."""
    return voided(finding) and estimate.name not in _STAND


def _compared(finding: Finding) -> tuple[str, ...]:
    """What was compared without a difference, where the numbers have no words of their own."""
    features = [group_of(e.group) for e in finding.estimates if e.value is not None and e.group]
    if not features:
        return ()
    return (f"No more different than chance makes two such groups: {', '.join(dict.fromkeys(features))}.",)


def _check(finding: Finding) -> Check:
    badge = {"ok": "Passed", "invalid": "Failed"}.get(finding.status, "Not made")
    found, advice = _found_and_advice(finding)
    if finding.status == "ok":
        found = tuple(dict.fromkeys(s for e in finding.estimates if (s := sentence_of(e)))) or _compared(finding)
    return Check(
        finding=finding,
        title=title_of_check(finding.plugin),
        asks=_TITLES.get(finding.plugin, ("", finding.summary))[1],
        outcome="pass" if finding.status == "ok" else "inconclusive",
        badge=badge,
        says=found,
        advice=advice,
    )


def _found_and_advice(finding: Finding) -> tuple[tuple[str, ...], str]:
    """A check's reason is what was found, a colon, what to do."""
    if finding.status == "ok":
        return (), ""
    if finding.status == "error":
        return (finding.reason,), "Repair what the error names and audit again"
    found, _, advice = finding.reason.rpartition(": ")
    return (_capital(found or finding.reason),), _capital(advice if found else "")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
