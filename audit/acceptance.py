"""An audit becomes the one that later ones are held against: not in spite of what it found, unless somebody says so."""

from dataclasses import dataclass
from pathlib import Path

from .baseline import Baseline, Decision, load_baseline, record_of
from .comparable import differing, differing_attack
from .errors import BadInputError
from .gated import Gated, judged
from .policy import Policy, load_policy, path_of
from .record import AuditRecord, Estimate
from .runs import load_record
from .statistics.differences import Difference, difference, leak


@dataclass(frozen=True, slots=True)
class Change:
    """One estimate that the policy limits, in the former baseline and in the new one.

    Attributes:
        name: ``membership.loss.auc``.
        before: in the former one; None: not there.
        after: in the new one.
        worse: by how much, where the two can be compared.
        why: they cannot.
    """

    name: str
    before: float | None
    after: float | None
    worse: Difference | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is to be written, and what it changes.

    Attributes:
        baseline: the new one.
        gated: what the gate says of its record.
        former: that it replaces, if there was one.
        unlike: by what cohort or split of the two differ, or "".
        changes: one an estimate, where the two are comparable.
    """

    baseline: Baseline
    gated: Gated
    former: AuditRecord | Baseline | None
    unlike: str
    changes: tuple[Change, ...]


def accept(
    run: Path, former: Path, decided: tuple[str, str, str], policy: Path | None = None, *, force: bool = False
) -> Accepted:
    """Make a run the baseline, as far as the gate lets it.

    Args:
        run: a folder, or a record.
        former: the file of the baseline, which need not exist yet.
        decided: who, when (ISO 8601, UTC) and why.
        policy: to judge by; None: the default.
        force: in spite of a rule or a plugin that failed.

    Raises:
        BadInputError: if a rule or a plugin failed and nobody forces it, or a file cannot be read.
    """
    by, when, why = decided
    gated = judged(run, policy, limits_only=True)
    against = "; ".join(_objections(gated))
    if against and not force:
        raise BadInputError(
            f"'{run}' should not become the baseline: {against}\n"
            "repair it, or overrule this with --force, which the baseline will say"
        )
    record = load_record(run)
    before = load_baseline(former) if former.exists() else None
    decision = Decision(
        by=by,
        when=when,
        why=why,
        verdict=gated.verdict.outcome,
        forced=against,
        generator=record.spec.generator.name,
        record_sha256=gated.run.sha256,
    )
    baseline = (
        before.after(decision, record) if isinstance(before, Baseline) else Baseline(decision=decision, record=record)
    )
    unlike = differing(record, record_of(before), ("this run", "former baseline")) if before else ""
    changes = () if before is None or unlike else _changes(record, record_of(before), load_policy(policy))
    return Accepted(baseline, gated, before, unlike, changes)


def _objections(gated: Gated) -> list[str]:
    failed = [rule.name for rule in gated.verdict.rules if rule.outcome == "fail"]
    said = [f"the gate fails ({', '.join(failed)})"] if failed else []
    return [*said, *(f"a plugin failed ({broken})" for broken in gated.broken)]


def _changes(record: AuditRecord, before: AuditRecord, policy: Policy) -> tuple[Change, ...]:
    found: dict[str, Change] = {}
    for rule in policy.rule:
        for finding in (f for f in record.findings if f.status == "ok" and rule.pattern.asks(f)):
            there = next(
                (
                    f
                    for f in before.findings
                    if (f.family, f.plugin, f.status) == (finding.family, finding.plugin, "ok")
                ),
                None,
            )
            why = differing_attack(record, before, finding)
            for estimate in (e for e in finding.estimates if rule.pattern.fits(e)):
                name = path_of(finding, estimate)
                former = there.estimate(estimate.name, estimate.group) if there else None
                found[name] = _change(name, estimate, former, record.spec.confidence, why)
    return tuple(found.values())


def _change(name: str, after: Estimate, before: Estimate | None, confidence: float, why: str) -> Change:
    value = before.value if before else None
    if before is None or value is None or after.value is None or after.worse == "none" or why:
        return Change(name, value, after.value, None, why)
    return Change(name, value, after.value, difference([(leak(after), leak(before))], confidence))
