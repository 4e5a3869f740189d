"""The three criteria of Working Party opinion 216 as a reader meets them, and the threats that nobody tested."""

from dataclasses import dataclass
from typing import Literal

from ..audit.record import AuditRecord, Estimate, Finding, Rule
from .measures import measure_of

Outcome = Literal["pass", "fail", "inconclusive"]
OUTCOMES: dict[Outcome, str] = {"pass": "Pass", "fail": "Fail", "inconclusive": "Inconclusive"}


@dataclass(frozen=True, slots=True)
class _Question:
    family: str
    title: str
    asks: str
    tells: str
    leaks: str


_QUESTIONS = (
    _Question(
        "memorization",
        "Singling out",
        "Does the release contain an image of a particular patient?",
        "Tested by measuring whether released images lie closer to training images than to images of other patients.",
        "Released images reproduce training patients beyond the limit set for this audit.",
    ),
    _Question(
        "reidentification",
        "Linkability",
        "Can a released image be connected to the patient whose record stands behind it?",
        "Tested with a model trained to recognise the same person in two images, whose own ability is measured first.",
        "Released images can be connected to training patients beyond the limit set for this audit.",
    ),
    _Question(
        "membership",
        "Inference",
        "Can an outsider work out that a particular patient's images were used for training?",
        "Tested by attacks that rank patients by how much the generator seems to know about them.",
        "An outsider can tell who was in the training data beyond the limit set for this audit.",
    ),
)


TITLES = {question.family: question.title for question in _QUESTIONS}


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

    @property
    def gaps(self) -> dict[tuple[str, str], list[Estimate]]:
        """The primary estimates without a number, by plugin and reason: they are said in one line."""
        found: dict[tuple[str, str], list[Estimate]] = {}
        for finding, estimate in self.measured:
            if estimate.value is None:
                found.setdefault((finding.plugin, estimate.note), []).append(estimate)
        return found


def outcome_of(rules: tuple[Rule, ...]) -> Outcome:
    """Fail if one fails, pass only if there are rules and all pass."""
    outcomes = {rule.outcome for rule in rules}
    if "fail" in outcomes:
        return "fail"
    return "pass" if outcomes == {"pass"} else "inconclusive"


def criteria_of(record: AuditRecord) -> tuple[Criterion, ...]:
    """All three criteria, whether tested or not."""
    return tuple(_criterion(record, question) for question in _QUESTIONS)


def _criterion(record: AuditRecord, question: _Question) -> Criterion:
    own = [f for f in record.findings if f.kind == "attack" and f.family == question.family]
    rules = tuple(r for r in record.verdict.rules if r.name.partition(".")[0] == question.family)
    outcome = outcome_of(rules)
    measured = tuple((f, e) for f in own if f.status == "ok" for e in _primary(f))
    if outcome == "fail":
        badge, headline = "Leak above the limit", question.leaks
    elif outcome == "pass":
        badge = "No leak above the limit"
        headline = (
            "These tests found no leak above the limit set for this audit, and one of that size would have shown."
        )
    elif any(estimate.value is not None for _, estimate in measured):
        badge = "Not decided"
        headline = "Something was measured, but not enough to say whether the limit is kept. This is not a pass."
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
    )


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


def verdict_sentence(record: AuditRecord) -> str:
    """The verdict in one sentence."""
    rules = record.verdict.rules
    failed = sum(r.outcome == "fail" for r in rules)
    open_ = sum(r.outcome == "inconclusive" for r in rules)
    if record.verdict.outcome == "fail":
        where = _criteria_of(rules, "fail")
        return (
            f"This audit found leakage above its limits ({where}): {failed} of {_counted(len(rules), 'rule')} failed."
        )
    if record.verdict.outcome == "pass":
        return (
            f"No leakage above the limits was found by the tests that were run: all {_counted(len(rules), 'rule')} "
            "passed, and leaks of that size would have shown."
        )
    if not rules:
        return "This audit could not decide: no rule was evaluated. That is not a pass."
    where = _criteria_of(rules, "inconclusive")
    return (
        f"This audit could not decide ({where}): {open_} of {_counted(len(rules), 'rule')} remained open. "
        "That is not a pass."
    )


def _criteria_of(rules: tuple[Rule, ...], outcome: Outcome) -> str:
    """``singling out and linkability``: the criteria whose rules came out so."""
    families = dict.fromkeys(r.name.partition(".")[0] for r in rules if r.outcome == outcome)
    return " and ".join(TITLES.get(family, family).lower() for family in families)


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def known_answer(record: AuditRecord) -> bool:
    """Whether the generator is one whose leakage was put there, or left out, on purpose."""
    return record.releases_real or record.spec.generator.name in {"copycat", "fresh"}


# What no built-in attack covers unless one of the named plugins ran; the list is shown under "not tested".
_THREATS = (
    ("Inferring attributes of a patient (a diagnosis, say) beyond membership.", {"attribute"}),
    ("Membership inference with shadow models (LiRA, RMIA, gradient-based).", {"lira", "rmia", "gsa"}),
    ("Extracting training images by directed querying or from the weights.", {"extraction"}),
    ("Several releases, or a retrained generator, from the same patients taken together.", {"releases"}),
    ("Combining the release with other sources an attacker may hold (reports, other scans).", {"linkage"}),
    ("A claimed differential-privacy budget against an audited bound.", {"dp-audit", "canaries"}),
)


def tested_threats(record: AuditRecord) -> tuple[Finding, ...]:
    """The attacks that gave a result."""
    return tuple(f for f in record.findings if f.kind == "attack" and f.status == "ok")


def untested_threats(record: AuditRecord) -> tuple[str, ...]:
    """Threats this audit says nothing about: attacks without a result, access not granted, and what none covers."""
    attacks = [f for f in record.findings if f.kind == "attack"]
    done = {f.plugin for f in attacks if f.status == "ok"}
    lines = [f"{f.plugin} ({f.summary.rstrip('.')}): {f.status}. {f.reason}" for f in attacks if f.status != "ok"]
    asked = {f.family for f in attacks}
    lines += [f"{q.title}: no attack of this kind was asked for." for q in _QUESTIONS if q.family not in asked]
    if record.access.lower() == "samples":
        lines.append("An attacker who can query the model or holds its weights: only the released images were granted.")
    elif record.access.lower() == "denoiser":
        lines.append("An attacker who holds the model's weights: images and queries of the model were granted.")
    lines += [words for words, plugins in _THREATS if not plugins & done]
    return tuple(lines)
