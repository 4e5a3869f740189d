"""What follows from a check of the comparison that failed."""

from ..record import Finding


def invalidated(findings: tuple[Finding, ...], checks: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings, those of attacks ``invalid`` where a check failed: each compares members with holdout.

    Their figures stay in the record, for whoever wants to know what came out. Metrics of utility do not compare the
    two and stay as they are, and so do attacks with canaries, whom coins divide and no check is about.
    """
    failed = [check for check in checks if check.status == "invalid"]
    if not failed:
        return findings
    reason = "; ".join(f"the check '{check.plugin}' failed: {check.reason}" for check in failed)
    return tuple(
        f.model_copy(update={"status": "invalid", "reason": reason})
        if f.kind == "attack" and f.status == "ok" and f.family != "canary"
        else f
        for f in findings
    )
