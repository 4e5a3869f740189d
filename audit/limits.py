"""One estimate held against one limit: within it, beyond it, or nobody can tell."""

from dataclasses import dataclass

from .policy import PolicyRule
from .power.kinds import DECISIVE, FAITHFUL
from .record import Estimate, Finding, Outcome, Rule


@dataclass(frozen=True, slots=True)
class Scale:
    """An estimate turned so that more is worse, and where on it the limit lies.

    Attributes:
        value: of the estimate.
        low: end of its interval, if it has one.
        high: the other end.
        limit: what may not be exceeded.
        allowed: the limit in words, as the policy means it.
        threshold: the limit on the estimate's own scale, on the side on which the estimate lies.
        detectable: the smallest value that would have been found.
    """

    value: float
    low: float | None
    high: float | None
    limit: float
    allowed: str
    threshold: float
    detectable: float | None


def hold(rule: PolicyRule, estimate: Estimate, finding: Finding, name: str, peer: str = "") -> Rule:
    """What ``rule`` makes of an estimate.

    Args:
        rule: with a ``max`` or a ``min``.
        estimate: that it is about.
        finding: that the estimate is part of.
        name: of the verdict's line.
        peer: an attack that would have seen a leak to which this one is blind, or "".
    """
    scale = _scale(rule, estimate)
    if isinstance(scale, str):
        return Rule(
            name=name, outcome="inconclusive", reason=scale, value=estimate.value, detectable=estimate.detectable
        )
    outcome, why = _decided(rule, scale)
    said = f"{_stated(estimate)}, allowed: {scale.allowed}{why}"
    if outcome == "pass" and _asks_for_power(rule, estimate, finding):
        if unseen := _blind(scale, estimate, finding):
            outcome = "pass" if peer else "inconclusive"
            said += f"; {unseen}" + (f"; {peer} would have found a leak" if peer else "")
        else:
            said += f"; a leak of {estimate.detectable:.3f} would have been found"
    return Rule(
        name=name,
        outcome=outcome,
        reason=said,
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        threshold=scale.threshold,
        detectable=estimate.detectable,
    )


def sees(rule: PolicyRule, estimate: Estimate, finding: Finding) -> bool:
    """Whether the attack would have seen the limit crossed."""
    scale = _scale(rule, estimate)
    return finding.status == "ok" and not isinstance(scale, str) and not _blind(scale, estimate, finding)


def stand_in(finding: Finding, seeing: list[Finding]) -> str:
    """An attack with the same access that sees every leak which this one was asked about, or "".

    For one that was never asked nobody stands in: nobody knows what it would have been the only one to see.
    """
    planted = _shares(finding).keys()
    asked = planted & DECISIVE or planted
    able = [f for f in seeing if f.access == finding.access and all(_shares(f).get(k) is not None for k in asked)]
    return able[0].plugin if asked and able else ""


def _scale(rule: PolicyRule, estimate: Estimate) -> Scale | str:
    """The estimate and its limit with more being worse; or why that cannot be."""
    value, low, high, detectable = estimate.value, estimate.low, estimate.high, estimate.detectable
    if value is None:
        return f"could not be measured: {estimate.note}"
    if wrong := _wrong_way(rule, estimate):
        return wrong
    if rule.min is not None:
        least = rule.min
        if detectable is not None and estimate.worse == "both" and estimate.null is not None:
            detectable = estimate.null - abs(detectable - estimate.null)
        seen = None if detectable is None else -detectable
        return Scale(-value, _less(high), _less(low), -least, f"at least {least:g}", least, seen)
    assert rule.max is not None
    most = rule.max
    if estimate.worse != "both":
        return Scale(value, low, high, most, f"at most {most:g}", most, detectable)
    assert estimate.null is not None
    null, away = estimate.null, most - estimate.null
    near, far = _distances(low, high, null)
    side = null - away if value < null else most
    seen = None if detectable is None else abs(detectable - null)
    return Scale(abs(value - null), near, far, away, f"{null - away:g} to {most:g}", side, seen)


def _wrong_way(rule: PolicyRule, estimate: Estimate) -> str:
    """Why a limit would be kept by what it should keep out, or ""."""
    key, limit = ("min", rule.min) if rule.min is not None else ("max", rule.max)
    assert limit is not None
    name, null = estimate.name, estimate.null
    if (key, estimate.worse) in {("max", "lower"), ("min", "higher")}:
        other = "min" if key == "max" else "max"
        return f"{name} is worse the {estimate.worse} it is, so {key} would pass the worst; write {other} = {limit:g}"
    if estimate.worse != "both":
        return ""
    if null is None:
        return f"{name} leaks on both sides of its null, so {key} is a distance from it, but no null is known"
    beyond = {"max": limit < null, "min": limit > null}[key]
    side = "below" if key == "max" else "above"
    return f"{name} leaks on both sides of its null, {null:g}, but {key} = {limit:g} is {side} it" if beyond else ""


def _less(value: float | None) -> float | None:
    return None if value is None else -value


def _distances(low: float | None, high: float | None, null: float) -> tuple[float | None, float | None]:
    """The smallest and the largest distance from the null of anything in the interval."""
    if low is None or high is None:
        return None, None
    nearest = 0.0 if low <= null <= high else min(abs(low - null), abs(high - null))
    return nearest, max(abs(low - null), abs(high - null))


def _decided(rule: PolicyRule, scale: Scale) -> tuple[Outcome, str]:
    """Within or beyond the limit, by what the rule says decides; power is not asked here."""
    beyond = scale.value > scale.limit
    if rule.by == "value":
        return ("fail" if beyond else "pass"), ""
    if rule.by == "interval" and scale.low is not None and scale.low > scale.limit:
        return "fail", ""
    if scale.high is None:
        return "inconclusive", "; it has no interval"
    if scale.high > scale.limit:
        what = "the interval reaches" if rule.by == "interval" else f"its {rule.by} end is"
    elif beyond:
        what = "the value itself is"  # a bootstrap's interval need not hold it
    else:
        return "pass", ""
    return ("inconclusive" if rule.by == "interval" else "fail"), f"; {what} beyond it"


def _asks_for_power(rule: PolicyRule, estimate: Estimate, finding: Finding) -> bool:
    """Whether having found nothing must mean something: where an attack looks for what the limit forbids."""
    forbidden = {"higher", "both"} if rule.max is not None else {"lower", "both"}
    return rule.power and finding.kind == "attack" and estimate.worse in forbidden


def _stated(estimate: Estimate) -> str:
    if estimate.low is None and estimate.high is None:
        return f"{estimate.value:.3f}"
    ends = ["none" if end is None else f"{end:.3f}" for end in (estimate.low, estimate.high)]
    return f"{estimate.value:.3f} [{ends[0]}, {ends[1]}]"


def _shares(finding: Finding) -> dict[str, float | None]:
    """The smallest share of each planted kind that an attack notices; None where it notices none."""
    return {e.group: e.value for e in finding.estimates if e.name == "detectable_share"}


def _blind(scale: Scale, estimate: Estimate, finding: Finding) -> str:
    """Why having found nothing says nothing, or "": the power is unknown, or not enough to see the limit crossed."""
    shares = _shares(finding)
    if unshown := _unshown(finding):
        return unshown
    if not shares:
        return "how small a leak would have been found was not measured"
    if all(share is None for share in shares.values()):
        return "but the attack noticed none of the leaks planted to test it"
    if scale.detectable is None:
        unseen = ", ".join(kind for kind in FAITHFUL if shares.get(kind) is None)
        return (
            f"but planted copies ({unseen}) were not noticed at any share tried"
            if unseen
            else "but how small a leak would show in this figure was not measured"
        )
    if scale.detectable > scale.limit:
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
