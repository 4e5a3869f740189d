"""What a gate says, whole: for machines, and for the reports of a gate."""

from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from .baseline import Baseline, Decision, load_baseline, record_of
from .catalogue import PACKAGE_NAME
from .estimates import check_names
from .gate import gate
from .policy import DEFAULT, Policy, PolicyRule, load_policy, path_of
from .record import AuditRecord, Finding, Fingerprint, Model, Rule, Verdict
from .regression import REGRESSION
from .runs import RECORD, load_record

PASSED, FAILED, UNDECIDED, BROKEN = 0, 1, 3, 4


SAID: dict[int, str] = {
    PASSED: "every rule passes",
    FAILED: "a rule failed",
    UNDECIDED: "no rule failed, but not every rule could be decided",
    BROKEN: "a plugin failed, and what broke never passes",
}


class Source(Model):
    """A file that the gate went by.

    Attributes:
        file: as it was given.
        sha256: of its content.
    """

    file: str
    sha256: str


class Gated(Model):
    """One judgement of one audit.

    Attributes:
        gate_version: of this format.
        privbench: that judged.
        generator: that was audited.
        cohort: on whose images.
        started: when the audit was, ISO 8601, UTC.
        confidence: of the intervals.
        verdict: one line a rule.
        exit_code: 0 pass, 1 fail, 3 inconclusive, 4 finished with failed plugins.
        broken: plugins that failed, each with the reason.
        notes: what was not judged, with the reason.
        run: the record.
        policy_file: the policy.
        policy: what it says.
        baseline: what regressions are measured from, if anything.
        decision: how that came to be the baseline, where it says so.
    """

    gate_version: Literal[1] = 1
    privbench: str
    generator: str
    cohort: str
    started: str
    confidence: float
    verdict: Verdict
    exit_code: int
    broken: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    run: Source
    policy_file: Source
    policy: Policy
    baseline: Source | None = None
    decision: Decision | None = None

    @property
    def word(self) -> str:
        """What it comes to, in one word."""
        return "BROKEN" if self.exit_code == BROKEN else self.verdict.outcome.upper()


def judged(run: Path, policy: Path | None = None, baseline: Path | None = None, *, limits_only: bool = False) -> Gated:
    """Judge a finished run.

    Args:
        run: its folder, or its record.
        policy: a file; None: the default policy.
        baseline: of the last release, see ``baseline``.
        limits_only: ask no rule about regressions, for an audit that shall be the baseline itself.

    Raises:
        BadInputError: if a file cannot be read, the policy speaks of what nobody knows, or the baseline is of another
            cohort or split.
    """
    record = load_record(run)
    rules = load_policy(policy)
    check_names(rules, record, str(policy or "default"))
    if limits_only:
        rules = rules.model_copy(update={"rule": tuple(r for r in rules.rule if r.max_regression is None)})
    before = load_baseline(baseline) if baseline else None
    verdict = gate(record, rules, None if before is None else record_of(before))
    return Gated(
        privbench=version(PACKAGE_NAME),
        generator=record.spec.generator.name,
        cohort=record.spec.cohort.name,
        started=record.provenance.started,
        confidence=record.spec.confidence,
        verdict=verdict,
        exit_code=exit_code_of(verdict, record),
        broken=broken(record),
        notes=_notes(rules, record, verdict, None if before is None else record_of(before)),
        run=source(run),
        policy_file=source(policy or DEFAULT, "" if policy else "default policy"),
        policy=rules,
        baseline=source(baseline) if baseline else None,
        decision=before.decision if isinstance(before, Baseline) else None,
    )


def source(path: Path, name: str = "") -> Source:
    """A file by name and content; of a run folder its record."""
    file = path / RECORD if path.is_dir() else path
    return Source(file=name or str(path), sha256=sha256(file.read_bytes()).hexdigest())


def why_of(line: Rule, policy: Policy) -> str:
    """The policy's reason for a line of the verdict, if it gives one."""
    return next((rule.why for rule in policy.rule if rule.why and _from(rule, line)), "")


def _from(rule: PolicyRule, line: Rule) -> bool:
    """Whether a line of the verdict may have come from a rule."""
    regression = line.name.endswith(f" {REGRESSION}")
    stem = line.name.removesuffix(f" {REGRESSION}")
    return (rule.max_regression is not None) == regression and rule.means(stem)


def exit_code_of(verdict: Verdict, record: AuditRecord) -> int:
    """What a shell hears: a failed rule goes first, then a failed plugin, which never passes."""
    if verdict.outcome == "fail":
        return FAILED
    if any(finding.status == "error" for finding in record.findings):
        return BROKEN
    return PASSED if verdict.outcome == "pass" else UNDECIDED


def broken(record: AuditRecord) -> tuple[str, ...]:
    """The plugins that failed, each with the reason."""
    return tuple(f"{f.family}.{f.plugin}: {f.reason}" for f in record.findings if f.status == "error")


def _notes(policy: Policy, record: AuditRecord, verdict: Verdict, baseline: AuditRecord | None) -> tuple[str, ...]:
    """What a reader might believe to have been judged, and was not."""
    reported = [
        f"{name.replace('_', ' ')}: reported only, as the policy says"
        for name in ("comparison", "guard", "claim", "exact_copies")
        if getattr(policy, name) == "reported"
    ]
    copies = "exact copies: no attack that ran could look for them"
    unseen = [copies] if policy.exact_copies == "required" and not any(map(_of_copies, record.findings)) else []
    ignored = [said for rule in policy.rule if rule.missing == "ignore" for said in _ignored(rule, record, verdict)]
    regressions = any(rule.max_regression is not None for rule in policy.rule)
    held = []
    if baseline and not regressions:
        held = ["the policy has no rule with max_regression, so the baseline decided nothing"]
    elif baseline == record:
        held = ["the baseline is this very audit, so no regression can show"]
    elif baseline and len({members.sha256 for members in (_members(record), _members(baseline)) if members}) > 1:
        counts = f"trained on {_patients(record)} patients, in the baseline on {_patients(baseline)}"
        held = [f"{counts}: attacks ask about who was trained on, and these are not the same"]
    return (*reported, *unseen, *ignored, *held)


def _members(record: AuditRecord) -> Fingerprint | None:
    return next((mark for mark in record.data if mark.part == "members"), None)


def _patients(record: AuditRecord) -> str:
    members = _members(record)
    return "unknown" if members is None else f"{members.patients:,}"


def _of_copies(finding: Finding) -> bool:
    return finding.family == "memorization" and any(
        e.name == "exact_copies" and e.value is not None for e in finding.estimates
    )


def _ignored(rule: PolicyRule, record: AuditRecord, verdict: Verdict) -> list[str]:
    """What a rule would have judged, had it been measured."""
    limit = f" {REGRESSION}" if rule.max_regression is not None else ""
    if not any(_from(rule, line) for line in verdict.rules):
        return [f"{rule.estimate}{limit}: nothing to judge, which the policy ignores"]
    asked = [f for f in record.findings if f.status == "ok" and rule.pattern.asks(f)]
    return [
        f"{path_of(f, e)}{limit}: not measured, ignored"
        for f in asked
        for e in f.estimates
        if e.value is None and rule.pattern.fits(e)
    ]
