"""Checks of the comparison and power certificates as an audit would leave them."""

from typing import Any

from privbench.audit.record import Estimate, Finding, Plot, Series, Status

from .made_findings import estimate

DUPLICATES = (
    "12 exact and 3 near duplicates of members' images are among the 400 holdout images (5 holdout patients): remove "
    "the copies; confidential/checks.csv lists them"
)
SHARES = (0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
ON_IMAGES = {
    "exact": 0.0108,
    "noise": 0.0112,
    "shift": 0.0140,
    "intensity": 0.0152,
    "rotation": 0.0321,
    "elastic": 0.0274,
    "foreground": 0.0871,
    "turned": 0.0185,
    "mixture": None,
}


def check(plugin: str, *estimates: Estimate, status: Status = "ok", reason: str = "") -> Finding:
    summary = {
        "patient-overlap": "Is one patient in two parts under two spellings of a name?",
        "duplicates": "Does an image stand on both sides?",
        "blind-baseline": "Can the two sides be told apart without the generator?",
        "shift": "Do the two sides differ in centre, label, visits or intensity?",
    }[plugin]
    return Finding(
        plugin=plugin,
        kind="check",
        family="validity",
        summary=summary,
        access="SAMPLES",
        status=status,
        reason=reason,
        estimates=estimates,
    )


def checks(**failed: str) -> tuple[Finding, ...]:
    """All four; ``duplicates="reason"`` makes one fail."""

    def made(plugin: str, *estimates: Estimate) -> Finding:
        reason = failed.get(plugin.replace("-", "_"), "")
        return check(plugin, *estimates, status="invalid" if reason else "ok", reason=reason)

    exact, near = (0.03, 0.0075) if "duplicates" in failed else (0.0, 0.0)
    kinds = {"center": 0.04, "label": 0.07}
    amounts = {"images per patient": 0.05, "mean intensity": 0.11, "contrast": 0.09}
    patient: dict[str, Any] = {"n": 200, "unit": "patient"}
    return (
        made("patient-overlap", estimate("shared_patients", 0.0, None, None, 0.0, n=300, unit="patient")),
        made(
            "duplicates",
            estimate("exact_duplicates", exact, None, None, 0.0, n=400),
            estimate("near_duplicates", near, None, None, 0.0, n=400),
            estimate("closest_pixels", 0.31, None, None, 0.28, n=400, worse="lower"),
        ),
        made("blind-baseline", estimate("blind_auc", 0.549, 0.467, 0.628, 0.541, p_value=0.31, **patient)),
        made(
            "shift",
            *(
                estimate("cramers_v", v, v / 2, v + 0.09, 0.06, group=g, p_value=0.4, **patient)
                for g, v in kinds.items()
            ),
            *(
                estimate("ks_distance", v, v / 2, v + 0.09, 0.1, group=g, p_value=0.4, **patient)
                for g, v in amounts.items()
            ),
        ),
    )


def certificate(shares: dict[str, float | None], **known: Any) -> tuple[tuple[Estimate, ...], Plot]:
    """``detectable_share`` of each kind, and the curves they are read from."""
    estimates = tuple(
        estimate(
            "detectable_share",
            share,
            None if share is None else 0.8 * share,
            None if share is None else 1.3 * share,
            worse="none",
            group=kind,
            method="smallest planted share with 80% power at 5% false alarms in simulated audits",
            note=f"{'not detected' if share is None else 'tried'} up to 40% of the released images",
            **known,
        )
        for kind, share in shares.items()
    )
    series = tuple(
        Series(label=kind, x=SHARES, y=tuple(0.06 if share is None else x**3 / (x**3 + share**3 / 4) for x in SHARES))
        for kind, share in shares.items()
    )
    plot = Plot(
        name="power",
        kind="power",
        x_label="share of released images that are such copies",
        y_label="audits that detect it",
        series=series,
    )
    return estimates, plot


def certified(finding: Finding, shares: dict[str, float | None] | None = None) -> Finding:
    """The finding with a certificate of its own; attacks on the denoiser get the overfitted model's."""
    if finding.access == "DENOISER":
        estimates, plot = certificate(shares or {"overfitted": 0.083}, unit="patient")
    else:
        estimates, plot = certificate(shares or ON_IMAGES)
    faithful = {e.group: e.value for e in estimates if e.group in {"exact", "noise"}}
    worst = None if None in faithful.values() else max((v for v in faithful.values() if v is not None), default=None)
    measured = tuple(
        e.model_copy(update={"detectable": worst}) if e.name in {"copied_share", "linked_excess"} and not e.group else e
        for e in finding.estimates
    )
    return finding.model_copy(update={"estimates": (*measured, *estimates), "plots": (*finding.plots, plot)})
