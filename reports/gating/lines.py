"""The lines of a gate's verdict in words: what counts first, numbers apart from reasons."""

from ...audit.gated import SAID, Gated, why_of
from ...audit.record import Rule

ORDER = ("fail", "inconclusive", "pass")
CONFIDENT = "{:.0%} interval"


def ordered(gated: Gated) -> list[Rule]:
    """All lines, those that decide first."""
    return sorted(gated.verdict.rules, key=lambda rule: ORDER.index(rule.outcome))


def sentence_of(gated: Gated) -> str:
    """What it comes to, with how many rules said so."""
    counts = [(sum(r.outcome == outcome for r in gated.verdict.rules), outcome) for outcome in ORDER]
    said = ", ".join(f"{n} {outcome}" for n, outcome in counts if n)
    return f"{SAID[gated.exit_code].capitalize()}: of {len(gated.verdict.rules)} rules {said}."


def value_of(rule: Rule) -> str:
    """What was measured; of a regression, how much worse it became."""
    return "" if rule.value is None else f"{rule.value:.3f}"


def interval_of(rule: Rule) -> str:
    """Both ends, or nothing."""
    if rule.low is None and rule.high is None:
        return ""
    return " to ".join("?" if end is None else f"{end:.3f}" for end in (rule.low, rule.high))


def limit_of(rule: Rule) -> str:
    """What it was held against."""
    return "" if rule.threshold is None else f"{rule.threshold:g}"


def detects_of(rule: Rule) -> str:
    """The smallest leak that would have been found."""
    return "" if rule.detectable is None else f"{rule.detectable:.3f}"


def reason_of(rule: Rule, gated: Gated) -> str:
    """Why, without the numbers that stand beside it, and with the policy's reason where it did not pass."""
    said = rule.reason.removeprefix(_numbers(rule)).strip()
    why = why_of(rule, gated.policy) if rule.outcome != "pass" else ""
    return f"{said} (policy: {why})" if why else said


def sources_of(gated: Gated) -> list[tuple[str, str]]:
    """What the gate went by: files with their SHA-256, and who made the baseline one."""
    rows = [("record", gated.run), ("policy", gated.policy_file), ("baseline", gated.baseline)]
    said = [(title, f"{source.file} (SHA-256 {source.sha256})") for title, source in rows if source]
    if gated.decision:
        d = gated.decision
        forced = f"; in spite of: {d.forced}" if d.forced else ""
        said.append(("baseline made by", f"{d.by}, {d.when}: {d.why}{forced}"))
    return [*said, ("audit", f"of {gated.started}"), ("gate", f"privbench {gated.privbench}")]


def _numbers(rule: Rule) -> str:
    if rule.value is None:
        return ""
    return f"{rule.value:.3f} [{rule.low:.3f}, {rule.high:.3f}], " if None not in {rule.low, rule.high} else ""
