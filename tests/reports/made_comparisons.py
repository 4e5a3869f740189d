"""Audits of several generators on the same patients, with known numbers and blocks that err together."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

from privbench.audit.record import AuditRecord, AuditSpec, Estimate, Finding, Fingerprint, PluginSpec, StrongestAttack

from .made_hostile import HOSTILE
from .made_records import build

BLOCKS = 20
_base = cache(build)
PATIENTS = 100


def blocks(value: float, half: float, seed: int, apart: float) -> tuple[float, ...]:
    """Without each block of patients: all generators err together, but for a share ``apart``."""
    common, own = np.random.default_rng(seed), np.random.default_rng([seed, round(1e6 * abs(value))])
    size = half / 2 / BLOCKS**0.5
    noise = common.normal(0, size, BLOCKS) * (1 - apart) + own.normal(0, size, BLOCKS) * apart
    return tuple((value + noise - noise.mean()).tolist())


def number(name: str, value: float | None, half: float, seed: int = 0, *, paired: bool = True, **more: Any) -> Estimate:
    known = value is not None
    fields: dict[str, Any] = {"n": PATIENTS, "unit": "patient", "worse": "higher", "null": 0.0} | more
    return Estimate(
        name=name,
        value=value,
        low=value - half if value is not None else None,
        high=value + half if value is not None else None,
        blocks=blocks(value, half, seed, 0.3) if value is not None and paired else (),
        note="" if known else fields.pop("note", "not resolvable with 4 patients"),
        **{k: v for k, v in fields.items() if k != "note"},
    )


def found(plugin: str, family: str, *estimates: Estimate, **more: Any) -> Finding:
    fields: dict[str, Any] = {
        "kind": "metric" if family == "utility" else "attack",
        "summary": f"What {plugin} does.",
        "access": "SAMPLES",
        "status": "ok",
    } | more
    return Finding(plugin=plugin, family=family, estimates=estimates, **fields)


def audit(
    name: str,
    *,
    seed: int = 0,
    leak: float = 0.0,
    useful: float = 0.7,
    options: dict[str, object] | None = None,
    outcome: str = "inconclusive",
    extra: Iterable[Finding] = (),
    loss: dict[str, object] | None = None,
    **changes: Any,
) -> AuditRecord:
    """An audit of generator ``name`` whose attacks find ``leak`` (an AUC of 0.5 + leak), and that is so ``useful``."""
    auc: dict[str, Any] = {"worse": "both", "null": 0.5, "detectable": 0.6}
    findings = (
        found(
            "loss",
            "membership",
            number("auc", 0.5 + leak, 0.08, seed, **auc),
            number("tpr@fpr=0.01", None, 0, worse="higher", null=0.01),
        ),
        found("nearest", "memorization", number("copied_share", leak / 2, 0.02, seed, unit="image", detectable=0.02)),
        found("siamese", "reidentification", number("linked_excess", leak / 3, 0.03, seed, paired=False, unit="image")),
        found(
            "dice",
            "utility",
            number("dice", 0.8, 0.03, seed, group="real", worse="none", null=0.8),
            number("dice", useful, 0.03, seed, group="synthetic", worse="lower", null=0.8),
        ),
        found("fid", "utility", number("fid", 30 - 20 * useful, 2.0, seed, worse="higher", null=2.0, unit="image")),
        *extra,
    )
    spec = AuditSpec(
        cohort=PluginSpec(name="brain-sim", options={"size": 64}),
        generator=PluginSpec(name=name, options={"steps": 100, **(options or {})}),
        attacks=(
            PluginSpec(name="loss", options=loss or {"steps": 5}),
            PluginSpec(name="nearest"),
            PluginSpec(name="siamese"),
        ),
        metrics=(PluginSpec(name="dice"), PluginSpec(name="fid")),
        seed=seed,
        **changes.pop("spec", {}),
    )
    data = tuple(
        Fingerprint(
            part=part, images=400, patients=PATIENTS, shape=(1, 64, 64), centers=4, sha256=f"{seed:x}{i:x}" * 32
        )
        for i, part in enumerate(("members", "holdout", "reference", "public"), 10)
    )
    strongest = StrongestAttack(
        family="membership",
        attack="loss",
        inverted=False,
        tried=("loss",),
        auc=number("auc", 0.5 + leak, 0.1, seed, paired=False, null=0.5, group="strongest"),
    )
    base = _base()
    verdict = base.verdict.model_copy(update={"outcome": outcome})
    fields = {
        "spec": spec,
        "data": data,
        "findings": findings,
        "strongest": (strongest,),
        "verdict": verdict,
        **changes,
    }
    return base.model_copy(update=fields)


def three() -> list[tuple[str, AuditRecord]]:
    """A generator that leaks, one that does not, and one in between that is useless; two seeds each."""
    kinds = (("ldm", 0.45, 0.72, "fail"), ("dfgm", 0.02, 0.70, "pass"), ("dp-ldm", 0.03, 0.40, "inconclusive"))
    return [
        (f"runs/{name}-{seed}", audit(name, seed=seed, leak=leak + 0.01 * seed, useful=useful, outcome=outcome))
        for name, leak, useful, outcome in kinds
        for seed in (0, 1)
    ]


def hostile() -> list[tuple[str, AuditRecord]]:
    """Every text that data or a plugin may bring, turned against the page."""
    evil = found(
        HOSTILE,
        "membership",
        number(HOSTILE, 0.4, 0.1, group=HOSTILE),
        number("auc", None, 0, note=HOSTILE, worse="both", null=0.5),
        summary=HOSTILE,
        paper=HOSTILE,
    )
    broken = found("nearest", "memorization", status="error", reason=HOSTILE)
    first = audit(HOSTILE, leak=0.4, extra=(evil,), options={HOSTILE: HOSTILE}, outcome="fail")
    cohort = PluginSpec(name=HOSTILE, options={"path": HOSTILE})

    def turned(record: AuditRecord, **changes: Any) -> AuditRecord:
        return record.model_copy(
            update={
                "spec": record.spec.model_copy(
                    update={"cohort": cohort, "guard": PluginSpec(name=HOSTILE, options={HOSTILE: HOSTILE})}
                ),
                "access": HOSTILE,
                "provenance": record.provenance.model_copy(
                    update=dict.fromkeys(("privbench", "command", "git_commit"), HOSTILE)
                ),
                **changes,
            }
        )

    second = audit(f"={HOSTILE}", extra=(evil, broken))
    findings = tuple(f for f in second.findings if f is broken or f.plugin != "nearest")
    return [(HOSTILE, turned(first)), (f"={HOSTILE}", turned(second, findings=findings))]


def many(count: int) -> list[tuple[str, AuditRecord]]:
    """So many options of one generator."""
    return [
        (f"runs/{i}", audit("dp-ldm", leak=0.4 * i / count, useful=0.4 + 0.3 * (i % 7) / 7, options={"epsilon": i}))
        for i in range(count)
    ]
