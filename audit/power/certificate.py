"""The power certificate: how small a leak, of each kind, an attack would have found in this very audit."""

from dataclasses import dataclass
from typing import Literal

from ..record import Estimate, Finding, Measurement, Plot, Series
from ..statistics.stats import POWER, SIGNIFICANCE
from .curve import PowerCurve
from .kinds import FAITHFUL

CERTIFIED = ("copied_share", "linked_excess")
"""The shares whose smallest detectable value is that of planted faithful copies."""


@dataclass(frozen=True, slots=True)
class Depth:
    """How closely power is measured.

    Attributes:
        each: planted copies of a kind, from as many patients; all patients, where planting costs nothing.
        divisions: of the candidates into members and holdout: the null of the p-values.
        audits: simulated at every share where that is but counting.
        shares: tried where an attack runs again for each, falling.
        draws: of planted images, or of patients, where an attack runs again for each.
        known: of the candidate patients, the share that a model is overfitted to.
        overfitted: whether that model is trained anew, which costs as much as training the audited one; else the
            audited one is trained on, if the generator can.
    """

    each: int
    divisions: int
    audits: int
    shares: tuple[float, ...]
    draws: int
    known: float
    overfitted: bool


DEPTHS = {
    "light": Depth(
        each=48, divisions=400, audits=200, shares=(0.4, 0.2, 0.1, 0.05, 0.02), draws=3, known=0.03, overfitted=False
    ),
    "thorough": Depth(
        each=200,
        divisions=1000,
        audits=1000,
        shares=(0.4, 0.3, 0.2, 0.15, 0.1, 0.075, 0.05, 0.03, 0.02, 0.01),
        draws=6,
        known=0.05,
        overfitted=True,
    ),
}


def depth_of(certificate: str | None, budget: str) -> Literal["none", "light", "thorough"]:
    """How deep a certificate is made: as asked for, else light at quick and thorough above."""
    if certificate in {"none", "light", "thorough"}:
        return certificate  # type: ignore[return-value]
    return "light" if budget == "quick" else "thorough"


def estimates_of(
    curves: dict[str, PowerCurve], unit: Literal["image", "patient"], confidence: float
) -> tuple[Estimate, ...]:
    """``detectable_share`` of every kind of leak."""
    return tuple(_estimate(kind, curve, unit, confidence) for kind, curve in curves.items())


def _estimate(kind: str, curve: PowerCurve, unit: Literal["image", "patient"], confidence: float) -> Estimate:
    value, low, high = curve.smallest(confidence)
    most = float(curve.share.max())
    what = "of the released images" if unit == "image" else "of the member patients"
    n = max(1, round(float(curve.audits.min())))
    note = f"share {what}; rests on as much as {n} simulated audits; tried up to {most:.0%}"
    if value is None:
        note = f"not detected up to {most:.0%} {what}"
        low = high = None
    return Estimate(
        name="detectable_share",
        group=kind,
        value=value,
        low=low,
        high=None if value is None else (1.0 if high is None else high),
        n=n,
        unit=unit,
        worse="none",
        method=f"smallest planted share with {POWER:.0%} power at {SIGNIFICANCE:.0%} false alarms in simulated audits; "
        "isotonic interpolation, Wilson bounds of the power",
        note=note,
    )


def plot_of(curves: dict[str, PowerCurve], unit: Literal["image", "patient"]) -> Plot:
    """Power against the planted share, one line a kind."""
    patients = "member patients in holes" if "hole" in curves else "member patients a model was overfitted to"
    what = "released images that are such copies" if unit == "image" else patients
    return Plot(
        name="power, holes" if "hole" in curves else "power",
        kind="power",
        x_label=f"share of {what}",
        y_label="audits that detect it",
        series=tuple(
            Series(
                label=kind,
                x=tuple(curve.share.tolist()),
                y=tuple(curve.power.tolist()),
            )
            for kind, curve in curves.items()
        ),
    )


def certificate_of(curves: dict[str, PowerCurve], unit: Literal["image", "patient"], confidence: float) -> Measurement:
    """What planted leaks showed of an attack."""
    return Measurement(estimates=estimates_of(curves, unit, confidence), plots=(plot_of(curves, unit),))


def certified(finding: Finding, certificate: Measurement) -> Finding:
    """``finding`` with its certificate: a share's ``detectable`` is that of the faithful copies seen worst."""
    shares = {e.group: e.value for e in certificate.estimates}
    worst = [shares.get(kind) for kind in FAITHFUL]
    detectable = None if None in worst else max(w for w in worst if w is not None)
    estimates = tuple(
        e.model_copy(update={"detectable": detectable}) if e.name in CERTIFIED and not e.group else e
        for e in finding.estimates
    )
    return finding.model_copy(
        update={
            "estimates": (*estimates, *certificate.estimates),
            "plots": (*finding.plots, *certificate.plots),
            "notes": (*finding.notes, *certificate.notes),
        }
    )
