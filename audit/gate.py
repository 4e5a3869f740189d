"""From findings to a verdict. It judges what was measured and measures nothing itself."""

from dataclasses import dataclass

from .measures.claim import judgement_in
from .power.kinds import DECISIVE, FAITHFUL
from .record import Estimate, Finding, Outcome, Rule, Verdict

CRITERIA = {
    "memorization": "singling out",
    "membership": "inference of membership",
    "reidentification": "linkability",
    "attribute": "inference of attributes",
}
OPTIONAL = {"attribute"}
"""Families that a pass does not ask for: where nothing could be asked or measured the verdict says nothing of them, and
the report says so."""

WORDS = {"invalid": "failed", "skipped": "could not be asked", "error": "broke"}


@dataclass(frozen=True, slots=True)
class Limit:
    """How much of one estimate is tolerated.

    Attributes:
        estimate: its name; group "" is meant.
        most: the largest tolerated distance from ``center``, in the direction that is worse.
        center: what the distance is measured from.
        why: the rationale, for the report.
    """

    estimate: str
    most: float
    center: float
    why: str


LIMITS = {
    "memorization": (
        Limit("copied_share", 0.02, 0.0, "at most 2% of released images may lie closer to a member than strangers do"),
    ),
    "membership": (Limit("auc", 0.1, 0.5, "an attacker may tell members from others with an AUC of at most 0.60"),),
    "reidentification": (
        Limit("linked_excess", 0.05, 0.0, "at most 5% of released images may match a member beyond chance matches"),
    ),
    "attribute": (
        Limit("attribute_risk", 0.15, 0.0, "of what an attacker would guess wrong, the release may tell at most 15%"),
    ),
}


def judge(findings: tuple[Finding, ...]) -> Verdict:
    """One rule a limit and finding; fail if one fails, pass only if each criterion was tested and every rule passes.

    A rule fails when the whole interval lies beyond the limit, passes when the whole interval lies within it *and* the
    attack could have seen the limit crossed, and is inconclusive otherwise. What could not be measured never passes,
    and nothing passes where members and holdout cannot fairly be compared.

    Of several attacks of one family each must stay within the limit, which needs no correction for their number: all
    must, not one. That a leak would have been seen is asked of the family: an attack that sees the same kinds of leak
    with the same access stands in for a blind one, which takes nothing away. And a fail by chance is rare however many
    there are, as an interval must lie beyond a limit that is itself far from the null (docs/decisions/0015).
    """
    rules = _fairness(findings)
    rules.extend(_guard(f) for f in findings if f.kind == "check" and f.family == "guard")
    for family, words in CRITERIA.items():
        own = [f for f in findings if f.kind == "attack" and f.family == family]
        seeing = _seeing(own, family)
        for finding in own:
            rules.extend(_rules_of(finding, family, seeing))
        if family not in OPTIONAL and all(f.status == "skipped" for f in own):
            why = "; ".join(f"{f.plugin}: {f.reason}" for f in own) or f"no {family} attack was asked for"
            rules.append(Rule(name=family, outcome="inconclusive", reason=f"{words} was not tested ({why})"))
    rules.extend(rule for f in findings if f.kind == "attack" and f.family == "canary" for rule in _claim(f))
    outcomes = {rule.outcome for rule in rules}
    outcome: Outcome = "fail" if "fail" in outcomes else "inconclusive" if "inconclusive" in outcomes else "pass"
    return Verdict(outcome=outcome, rules=tuple(rules))


def _fairness(findings: tuple[Finding, ...]) -> list[Rule]:
    """One rule a check of the comparison: where one did not pass, nothing that rests on the comparison can."""
    checks = [f for f in findings if f.kind == "check" and f.family == "validity"]
    if not checks:
        return [Rule(name="validity", outcome="inconclusive", reason="whether the comparison is fair was not checked")]
    return [
        Rule(name=f"validity.{f.plugin}", outcome="pass", reason=f"{f.summary} Nothing of the kind was found.")
        if f.status == "ok"
        else Rule(name=f"validity.{f.plugin}", outcome="inconclusive", reason=f"{WORDS[f.status]}: {f.reason}")
        for f in checks
    ]


def _guard(finding: Finding) -> Rule:
    """A guard's certificate that does not hold is a failure, whoever may have noticed what it let through."""
    outcomes: dict[str, Outcome] = {"ok": "pass", "invalid": "fail"}
    said = "; ".join(finding.notes) if finding.status == "ok" else finding.reason
    return Rule(
        name=f"{finding.family}.{finding.plugin}", outcome=outcomes.get(finding.status, "inconclusive"), reason=said
    )


def _seeing(findings: list[Finding], family: str) -> list[Finding]:
    """The attacks that would have seen the limit crossed."""
    return [
        f
        for f in findings
        if f.status == "ok"
        and all((e := f.estimate(limit.estimate)) and not _blind(e, limit, f) for limit in LIMITS[family])
    ]


def _stand_in(finding: Finding, seeing: list[Finding]) -> str:
    """An attack with the same access that sees every leak which this one was asked about, or "".

    For one that was never asked nobody stands in: nobody knows what it would have been the only one to see.
    """
    planted = _shares(finding).keys()
    asked = planted & DECISIVE or planted
    able = [f for f in seeing if f.access == finding.access and all(_shares(f).get(k) is not None for k in asked)]
    return able[0].plugin if asked and able else ""


def _shares(finding: Finding) -> dict[str, float | None]:
    """The smallest share of each planted kind that an attack notices; None where it notices none."""
    return {e.group: e.value for e in finding.estimates if e.name == "detectable_share"}


def _rules_of(finding: Finding, family: str, seeing: list[Finding]) -> list[Rule]:
    name = f"{family}.{finding.plugin}"
    if finding.status == "skipped":
        return []
    if finding.status in {"invalid", "error"}:
        rule = Rule(name=name, outcome="inconclusive", reason=f"{finding.status}: {finding.reason}")
        return [rule, *(r for r in _exact(finding, name) if r.outcome == "fail")]
    peer = _stand_in(finding, seeing)
    found = [(limit, finding.estimate(limit.estimate)) for limit in LIMITS[family]]
    rules = [
        _apply(limit, estimate, name, finding, peer)
        for limit, estimate in found
        if family not in OPTIONAL or estimate is None or estimate.value is not None
    ]
    return [*rules, *_exact(finding, name)]


def _claim(finding: Finding) -> list[Rule]:
    """Whether a claim of differential privacy stood a test that it could have failed; else no rule (decision 0014)."""
    name = f"{finding.family}.{finding.plugin}"
    if finding.status == "skipped":
        return []
    if finding.status != "ok":
        return [Rule(name=name, outcome="inconclusive", reason=f"{finding.status}: {finding.reason}")]
    said = finding.estimate("epsilon_lower")
    outcomes: dict[str, Outcome] = {"refuted": "fail", "consistent": "pass"}
    outcome = outcomes.get(judgement_in(finding) or "")
    if said is None or outcome is None:
        return []
    return [Rule(name=f"{name}.epsilon_lower", outcome=outcome, reason=said.note)]


def _exact(finding: Finding, name: str) -> list[Rule]:
    """A member's image in the release is a disclosure, whatever it is compared with."""
    exact = finding.estimate("exact_copies", "pixels") or finding.estimate("exact_copies")
    if exact is None or exact.value is None:
        return []
    found = exact.value > (exact.null or 0.0)
    reason = f"{exact.note} (limit: none identical to a member's, up to 8-bit rounding)"
    return [Rule(name=f"{name}.exact_copies", outcome="fail" if found else "pass", reason=reason)]


def _apply(limit: Limit, estimate: Estimate | None, prefix: str, finding: Finding, peer: str) -> Rule:
    name = f"{prefix}.{limit.estimate}"
    if estimate is None or estimate.value is None or estimate.low is None or estimate.high is None:
        why = estimate.note if estimate else "the attack did not report it"
        return Rule(name=name, outcome="inconclusive", reason=f"could not be measured: {why}")
    low, high = _risk(estimate, limit.center)
    bound = (
        f"{limit.center - limit.most:g} to {limit.center + limit.most:g}"
        if estimate.worse == "both"
        else f"at most {limit.center + limit.most:g}"
    )
    said = f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}], allowed: {bound}"
    if low > limit.most:
        return Rule(name=name, outcome="fail", reason=said)
    if high > limit.most:
        return Rule(name=name, outcome="inconclusive", reason=f"{said}; the interval reaches beyond it")
    if blind := _blind(estimate, limit, finding):
        if peer:
            return Rule(name=name, outcome="pass", reason=f"{said}; {blind}; {peer} would have found a leak")
        return Rule(name=name, outcome="inconclusive", reason=f"{said}; {blind}")
    return Rule(name=name, outcome="pass", reason=f"{said}; a leak of {estimate.detectable:.3f} would have been found")


def _blind(estimate: Estimate, limit: Limit, finding: Finding) -> str:
    """Why having found nothing says nothing, or "": the power is unknown, or not enough to see the limit crossed."""
    shares = _shares(finding)
    if unshown := _unshown(finding):
        return unshown
    if not shares:
        return "how small a leak would have been found was not measured"
    if all(share is None for share in shares.values()):
        return "but the attack noticed none of the leaks planted to test it"
    if estimate.detectable is None:
        unseen = ", ".join(kind for kind in FAITHFUL if shares.get(kind) is None)
        return f"but planted copies ({unseen}) were not noticed at any share tried"
    if estimate.detectable - limit.center > limit.most:
        return f"but only a leak of {estimate.detectable:.3f} or more would have been found"
    return ""


def _unshown(finding: Finding) -> str:
    """Why a verifier that links nobody says nothing of persons, or "": on real pairs it must have shown power."""
    first = {e.name: e for e in reversed(finding.estimates)}
    auc, recall = first.get("verifier_auc"), first.get("verifier_recall")
    if auc is not None and auc.value is None:
        return f"but {auc.note}"
    if recall is not None and recall.low is not None and recall.low <= (recall.null or 0.0):
        return "but the verifier was not shown to recognise real pairs at the threshold for linkage"
    return ""


def _risk(estimate: Estimate, center: float) -> tuple[float, float]:
    """The interval of the distance from ``center`` in the worse direction; two-sided where both are leaks."""
    assert estimate.low is not None
    assert estimate.high is not None
    low, high = estimate.low - center, estimate.high - center
    if estimate.worse == "both":
        nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
        return nearest, max(abs(low), abs(high))
    return (-high, -low) if estimate.worse == "lower" else (low, high)
