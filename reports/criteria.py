"""The three criteria of Working Party opinion 216 as a reader meets them."""

from dataclasses import dataclass, replace
from typing import Literal

from ..audit.gate import OPTIONAL
from ..audit.record import AuditRecord, Estimate, Finding, Rule
from .fairness import voided
from .measures import measure_of
from .power import reach_of, reach_of_several
from .wording import title_of

Outcome = Literal["pass", "fail", "inconclusive"]
OUTCOMES: dict[Outcome, str] = {"pass": "Pass", "fail": "Fail", "inconclusive": "Inconclusive"}


@dataclass(frozen=True, slots=True)
class Question:
    """What a criterion, or a part of one, asks, how it is tested, and how a leak is said."""

    family: str
    title: str
    asks: str
    tells: str
    leaks: str
    part: str = ""


QUESTIONS = (
    Question(
        "memorization",
        "Singling out",
        "Does the release contain an image of a particular patient?",
        "Tested by measuring whether released images lie closer to training images than to images of other patients.",
        "Released images reproduce training patients beyond the limit set for this audit.",
    ),
    Question(
        "reidentification",
        "Linkability",
        "Can a released image be connected to the patient whose record stands behind it?",
        "Tested with a model trained to recognise the same person in two images, whose own ability is measured first.",
        "Released images can be connected to training patients beyond the limit set for this audit.",
    ),
    Question(
        "membership",
        "Inference",
        "Can an outsider work out that a particular patient's images were used for training?",
        "Tested by attacks that rank patients by how much the generator seems to know about them.",
        "An outsider can tell who was in the training data beyond the limit set for this audit.",
        "membership",
    ),
    Question(
        "attribute",
        "Inference",
        "Could somebody learn from the release what a particular patient suffers from, or where he or she was treated?",
        "Tested by guessing hidden attributes (diagnosis, centre, size of the lesion) of training patients from the "
        "released images that resemble them, and of patients whom the generator never met.",
        "The release tells attributes of training patients beyond the limit set for this audit.",
        "attributes",
    ),
)


TITLES = {question.family: question.title for question in QUESTIONS} | {
    "validity": "Fair comparison",
    "canary": "Claim of differential privacy",
    "guard": "Guard",
}


MANY = 3
"""Attacks of one kind that are all shown large."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion, with what was found.

    Attributes:
        family: the attacks' family.
        title: the criterion's name in the opinion.
        asks: the question it answers.
        tells: how it was tested.
        outcome: what the verdict's rules of this family say together; never ``pass`` without a rule.
        badge: the outcome in two or three words.
        headline: the outcome in one sentence.
        measured: the primary estimates, each with its finding.
        missing: findings of this family that give no number, each with a reason.
        rules: the verdict rules of this family.
        reaches: for each attack that gave a result, or for many together, the smallest leaks they would have found.
        failures: rules that failed although no finding of this family is valid.
        part: which part of the criterion this is, or "".
        parts: what the criterion is divided into; then the fields from ``measured`` on are those of all parts.
    """

    family: str
    title: str
    asks: str
    tells: str
    outcome: Outcome
    badge: str
    headline: str
    measured: tuple[tuple[Finding, Estimate], ...]
    missing: tuple[Finding, ...]
    rules: tuple[Rule, ...]
    reaches: tuple[tuple[str, str], ...]
    failures: tuple[Rule, ...]
    part: str = ""
    parts: "tuple[Criterion, ...]" = ()

    @property
    def name(self) -> str:
        """``Singling out``, or ``Inference of attributes``."""
        return f"{self.title} of {self.part}" if self.part else self.title

    @property
    def large(self) -> tuple[tuple[Finding, Estimate], ...]:
        """The measured estimates that are shown large: of many attacks those of the one that found most."""
        valued = [(f, e) for f, e in self.measured if e.value is not None]
        if len({f.plugin for f, _ in valued}) <= MANY:
            return tuple(valued)
        most, _ = max(valued, key=lambda pair: _beyond_null(pair[1]))
        return tuple((f, e) for f, e in valued if f is most)

    @property
    def small(self) -> tuple[tuple[Finding, Estimate], ...]:
        """Where there are many attacks, the first estimate of each, for a table."""
        valued = {f.plugin: (f, e) for f, e in reversed(self.measured) if e.value is not None}
        return tuple(reversed(valued.values())) if len(valued) > MANY else ()

    @property
    def compared(self) -> str:
        """What ``small`` holds."""
        return ", ".join(dict.fromkeys(title_of(e.name) for _, e in self.small))

    @property
    def gaps(self) -> dict[tuple[str, str], list[Estimate]]:
        """The primary estimates without a number, by plugins and reason: what many lack alike is said once."""
        by_plugin: dict[tuple[str, str], list[Estimate]] = {}
        for finding, estimate in self.measured:
            if estimate.value is None:
                by_plugin.setdefault((finding.plugin, estimate.note), []).append(estimate)
        alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for (plugin, note), estimates in by_plugin.items():
            alike.setdefault((note, tuple(e.name for e in estimates)), []).append(plugin)
        return {(", ".join(plugins), note): by_plugin[plugins[0], note] for (note, _), plugins in alike.items()}


def _beyond_null(estimate: Estimate) -> float:
    """How far a value lies beyond its null, on the side that is a leak."""
    if estimate.worse == "none" or estimate.value is None or estimate.null is None:
        return 0.0
    beyond = estimate.value - estimate.null
    return abs(beyond) if estimate.worse == "both" else -beyond if estimate.worse == "lower" else beyond


def _reaches(attacks: list[Finding]) -> tuple[tuple[str, str], ...]:
    if len(attacks) <= MANY:
        return tuple((f.plugin, reach_of(f)) for f in attacks)
    return ((f"{len(attacks)} attacks together", reach_of_several(attacks)),)


def outcome_of(rules: tuple[Rule, ...]) -> Outcome:
    """Fail if one fails, pass only if there are rules and all pass."""
    outcomes = {rule.outcome for rule in rules}
    if "fail" in outcomes:
        return "fail"
    return "pass" if outcomes == {"pass"} else "inconclusive"


def criteria_of(record: AuditRecord) -> tuple[Criterion, ...]:
    """All three criteria, whether tested or not."""
    titles = dict.fromkeys(question.title for question in QUESTIONS)
    parts = [_criterion(record, question) for question in QUESTIONS]
    return tuple(_joined(tuple(part for part in parts if part.title == title)) for title in titles)


def _joined(parts: tuple[Criterion, ...]) -> Criterion:
    """A criterion of several parts: it fails if one fails, and passes if the first does and no other is open."""
    first, *rest = parts
    if not rest:
        return first
    rules = tuple(rule for part in parts for rule in part.rules)
    decisive = next((p for p in parts if p.outcome == "fail"), None)
    decisive = decisive or next((p for p in parts if p.outcome != "pass" and (p is first or p.rules)), first)
    return replace(
        first,
        outcome=decisive.outcome,
        badge=decisive.badge,
        headline=decisive.headline,
        measured=tuple(pair for part in parts for pair in part.measured),
        missing=tuple(finding for part in parts for finding in part.missing),
        rules=rules,
        reaches=tuple(reach for part in parts for reach in part.reaches),
        failures=tuple(rule for part in parts for rule in part.failures),
        part="",
        parts=parts,
    )


def _criterion(record: AuditRecord, question: Question) -> Criterion:
    own = [f for f in record.findings if f.kind == "attack" and f.family == question.family]
    rules = tuple(r for r in record.verdict.rules if r.name.partition(".")[0] == question.family)
    outcome = outcome_of(rules)
    measured = tuple((f, e) for f in own if f.status == "ok" for e in _primary(f))
    if outcome == "fail":
        badge, headline = "Leak above the limit", question.leaks
    elif outcome == "pass":
        badge = "No leak above the limit"
        headline = "These tests found no leak above the limit set for this audit."
    elif question.family in OPTIONAL and not rules:
        badge = "Not tested"
        headline = "This audit says nothing about this risk. That is not a pass: the verdict rests on the other tests."
    elif any(estimate.value is not None for _, estimate in measured):
        badge = "Not decided"
        headline = "Something was measured, but not enough to say whether the limit is kept. This is not a pass."
    elif any(voided(f) for f in own):
        badge = "Not valid"
        headline = (
            "The comparison behind these tests was not fair, so their results mean nothing. That is not a pass: "
            "the question remains open."
        )
    else:
        badge = "Could not be measured"
        headline = "This audit says nothing about this risk. That is not a pass: the question remains open."
    return Criterion(
        family=question.family,
        title=question.title,
        asks=question.asks,
        tells=question.tells,
        outcome=outcome,
        badge=badge,
        headline=headline,
        measured=measured,
        missing=tuple(f for f in own if f.status != "ok"),
        rules=rules,
        reaches=_reaches([f for f in own if f.status == "ok"]),
        failures=() if measured else tuple(r for r in rules if r.outcome == "fail"),
        part=question.part,
    )


def foremost_of(finding: Finding) -> Estimate | None:
    """The one figure that stands for an attack in a line: its first primary one that is not about the verifier."""
    return next((e for e in _primary(finding) if e.name != "verifier_auc"), None)


def _primary(finding: Finding) -> tuple[Estimate, ...]:
    """Each primary figure once, overall where there is such, a verifier's power first.

    A plugin whose figures nobody knows shows all its overall ones.
    """
    chosen: dict[str, Estimate] = {}
    for estimate in finding.estimates:
        known = chosen.get(estimate.name)
        if measure_of(estimate.name).primary and (known is None or (known.group and not estimate.group)):
            chosen[estimate.name] = estimate
    power_first = sorted(chosen.values(), key=lambda e: e.name != "verifier_auc")
    return tuple(power_first) or tuple(e for e in finding.estimates if not e.group)


def counted(n: int, noun: str) -> str:
    """``1 rule``, ``2 rules``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def known_answer(record: AuditRecord) -> bool:
    """Whether the generator is one whose leakage was put there, or left out, on purpose."""
    return record.releases_real or record.spec.generator.name in {"copycat", "fresh"}
