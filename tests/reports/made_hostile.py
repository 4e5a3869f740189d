"""A record in which every text that data or a plugin may bring is turned against the page."""

from privbench.audit.record import AuditRecord, Declaration, Finding, PluginSpec, Rule, Verdict

from .made_declared import CERTIFICATE, CLAIM, CROSSINGS
from .made_findings import by_group, estimate, histogram, membership
from .made_records import build
from .made_validity import certificate, check

HOSTILE = (
    "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=2><!-- {{ 7*7 }} \"'& | `@all` " + "W" * 90
)


def build_hostile() -> AuditRecord:
    """Every text that data or a plugin may bring, turned against the page."""
    finding = membership("loss", "DENOISER", (0.5, 0.4, 0.6), 3)
    plot = finding.plots[0].model_copy(
        update={
            "name": HOSTILE,
            "x_label": HOSTILE,
            "series": tuple(s.model_copy(update={"label": HOSTILE}) for s in finding.plots[0].series),
        }
    )
    planted, curves = certificate({HOSTILE: 0.02, "exact": None})
    planted = tuple(e.model_copy(update={"method": HOSTILE, "note": HOSTILE}) for e in planted)
    bad = estimate("auc", 0.5, 0.4, 0.6, 0.5, group=HOSTILE, method=HOSTILE, note=HOSTILE)
    base = build()
    evil = finding.model_copy(
        update={
            "plugin": HOSTILE,
            "summary": HOSTILE,
            "paper": HOSTILE,
            "notes": (HOSTILE,),
            "plots": (plot, histogram(HOSTILE, 4), curves),
            "estimates": (
                *by_group("exposed_patients", f"center {HOSTILE}", f"center {HOSTILE} 2", f"label {HOSTILE}"),
                bad,
                bad.model_copy(update={"name": HOSTILE, "group": ""}),
                *planted,
            ),
        }
    )
    broken = Finding(
        plugin=HOSTILE, kind="metric", family="utility", summary=HOSTILE, access=HOSTILE, status="error", reason=HOSTILE
    )
    odd = check("shift", bad.model_copy(update={"name": "shift"}), status="invalid", reason=HOSTILE)
    odd = odd.model_copy(update={"summary": HOSTILE})
    void = evil.model_copy(update={"status": "invalid", "reason": f"the check '{HOSTILE}' failed: {HOSTILE}"})
    return build(
        spec=base.spec.model_copy(
            update={
                "cohort": PluginSpec(name=HOSTILE, options={"path": HOSTILE}),
                "generator": PluginSpec(name=HOSTILE),
                "guard": PluginSpec(name=HOSTILE, options={HOSTILE: HOSTILE}),
            }
        ),
        access=HOSTILE,
        declaration=Declaration(
            privacy=CLAIM.model_copy(update={"accountant": HOSTILE, "public": (HOSTILE,)}),
            crossings=(CROSSINGS[0].model_copy(update=dict.fromkeys(("center", "what", "sha256"), HOSTILE)),),
            notes=(HOSTILE,),
        ),
        guard=CERTIFICATE.model_copy(update=dict.fromkeys(("guard", "metric", "tau_from"), HOSTILE)),
        data=tuple(d.model_copy(update={"part": HOSTILE}) for d in base.data),
        findings=(odd, odd.model_copy(update={"plugin": HOSTILE}), evil, void, broken),
        verdict=Verdict(
            outcome="fail",
            rules=(
                Rule(name=f"membership.{HOSTILE}", outcome="fail", reason=HOSTILE),
                Rule(name=f"validity.{HOSTILE}", outcome="inconclusive", reason=HOSTILE),
            ),
        ),
        provenance=base.provenance.model_copy(
            update={"command": HOSTILE, "platform": HOSTILE, "libraries": {HOSTILE: HOSTILE}}
        ),
    )
