"""Folders of runs to look at: good ones, and what else may lie there."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from privbench.audit.record import AuditRecord, PluginSpec, StrongestAttack
from privbench.reports.viewer.runs import Runs
from privbench.reports.viewer.shelf import Shelf

from .made_findings import estimate
from .made_records import build, passing

FIRST = datetime(2026, 1, 1, 12, tzinfo=UTC)


def audited(
    generator: str = "dfgm", *, seed: int = 0, day: int = 0, auc: float = 0.55, **options: object
) -> AuditRecord:
    """A passing audit of a generator, some days after the first, whose strongest membership attack reached ``auc``."""
    base = passing()
    number = estimate("auc", auc, auc - 0.05, auc + 0.05, 0.5, group="strongest")
    chosen = StrongestAttack(family="membership", attack="loss", inverted=False, tried=("loss",), auc=number)
    spec = base.spec.model_copy(update={"generator": PluginSpec(name=generator, options=options), "seed": seed})
    started = (FIRST + timedelta(days=day)).isoformat()
    provenance = base.provenance.model_copy(update={"started": started})
    return base.model_copy(update={"spec": spec, "strongest": (chosen,), "provenance": provenance})


def put(folder: Path, record: AuditRecord) -> Path:
    """Write a record as a run does."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spec.json").write_text("{}", encoding="utf-8")
    temporary = folder / ".record.json.tmp"
    temporary.write_text(record.model_dump_json(indent=1), encoding="utf-8")
    return temporary.replace(folder / "record.json")


def several(root: Path) -> Path:
    """Five runs of three generators on one cohort, the last one failed."""
    put(root / "one", audited("dfgm", day=0, auc=0.52, steps=100))
    put(root / "two", audited("dfgm", day=5, auc=0.58, steps=200))
    put(root / "nested/three", audited("ldm", day=2, auc=0.71, seed=3))
    put(root / "four", audited("dp-ldm", day=9, auc=0.50, epsilon=3))
    put(root / "five", build())
    return root


def watching(root: Path, kept: Path | None = None, pause: float = 0.05) -> Runs:
    """The runs of a folder, looked at often."""
    return Runs(root, Shelf(kept or root / ".nothing" / "kept.sqlite", root), pause)
