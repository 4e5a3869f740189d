"""How large the page of an audit is, how soon its first table stands, how tall it is before anything is unfolded."""

from pathlib import Path

import pytest

from privbench.audit.runs import load_record
from privbench.reports.html import html

RECORDS = Path(__file__).parent.parent / "tests" / "records"
CHROMIUM = Path("/usr/bin/chromium")
# When the first table is laid out and the frame that holds it has been drawn, in milliseconds since navigation.
FIRST_TABLE = """(() => {
  const look = () => {
    const table = document.querySelector("table");
    if (table && table.offsetHeight > 0) requestAnimationFrame(() => { window.firstTable = performance.now(); });
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})();"""


@pytest.fixture(scope="module")
def record():
    """The committed record with the most findings."""
    return max(map(load_record, RECORDS.glob("v*.json")), key=lambda record: len(record.findings))


def test_the_page_is_written(benchmark, record):
    page = benchmark(html, record, None)
    benchmark.extra_info["megabytes"] = len(page.encode()) / 1e6


def test_the_first_table_stands(benchmark, record, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    file = tmp_path / "report.html"
    file.write_text(html(record, None), encoding="utf-8")
    seen = []
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])

        def visit():
            page = chromium.new_page(viewport={"width": 1280, "height": 900})
            page.add_init_script(FIRST_TABLE)
            page.goto(file.as_uri(), wait_until="commit")
            page.wait_for_function("window.firstTable")
            seen.append(page.evaluate("window.firstTable"))
            height = page.evaluate("document.documentElement.scrollHeight")
            page.close()
            return height

        benchmark.extra_info["height_px"] = benchmark.pedantic(visit, rounds=7, warmup_rounds=1)
        chromium.close()
    benchmark.extra_info["first_table_ms_median"] = sorted(seen[1:])[len(seen[1:]) // 2]
