"""How long the viewer takes to list 2,000 runs: reading all records, starting again, and answering.

Copies of the committed sample record (54 kB); PRIVBENCH_BENCH_RECORD names another, say that of a default run (290 kB).
"""

import json
import os
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from privbench.reports.viewer.app import viewer
from privbench.reports.viewer.runs import Runs
from privbench.reports.viewer.shelf import Shelf

RUNS = 2000
SAMPLE = Path(__file__).parent.parent / "tests/records/v5.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Runs that differ in seed and date."""
    root = tmp_path_factory.mktemp("runs")
    record = json.loads(Path(os.environ.get("PRIVBENCH_BENCH_RECORD", SAMPLE)).read_text(encoding="utf-8"))
    for i in range(RUNS):
        record["spec"]["seed"] = i
        record["provenance"]["started"] = f"2026-{1 + i % 12:02d}-{1 + i % 28:02d}T{i % 24:02d}:00:00+00:00"
        (root / f"run-{i:04d}").mkdir()
        (root / f"run-{i:04d}/record.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    return root


@contextmanager
def listing(folder, kept):
    """A viewer that has read every record."""
    runs = Runs(folder, Shelf(kept, folder))
    with TestClient(viewer(runs), base_url="http://127.0.0.1") as browser:
        while len(runs.shown().runs) < RUNS or runs.shown().waiting:
            time.sleep(0.005)
        yield browser


def start(folder, kept):
    with listing(folder, kept) as browser:
        assert "2,000 runs" in browser.get("/").text


def test_first_start(benchmark, folder, tmp_path):
    """Every record is parsed and kept; the page can be read from the first 0.3 s on, the latest runs first."""
    files = iter(tmp_path / f"{i}.sqlite" for i in range(9))
    benchmark.pedantic(lambda: start(folder, next(files)), rounds=3)


def test_later_start(benchmark, folder, tmp_path):
    """No record is parsed."""
    with listing(folder, tmp_path / "kept.sqlite"):
        time.sleep(1)
    benchmark.pedantic(lambda: start(folder, tmp_path / "kept.sqlite"), rounds=3, warmup_rounds=1)


@pytest.mark.parametrize("address", ["/", "/?sort=-membership", "/?q=dark", "/?show=all", "/trend"])
def test_page(benchmark, folder, tmp_path_factory, address):
    """One page of a viewer that runs."""
    kept = tmp_path_factory.getbasetemp() / "pages.sqlite"
    with listing(folder, kept) as browser:
        answer = benchmark.pedantic(lambda: browser.get(address), rounds=9, warmup_rounds=1)
        assert answer.status_code == 200
