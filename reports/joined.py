"""Figures that all attacks share: their ROC curves with bands, and how often each notices planted leaks."""

import numpy as np

from ..audit.record import AuditRecord, Finding, Plot, Series
from ..audit.statistics.roc_band import roc_band
from .fairness import voided
from .figures import Figure, Line, briefly, thinned
from .power import KINDS, kind_of
from .wording import share

ROC_ROWS, POWER_ROWS = 40, 30
_POWER = (
    "How many audits noticed a planted leak of this size, one plot a kind of leak. The further left a curve crosses "
    "the dashed line, which is 80 of 100 audits, the smaller the leak that would have been found."
)


def roc_of(record: AuditRecord) -> Figure | None:
    """The ROC curves of all attacks in one figure; None where there is none."""
    found = [(f, p, s) for f, p in _plots(record, "roc") for s in p.series]
    if not found:
        return None
    positive = [v for _, _, s in found for v in (*s.x, *s.y) if v > 0]
    floor = min(positive, default=0.01) / 2
    names = _names(found)
    lines = [_curve(f, s, name, record.spec.confidence) for (f, _, s), name in zip(found, names, strict=True)]
    first = found[0][1]
    return Figure(
        key="roc",
        title="How well each attack recognises training patients (ROC)",
        caption=_caption(record, {_patients(f) for (f, _, _), line in zip(found, lines, strict=True) if line.low}),
        kind="roc",
        x_label=briefly(first.x_label),
        y_label=briefly(first.y_label),
        lines=tuple(_above(line, floor) for line in lines),
        columns=("attack", first.x_label, first.y_label, "band from", "band to"),
        rows=tuple(row for line in lines for row in _rows(line)),
    )


def power_of(record: AuditRecord) -> Figure | None:
    """How often each attack notices planted leaks, one panel a kind; None where none were planted."""
    found = [(f, p, s) for f, p in _plots(record, "power") for s in p.series]
    planted = dict.fromkeys(s.label for _, _, s in found)
    kinds = [*(k for k in KINDS if k in planted), *(k for k in planted if k not in KINDS)]
    lines = []
    for kind in kinds:
        for finding, _, series in found:
            points = [(x, y) for x, y in zip(series.x, series.y, strict=True) if x > 0]
            if series.label == kind and points:
                x, y = zip(*points, strict=True)
                lines.append(Line(_name(finding), x, y, panel=kind_of(kind).noun))
    if not lines:
        return None
    return Figure(
        key="curves",
        title="How often planted leaks are noticed",
        caption=_POWER,
        kind="power",
        x_label=briefly(found[0][1].x_label),
        y_label=briefly(found[0][1].y_label),
        lines=tuple(lines),
        columns=("planted", "attack", found[0][1].x_label, found[0][1].y_label),
        rows=tuple(
            (line.panel, line.label, share(line.x[i]), share(line.y[i]))
            for line in lines
            for i in thinned(len(line.x), POWER_ROWS)
        ),
        words=2,
    )


def _plots(record: AuditRecord, kind: str) -> list[tuple[Finding, Plot]]:
    return [(f, p) for f in record.findings if f.status in {"ok", "invalid"} for p in f.plots if p.kind == kind]


def _name(finding: Finding) -> str:
    return f"{finding.plugin} (not valid)" if voided(finding) else finding.plugin


def _names(found: list[tuple[Finding, Plot, Series]]) -> list[str]:
    """Each curve by its attack; where an attack has several, by plot and series too."""
    plugins = [f.plugin for f, _, _ in found]
    return [
        _name(f) if plugins.count(f.plugin) == 1 else f"{_name(f)}: {plot.name}, {series.label}"
        for f, plot, series in found
    ]


def _curve(finding: Finding, series: Series, name: str, confidence: float) -> Line:
    members, others = _patients(finding)
    try:
        band = roc_band(np.array(series.x), np.array(series.y), others, members, confidence)
    except ValueError:  # a curve that is not over the patients of this finding's AUC: drawn, without a band
        return Line(name, series.x, series.y)
    return Line(name, series.x, series.y, tuple(band.low.tolist()), tuple(band.high.tolist()))


def _patients(finding: Finding) -> tuple[int, int]:
    """How many members and how many others the curve rests on, as far as the estimates say; else 0."""
    auc = finding.estimate("auc")
    recognised = next((e for e in finding.estimates if e.name.startswith("tpr@fpr") and not e.group), None)
    if auc is None or recognised is None or auc.unit != "patient" or recognised.unit != "patient":
        return 0, 0
    members = recognised.n if recognised.value is not None else auc.n - recognised.n  # unmeasured: n is the others'
    return members, auc.n - members


def _above(line: Line, floor: float) -> Line:
    """Zeros have no place on a log axis: they are moved to half the smallest rate that occurs."""
    x, y, low, high = (tuple(max(v, floor) for v in values) for values in (line.x, line.y, line.low, line.high))
    return Line(line.label, x, y, low, high)


def _rows(line: Line) -> list[tuple[str, ...]]:
    return [
        (
            line.label,
            share(line.x[i]),
            share(line.y[i]),
            *((share(line.low[i]), share(line.high[i])) if line.low else ("", "")),
        )
        for i in thinned(len(line.x), ROC_ROWS)
    ]


def _caption(record: AuditRecord, banded: set[tuple[int, int]]) -> str:
    said = (
        "Both axes are logarithmic, so that the patients an attacker is most certain of can be seen at the left. On "
        "the dashed diagonal an attack is no better than chance; a curve above it is a leak. Points at zero are drawn "
        "at the edge."
    )
    sizes = " or ".join(f"{members} training and {others} other patients" for members, others in sorted(banded))
    band = (
        " The shaded band says where the true curve of one attack lies at each point, with at least "
        f"{record.spec.confidence:.0%} confidence for each point by itself (exact Clopper-Pearson rectangles of both "
        f"rates, over {sizes}). A band that holds the diagonal shows no leak there."
    )
    return said + band * bool(banded)
