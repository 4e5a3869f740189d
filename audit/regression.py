"""One estimate against the same one of a baseline: no worse, worse by too much, or nobody can tell."""

from .comparable import differing_attack
from .policy import PolicyRule, path_of
from .record import AuditRecord, Estimate, Finding, Outcome, Rule
from .statistics.differences import Difference, difference, leak

REGRESSION = "regression"
"""What the name of a line ends with that holds an estimate against the baseline's."""


def compare(
    rule: PolicyRule, estimate: Estimate, finding: Finding, name: str, audits: tuple[AuditRecord, AuditRecord | None]
) -> Rule | None:
    """What ``rule``, which has a ``max_regression``, makes of an estimate.

    How much worse it is than in the baseline is measured patient by patient where both records know how they vary
    together (docs/decisions/0017); the rule says which.

    Args:
        rule: with ``max_regression``.
        estimate: of the audit that is judged.
        finding: that it is part of.
        name: of the verdict's line.
        audits: the audit that is judged and the baseline, which must be of the same cohort and split.

    Returns:
        None where the baseline does not have it and the rule ignores that.
    """
    audit, baseline = audits
    most = rule.max_regression
    assert most is not None
    before = None if baseline is None else _in(baseline, estimate, finding)
    if rule.missing == "ignore" and (before is None or before.value is None):
        return None
    stated = {"threshold": most, "baseline": before.value if before else None}

    def undecided(why: str) -> Rule:
        return Rule(name=name, outcome="inconclusive", reason=why, **stated)

    if why := _incomparable(rule, estimate, before, finding, audits):
        return undecided(why)
    assert before is not None
    worse = difference([(_turned(estimate, finding), _turned(before, finding))], audit.spec.confidence)
    if worse is None:
        return _by_value(rule, estimate, before, finding, name)
    outcome, why = _decided(rule, worse, most)
    said = (
        f"{_moved(estimate, before, finding)}: worse by {worse.value:.3f} "
        f"[{worse.low:.3f}, {worse.high:.3f}], allowed: at most {most:g}{why}; "
        + ("paired by patient" if worse.paired else "not paired: taken for independent")
    )
    return Rule(
        name=name,
        outcome=outcome,
        reason=said,
        value=worse.value,
        low=worse.low,
        high=worse.high,
        **stated,
    )


def _turned(estimate: Estimate, finding: Finding) -> Estimate:
    """So that higher is worse. What a metric is held against, real images say, is measured too: it is left out."""
    own = finding.kind == "metric" and estimate.worse != "both"
    return leak(estimate.model_copy(update={"null": None}) if own else estimate)


def _by_value(rule: PolicyRule, estimate: Estimate, before: Estimate, finding: Finding, name: str) -> Rule:
    """The values alone decide, as they have no intervals."""
    now, then, most = _turned(estimate, finding).value, _turned(before, finding).value, rule.max_regression
    assert now is not None
    assert then is not None
    assert most is not None
    moved = _moved(estimate, before, finding)
    return Rule(
        name=name,
        outcome="fail" if now - then > most else "pass",
        reason=f"{moved}: worse by {now - then:.3f}, allowed: at most {most:g}; no interval",
        value=now - then,
        threshold=most,
        baseline=before.value,
    )


def _moved(estimate: Estimate, before: Estimate, finding: Finding) -> str:
    """From where to where; with what is worse is told from, where the two values do not show it."""
    assert estimate.value is not None
    assert before.value is not None
    said = f"{estimate.value:.3f} after {before.value:.3f} in the baseline"
    nulls = [e.null or 0.0 for e in (estimate, before)]
    if estimate.worse == "both" and (estimate.value - nulls[0]) * (before.value - nulls[1]) < 0:
        said += f", on the other side of {nulls[0]:g}"
    shows = finding.kind == "metric" or nulls[0] == nulls[1]
    return said if shows else f"{said}, against {nulls[0]:.3f} after {nulls[1]:.3f} without leak or loss"


def lost(rule: PolicyRule, record: AuditRecord, baseline: AuditRecord) -> list[Rule]:
    """A line for each estimate that the baseline has and the audit has not: nobody knows whether it became worse."""
    if rule.max_regression is None or rule.missing == "ignore":
        return []
    return [
        Rule(
            name=f"{path_of(f, e)} {REGRESSION}",
            outcome="inconclusive",
            reason="the baseline has it, this run has not",
            threshold=rule.max_regression,
            baseline=e.value,
        )
        for f in baseline.findings
        if f.status == "ok" and rule.pattern.asks(f)
        for e in f.estimates
        if e.value is not None and e.worse != "none" and rule.pattern.fits(e) and _in(record, e, f) is None
    ]


def _in(baseline: AuditRecord, estimate: Estimate, finding: Finding) -> Estimate | None:
    there = next((f for f in baseline.findings if (f.family, f.plugin) == (finding.family, finding.plugin)), None)
    return there.estimate(estimate.name, estimate.group) if there and there.status == "ok" else None


def _incomparable(
    rule: PolicyRule,
    estimate: Estimate,
    before: Estimate | None,
    finding: Finding,
    audits: tuple[AuditRecord, AuditRecord | None],
) -> str:
    """Why an estimate cannot be held against that of the baseline, or ""."""
    audit, baseline = audits
    if baseline is None:
        return "there is no baseline to compare with: give one with --baseline"
    if estimate.worse == "none":
        return f"{estimate.name} has no worse side, so it cannot become worse"
    if before is None:
        return "the baseline does not have it"
    if unlike := differing_attack(audit, baseline, finding):
        return f"it cannot be held against the baseline's: {unlike}"
    return _unmeasured(rule, estimate, before)


def _unmeasured(rule: PolicyRule, estimate: Estimate, before: Estimate) -> str:
    for one, where in ((estimate, "here"), (before, "in the baseline")):
        if one.value is None:
            return f"could not be measured {where}: {one.note}"
        if rule.by != "value" and (one.low is None or one.high is None):
            return f'it has no interval {where}; by = "value" would compare the values alone'
    return ""


def _decided(rule: PolicyRule, worse: Difference, most: float) -> tuple[Outcome, str]:
    if rule.by == "upper":
        return ("fail", "; its upper end is beyond it") if worse.high > most else ("pass", "")
    if rule.by == "value":
        return ("fail", "") if worse.value > most else ("pass", "")
    if worse.low > most:
        return "fail", ""
    return ("inconclusive", "; the interval reaches beyond it") if worse.high > most else ("pass", "")
