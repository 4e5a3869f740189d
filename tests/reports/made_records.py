"""A record as a real audit of dfgm on brain-sim would leave it; unfair, uncertified and broken variants."""

from typing import Any

from privbench.audit.record import (
    AuditRecord,
    AuditSpec,
    Declaration,
    Finding,
    Fingerprint,
    PluginSpec,
    Provenance,
    Rule,
    Verdict,
)

from .made_declared import CERTIFICATE, DECLARATION, GUARD, PER_IMAGE, crossings
from .made_findings import estimate, exact_copies, membership, nearest, siamese, utility
from .made_validity import DUPLICATES, ON_IMAGES, certified, checks

WEAK: dict[str, float | None] = dict.fromkeys(ON_IMAGES) | {"exact": 0.118, "noise": 0.124}
FAIR = tuple(
    Rule(name=f"validity.{name}", outcome="pass", reason="ok")
    for name in ("patient-overlap", "duplicates", "blind-baseline", "shift")
)
RULES = (
    *FAIR,
    Rule(
        name="memorization.nearest.copied_share", outcome="fail", reason="0.203 [0.171, 0.239], allowed: at most 0.02"
    ),
    Rule(
        name="memorization.nearest.exact_copies", outcome="pass", reason="0 of 600 released images, 0 against holdout"
    ),
    Rule(
        name="membership.gan-leaks.auc",
        outcome="inconclusive",
        reason="0.541 [0.462, 0.618], allowed: 0.4 to 0.6; the interval reaches beyond it",
    ),
    Rule(
        name="membership.loss.auc",
        outcome="inconclusive",
        reason="0.532 [0.470, 0.594]; but only 0.611 or more would have been found",
    ),
    Rule(
        name="reidentification.siamese.linked_excess",
        outcome="pass",
        reason="0.012 [-0.021, 0.045], allowed: at most 0.05; a leak of 0.040 would have been found",
    ),
    Rule(name="membership.domias", outcome="inconclusive", reason="error: LinAlgError: singular matrix"),
    Rule(
        name="reidentification.faces", outcome="inconclusive", reason="invalid: the verifier's AUC is 0.61, below 0.9"
    ),
)


def build(**changes: Any) -> AuditRecord:
    """The record of a realistic audit; keyword arguments replace its fields."""
    fields: dict[str, Any] = {
        "spec": AuditSpec(
            cohort=PluginSpec(name="brain-sim", options={"patients": 300, "size": 64}),
            generator=PluginSpec(name="dfgm", options={"steps": 2000}),
            attacks=tuple(PluginSpec(name=n) for n in ("nearest", "gan-leaks", "loss", "siamese")),
            metrics=tuple(PluginSpec(name=n) for n in ("dice", "roc-auc", "frechet", "fid")),
        ),
        "simulated": True,
        "releases_real": False,
        "access": "DENOISER",
        "data": tuple(
            Fingerprint(part=part, images=400, patients=100, shape=(1, 64, 64), centers=4, sha256=f"{i:x}" * 64)
            for i, part in enumerate(("members", "holdout", "reference", "public", "samples"), 10)
        ),
        "findings": (
            *checks(),
            certified(nearest()),
            certified(membership("gan-leaks", "SAMPLES", (0.541, 0.462, 0.618), 1), WEAK),
            certified(membership("loss", "DENOISER", (0.532, 0.470, 0.594), 2)),
            Finding(
                plugin="domias",
                kind="attack",
                family="membership",
                summary="Density ratio against a reference.",
                paper="arXiv:2302.12580",
                access="SAMPLES",
                status="error",
                reason="LinAlgError: singular matrix",
            ),
            certified(siamese()),
            Finding(
                plugin="faces",
                kind="attack",
                family="reidentification",
                summary="Links rendered faces.",
                access="SAMPLES",
                status="invalid",
                reason="the verifier's AUC on real pairs is 0.61, below 0.9",
                estimates=(
                    estimate("verifier_auc", 0.61, 0.55, 0.67, 0.5, unit="pair", worse="none", group="unseen patients"),
                ),
            ),
            *utility(),
        ),
        "verdict": Verdict(outcome="fail", rules=RULES),
        "provenance": Provenance(
            privbench="0.1.0",
            python="3.11.9",
            platform="Linux 6.1 x86_64",
            device="cpu",
            libraries={"torch": "2.13.0", "numpy": "2.4.6", "faiss-cpu": "1.15.1"},
            git_commit="4f2a" * 10,
            git_dirty=False,
            command="privbench run --generator dfgm --attack all",
            started="2026-02-28T09:30:00+00:00",
            seconds=251.0,
        ),
    }
    return AuditRecord(**(fields | changes))


PASSED = (
    ("memorization.nearest.copied_share", "-0.002 [-0.012, 0.009], allowed: at most 0.02"),
    ("memorization.nearest.exact_copies", "0 of 600 released images, 0 against holdout"),
    ("membership.gan-leaks.auc", "0.511 [0.452, 0.568], allowed: 0.4 to 0.6; a leak of 0.590 would have been found"),
    ("reidentification.siamese.linked_excess", "0.012 [-0.021, 0.045], allowed: at most 0.05"),
)


def attacks(shares: dict[str, float | None] | None = None) -> tuple[Finding, ...]:
    """Three attacks that found nothing, with this certificate."""
    found = nearest(leaks=False), membership("gan-leaks", "SAMPLES", (0.511, 0.452, 0.568), 1), siamese()
    return tuple(certified(f, shares) for f in found)


def passing(**changes: Any) -> AuditRecord:
    """An audit that found nothing, fairly, and would have noticed copies."""
    rules = (*FAIR, *(Rule(name=name, outcome="pass", reason=reason) for name, reason in PASSED))
    fields = {"findings": (*checks(), *attacks(), *utility()), "verdict": Verdict(outcome="pass", rules=rules)}
    return build(**(fields | changes))


def blind() -> AuditRecord:
    """The same, but three kinds of leak are noticed by nobody."""
    return passing(findings=(*checks(), *attacks(ON_IMAGES | {"elastic": None, "foreground": None})))


def uncertified() -> AuditRecord:
    """An audit that found nothing, of which nobody knows what it would have found."""
    findings = nearest(leaks=False), membership("gan-leaks", "SAMPLES", (0.511, 0.452, 0.568), 1), siamese()
    why = "how small a leak would have been found was not measured"
    rules = (
        *FAIR,
        *(
            Rule(name=n, outcome="pass", reason=reason)
            if n.endswith("exact_copies")
            else Rule(name=n, outcome="inconclusive", reason=f"{reason}; {why}")
            for n, reason in PASSED
        ),
    )
    return passing(
        spec=build().spec.model_copy(update={"certificate": "none"}),
        findings=(
            *checks(),
            *(
                f.model_copy(
                    update={
                        "estimates": tuple(
                            e.model_copy(update={"detectable": None if e.name != "auc" else e.detectable})
                            for e in f.estimates
                        )
                    }
                )
                for f in findings
            ),
        ),
        verdict=Verdict(outcome="inconclusive", rules=rules),
    )


def careless() -> AuditRecord:
    """As an old audit may be: no check, no certificate, and yet a pass."""
    findings = tuple(f for f in uncertified().findings if f.kind != "check")
    rules = tuple(Rule(name=name, outcome="pass", reason=reason) for name, reason in PASSED)
    return passing(findings=findings, verdict=Verdict(outcome="pass", rules=rules))


def unfair(*, copies: int = 0) -> AuditRecord:
    """Images stand on both sides, so that what rests on the comparison is not valid; exact copies still count."""
    reason = f"the check 'duplicates' failed: {DUPLICATES}"
    findings = tuple(f.model_copy(update={"status": "invalid", "reason": reason}) for f in attacks())
    memorization = findings[0].model_copy(
        update={
            "estimates": tuple(exact_copies(copies) if e.name == "exact_copies" else e for e in findings[0].estimates)
        }
    )
    rules = [
        *(r for r in FAIR if r.name != "validity.duplicates"),
        Rule(name="validity.duplicates", outcome="inconclusive", reason=f"invalid: {DUPLICATES}"),
        *(Rule(name=f"{f.family}.{f.plugin}", outcome="inconclusive", reason=f"invalid: {reason}") for f in findings),
    ]
    if copies:
        note = f"{copies} of 600 released images, 0 against holdout (limit: none identical to a member's)"
        rules.append(Rule(name="memorization.nearest.exact_copies", outcome="fail", reason=note))
    return passing(
        findings=(*checks(duplicates=DUPLICATES), memorization, *findings[1:], *utility()),
        verdict=Verdict(outcome="fail" if copies else "inconclusive", rules=tuple(rules)),
    )


def declared(declaration: Declaration = DECLARATION, **changes: Any) -> AuditRecord:
    """An audit that found nothing, of a generator that claims, trained at four centres, before a guard."""
    spec = build().spec.model_copy(update={"guard": GUARD})
    return passing(**({"spec": spec, "declaration": declaration, "guard": CERTIFICATE} | changes))


def per_image() -> AuditRecord:
    """The claim holds for one image only, and for a patient it is weak."""
    return declared(Declaration(privacy=PER_IMAGE))


def many_centers() -> AuditRecord:
    """Trained at 60 centres."""
    return declared(Declaration(crossings=crossings(*(f"centre {i}" for i in range(1, 61)))))


RECORDS = {
    "plain": build,
    "passing": passing,
    "blind": blind,
    "uncertified": uncertified,
    "careless": careless,
    "unfair": unfair,
    "copies": lambda: unfair(copies=3),
    "declared": declared,
    "per image": per_image,
    "many centres": many_centers,
}
