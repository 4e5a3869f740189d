"""How long it takes to compare fifty audits of the size of a real one: fifty generators, or 25 with two seeds."""

import random
import sys
from pathlib import Path

import pytest

from privbench.audit.comparison import compare
from privbench.audit.record import AuditRecord, Estimate
from privbench.audit.runs import load_record
from privbench.reports.comparison_html import comparison_html

RECORD = Path(__file__).parent.parent / "tests" / "records" / "v5.json"
ESTIMATES, BLOCKS = 270, 20
"""As many as a default audit of dfgm on brain-sim leaves."""


def _varied(estimate: Estimate, rng: random.Random) -> Estimate:
    value = 0.5 + 0.2 * rng.random()
    blocks = tuple(value + rng.gauss(0, 0.004) for _ in range(BLOCKS))
    known = {"value": value, "low": value - 0.08, "high": value + 0.08, "blocks": blocks}
    return estimate.model_copy(update=known)


def _audit(base: AuditRecord, option: int, seed: int) -> AuditRecord:
    """An audit of the size of a real one: 14 attacks and metrics, ten overall figures among twenty of each."""
    rng = random.Random(f"{option} {seed}")
    attack = next(f for f in base.findings if f.kind == "attack" and f.status == "ok")
    metric = next(f for f in base.findings if f.kind == "metric" and f.status == "ok")
    first = attack.estimates[0]
    findings = []
    for i in range(14):
        source = attack if i < 10 else metric
        worse = "both" if i < 10 else "lower"
        own = [
            _varied(
                first.model_copy(
                    update={"name": f"figure-{j}", "group": "" if j < 4 else f"space {j}", "worse": worse}
                ),
                rng,
            )
            for j in range(ESTIMATES // 14)
        ]
        update = {"plugin": f"plugin-{i}", "family": "membership" if i < 10 else "utility", "estimates": tuple(own)}
        findings.append(source.model_copy(update=update))
    generator = base.spec.generator.model_copy(update={"name": "dp-ldm", "options": {"epsilon": option}})
    spec = base.spec.model_copy(update={"generator": generator, "seed": seed})
    data = tuple(d.model_copy(update={"sha256": f"{seed:064x}"}) for d in base.data)
    return base.model_copy(update={"spec": spec, "data": data, "findings": tuple(findings), "schema_version": 5})


@pytest.fixture(scope="module", params=[(50, 1), (25, 2)], ids=["50-entrants", "25-entrants-2-seeds"])
def runs(request, tmp_path_factory) -> Path:
    entrants, seeds = request.param
    folder = tmp_path_factory.mktemp("runs")
    base = load_record(RECORD)
    for option in range(entrants):
        for seed in range(seeds):
            path = folder / f"run-{option:02d}-{seed}"
            path.mkdir()
            (path / "record.json").write_text(_audit(base, option, seed).model_dump_json(indent=1), encoding="utf-8")
    return folder


def test_compare_fifty_records(benchmark, cpu_of, runs, tmp_path):
    """The command as typed, with what it writes."""
    command = [sys.executable, "-m", "privbench", "compare", str(runs), "--out", str(tmp_path / "out")]
    cpu_of(command, rounds=3)
    benchmark.extra_info["page_megabytes"] = (tmp_path / "out" / "comparison.html").stat().st_size / 1e6


def test_draw_the_page_of_fifty(benchmark, runs):
    records = [(path.name, load_record(path)) for path in sorted(runs.iterdir())]
    comparison = compare(records)
    page = benchmark.pedantic(comparison_html, (comparison,), rounds=3, warmup_rounds=1)
    benchmark.extra_info["page_megabytes"] = len(page) / 1e6
