"""From findings to a verdict. It judges what was measured and measures nothing itself."""

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from .comparable import differing
from .errors import BadInputError
from .limits import hold, sees, stand_in
from .measures.claim import judgement_in
from .policy import Policy, PolicyRule, default_policy, path_of
from .record import AuditRecord, Estimate, Finding, Outcome, Rule, Verdict
from .regression import REGRESSION, compare, lost

CRITERIA = {
    "memorization": "singling out",
    "membership": "inference of membership",
    "reidentification": "linkability",
    "attribute": "inference of attributes",
}
OPTIONAL = {"attribute"}
"""Families that the default policy does not ask for: where nothing could be asked or measured the verdict says nothing
of them, and the report says so."""

WORDS = {"invalid": "failed", "skipped": "could not be asked", "error": "broke"}

Regression = Callable[[PolicyRule, Estimate, Finding, str], Rule | None]


def gate(record: AuditRecord, policy: Policy, baseline: AuditRecord | None = None) -> Verdict:
    """What a policy says of a finished audit: as ``judge``, and of what became worse than in a baseline.

    Args:
        record: of the audit.
        policy: to judge by.
        baseline: an audit of the same people that a ``max_regression`` is measured from.

    Raises:
        BadInputError: if the baseline is of another cohort or split; the message names the first difference.
    """
    if baseline and (unlike := differing(record, baseline, ("this run", "baseline"))):
        raise BadInputError(
            f"the baseline is of another cohort or split: {unlike}\n"
            "give one of the same, or make this run the baseline: privbench baseline update"
        )

    def against(rule: PolicyRule, estimate: Estimate, finding: Finding, name: str) -> Rule | None:
        return compare(rule, estimate, finding, name, (record, baseline))

    rules = _rules(record.findings, policy, against)
    if baseline:
        rules.extend(line for rule in policy.rule for line in lost(rule, record, baseline))
    if record.spec.guard and policy.guard == "required" and not any(f.family == "guard" for f in record.findings):
        why = f"the certificate of {record.spec.guard.name} was not proved in this audit; privbench verify-guard does"
        rules.append(Rule(name="guard.certificate", outcome="inconclusive", reason=why))
    return _together(rules)


def judge(findings: tuple[Finding, ...], policy: Policy | None = None) -> Verdict:
    """What a policy says of findings; by default the policy that ships (audit/policy.toml).

    One line a rule and finding; fail if one fails, pass only if each criterion that the policy asks for was tested and
    every rule passes.

    A limit fails when the whole interval lies beyond it, passes when the whole interval lies within it *and* the
    attack could have seen it crossed, and is inconclusive otherwise. What could not be measured never passes,
    and nothing passes where members and holdout cannot fairly be compared, or where a plugin failed.

    Of several attacks of one family each must stay within the limit, which needs no correction for their number: all
    must, not one. That a leak would have been seen is asked of the family: an attack that sees the same kinds of leak
    with the same access stands in for a blind one, which takes nothing away. And a fail by chance is rare however many
    there are, as an interval must lie beyond a limit that is itself far from the null (docs/decisions/0015).
    """
    return _together(_rules(findings, policy or default_policy(), None))


def _together(rules: list[Rule]) -> Verdict:
    outcomes = {rule.outcome for rule in rules}
    if "fail" in outcomes:
        return Verdict(outcome="fail", rules=tuple(rules))
    outcome: Outcome = "pass" if outcomes == {"pass"} else "inconclusive"  # also where there was nothing to judge
    return Verdict(outcome=outcome, rules=tuple(rules))


def _rules(findings: tuple[Finding, ...], policy: Policy, against: Regression | None) -> list[Rule]:
    rules = _fairness(findings) if policy.comparison == "required" else []
    if policy.guard == "required":
        rules.extend(_guard(f) for f in findings if f.kind == "check" and f.family == "guard")
    untested: set[str] = set()
    answered: set[PolicyRule] = set()
    for family, words in CRITERIA.items():
        own = [f for f in findings if f.kind == "attack" and f.family == family]
        for finding in own:
            rules.extend(_of_attack(finding, own, policy, against, answered))
        if family in policy.tested and all(f.status == "skipped" for f in own):
            why = "; ".join(f"{f.plugin}: {f.reason}" for f in own) or f"no {family} attack was asked for"
            rules.append(Rule(name=family, outcome="inconclusive", reason=f"{words} was not tested ({why})"))
            untested.add(family)
    canaries = [f for f in findings if f.kind == "attack" and f.family == "canary"]
    if policy.claim == "required":
        rules.extend(rule for f in canaries for rule in _claim(f))
    others = [f for f in findings if f.kind != "attack" or f.family not in CRITERIA]
    for finding in others:
        rules.extend(_limited(finding, others, policy, against, answered))
    rules.extend(_nothing(r, findings) for r in policy.rule if _unanswered(r, answered, untested, against))
    if not answered and all(rule.outcome == "pass" for rule in rules):
        why = "none of its rules judged anything, and that alone is no pass"
        rules.append(Rule(name="policy", outcome="inconclusive", reason=why))
    named = {rule.name for rule in rules}
    broken = [(f"{f.family}.{f.plugin}", f.reason) for f in findings if f.status == "error"]
    return rules + [
        Rule(name=name, outcome="inconclusive", reason=f"error: {why}") for name, why in broken if name not in named
    ]


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


def _of_attack(
    finding: Finding, family: list[Finding], policy: Policy, against: Regression | None, answered: set[PolicyRule]
) -> Iterator[Rule]:
    """What becomes of one attack: a line where it broke, one a limit else; and whether a member's image is out."""
    if finding.status == "skipped":
        return
    name = f"{finding.family}.{finding.plugin}"
    exact = _exact(finding, name) if policy.exact_copies == "required" else []
    if finding.status == "ok":
        yield from _limited(finding, family, policy, against, answered)
        yield from exact
        return
    asked = [rule for rule in policy.rule if rule.pattern.asks(finding)]
    answered.update(rule for rule in asked if rule.pattern.demands(finding))
    if asked or finding.family in policy.tested:
        yield Rule(name=name, outcome="inconclusive", reason=f"{finding.status}: {finding.reason}")
    yield from (rule for rule in exact if rule.outcome == "fail")


def _limited(
    finding: Finding, others: list[Finding], policy: Policy, against: Regression | None, answered: set[PolicyRule]
) -> Iterator[Rule]:
    """One line a limit and estimate of a plugin."""
    name = f"{finding.family}.{finding.plugin}"
    for rule in policy.rule:
        pattern = rule.pattern
        if not pattern.asks(finding) or (rule.max_regression is not None and against is None):
            continue
        demanded = pattern.demands(finding)
        if finding.status != "ok":
            if demanded and finding.status != "skipped":
                answered.add(rule)
                yield Rule(name=name, outcome="inconclusive", reason=f"{finding.status}: {finding.reason}")
            continue
        meant = [e for e in finding.estimates if pattern.fits(e)]
        if demanded and not meant and rule.missing == "inconclusive":
            answered.add(rule)
            why = "could not be measured: the attack did not report it"
            yield Rule(name=f"{name}.{pattern.name}", outcome="inconclusive", reason=why)
        for estimate in meant:
            if estimate.value is None and rule.missing == "ignore":
                continue
            line = path_of(finding, estimate)
            if rule.max_regression is not None and against is not None:
                worse = against(rule, estimate, finding, f"{line} {REGRESSION}")
                if worse is not None:
                    answered.add(rule)
                    yield worse
                continue
            answered.add(rule)
            yield hold(rule, estimate, finding, line, stand_in(finding, _seeing(rule, estimate, others)))


def _seeing(rule: PolicyRule, estimate: Estimate, family: list[Finding]) -> list[Finding]:
    """The attacks that would have seen the limit crossed."""
    found = [(f, f.estimate(estimate.name, estimate.group)) for f in family if rule.pattern.asks(f)]
    return [f for f, e in found if e is not None and sees(rule, e, f)]


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
    claimed = finding.estimate("epsilon_claimed")
    return [
        Rule(
            name=f"{name}.epsilon_lower",
            outcome=outcome,
            reason=said.note,
            value=said.value,
            low=said.low,
            high=said.high,
            threshold=claimed.value if claimed else None,
        )
    ]


def _exact(finding: Finding, name: str) -> list[Rule]:
    """A member's image in the release is a disclosure, whatever it is compared with."""
    exact = finding.estimate("exact_copies", "pixels") or finding.estimate("exact_copies")
    if exact is None or exact.value is None:
        return []
    most = exact.null or 0.0
    return [
        Rule(
            name=f"{name}.exact_copies",
            outcome="fail" if exact.value > most else "pass",
            reason=f"{exact.note} (limit: none identical to a member's, up to 8-bit rounding)",
            value=exact.value,
            low=exact.low,
            high=exact.high,
            threshold=most,
        )
    ]


def _unanswered(rule: PolicyRule, answered: set[PolicyRule], untested: set[str], against: Regression | None) -> bool:
    """Whether there was nothing to judge and the policy wants to hear of it."""
    said = rule in answered or rule.missing == "ignore" or rule.pattern.family in untested
    return not said and (rule.max_regression is None or against is not None)


def _nothing(rule: PolicyRule, findings: tuple[Finding, ...]) -> Rule:
    asked = [f for f in findings if rule.pattern.asks(f)]
    gone = "; ".join(f"{f.plugin} ({f.status}): {f.reason}" for f in asked if f.status != "ok")
    groups = [e.group for f in asked for e in f.estimates if fnmatchcase(e.name, rule.pattern.name)]
    if groups:
        there = ", ".join(dict.fromkeys(f"[{group}]" if group else "the overall figure" for group in groups))
        gone = f"of {rule.pattern.name} there is {there}" + (f"; {gone}" if gone else "")
    why = gone or ("no plugin that ran reports it" if asked else "no such plugin ran")
    return Rule(name=rule.estimate, outcome="inconclusive", reason=f"not in this record: {why}")
