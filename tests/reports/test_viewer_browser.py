"""The viewer in a real browser: it filters, sorts, compares, follows the folder, and asks nobody else."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from privbench.audit.record import AuditRecord
from privbench.reports.viewer.app import viewer

from .made_runs import audited, put, several, watching

PATIENT = 8_000
"""Milliseconds: pages ask for news every two seconds."""


@contextmanager
def serving(root: Path, **options: Any) -> Iterator[str]:
    """The address of a viewer of ``root`` that listens on this machine."""
    config = uvicorn.Config(viewer(watching(root), **options), port=0, log_level="critical", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


class Visit:
    """An open page, with what it logged and asked for."""

    def __init__(self, browser: Any, base: str, path: str = "/", **options: Any) -> None:
        self.base = base
        self.context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENT)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.page.goto(base + path)

    @property
    def names(self) -> list[str]:
        return self.page.locator("#list tbody th").all_inner_texts()

    def wait(self, condition: str) -> None:
        """Until this JavaScript is true; the page's policy forbids Playwright's own way, which is to evaluate text."""
        until = time.monotonic() + PATIENT / 1000
        while not self.page.evaluate(f"() => Boolean({condition})"):
            assert time.monotonic() < until, condition
            self.page.wait_for_timeout(20)

    def wait_for_rows(self, n: int) -> None:
        self.wait(f"document.querySelectorAll('#list tbody th').length === {n}")

    @property
    def foreign(self) -> list[str]:
        return [u for u in self.requests if not u.startswith((self.base, "data:", "blob:"))]


@pytest.fixture(scope="module")
def five(tmp_path_factory) -> Iterator[str]:
    with serving(several(tmp_path_factory.mktemp("five"))) as base:
        yield base


@pytest.fixture
def visit(browser) -> Iterator[Callable[..., Visit]]:
    with ExitStack() as opened:

        def go(*arguments: Any, **options: Any) -> Visit:
            one = Visit(browser, *arguments, **options)
            opened.callback(one.context.close)
            return one

        yield go


def test_typing_filters_and_the_address_follows(visit, five):
    seen = visit(five)
    assert len(seen.names) == 5
    box = seen.page.get_by_label("Contains")
    box.press_sequentially("steps=1")
    seen.wait_for_rows(1)
    assert seen.names == ["one"]
    assert seen.page.evaluate("document.activeElement.name") == "q"
    assert "q=steps" in seen.page.url
    again = visit(seen.page.url, "")
    assert again.names == ["one"]
    assert again.page.get_by_label("Contains").input_value() == "steps=1"
    box.fill("")
    seen.wait_for_rows(5)
    seen.page.locator("select[name=verdict]").select_option("fail")
    seen.wait_for_rows(1)
    assert seen.names == ["five"]
    assert seen.complaints == []
    assert seen.foreign == []


def test_a_column_is_sorted_by_mouse_and_keyboard_and_says_so(visit, five):
    seen = visit(five)
    head = seen.page.locator("th", has_text="Membership AUC")
    head.get_by_role("link").click()
    seen.wait("document.querySelector('[aria-sort=ascending]')")
    assert seen.names == ["four", "one", "two", "nested/three", "five"]
    assert head.get_attribute("aria-sort") == "ascending"
    assert seen.page.evaluate("document.activeElement.textContent") == "Membership AUC"
    seen.page.keyboard.press("Enter")
    seen.wait("location.search === '?sort=-membership'")
    assert seen.names[0] == "nested/three"
    assert head.get_attribute("aria-sort") == "descending"
    assert seen.page.locator("select[name=sort]").input_value() == "-membership"
    assert seen.complaints == []


def test_ticks_outlast_a_filter_and_lead_to_a_comparison(visit, five):
    seen = visit(five)
    button = seen.page.get_by_role("button", name="Compare ticked runs")
    assert button.is_disabled()
    seen.page.get_by_label("Compare one").check()
    seen.page.get_by_label("Contains").fill("two")
    seen.wait_for_rows(1)
    seen.page.get_by_label("Compare two").check()
    assert "2 ticked" in seen.page.locator("#ticked").inner_text()
    assert visit(seen.page.url, "").page.locator("input[name=run]:checked").count() == 1
    button.click()
    seen.page.wait_for_url("**/compare?*")
    seen.page.get_by_text("All runs").first.wait_for()
    assert "dfgm" in seen.page.locator("body").inner_text()
    seen.page.get_by_role("link", name="All runs").click()
    seen.page.wait_for_url(f"{five}/")
    assert seen.complaints == []
    assert seen.foreign == []


def test_a_run_opens_its_report_whose_figures_are_drawn(visit, five):
    seen = visit(five)
    seen.page.get_by_role("link", name="one", exact=True).click()
    seen.page.wait_for_url("**/runs/*")
    canvas = seen.page.locator("figure .canvas").first
    seen.page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    canvas.scroll_into_view_if_needed()
    canvas.locator("svg.main-svg").first.wait_for()
    assert seen.complaints == []
    assert seen.foreign == []


def test_the_trend_shows_another_estimate_as_picture_and_table(visit, five):
    seen = visit(five)
    seen.page.get_by_role("link", name="Trend").click()
    assert "Membership AUC" in seen.page.locator("h2").inner_text()
    assert seen.page.locator(".plot .mark").count() == 4
    assert seen.page.locator(".plot .join").count() == 1
    assert [text.strip() for text in seen.page.locator(".legend li").all_inner_texts()[:3]] == ["dfgm", "dp-ldm", "ldm"]
    assert len(seen.names) == 4
    seen.page.locator("select[name=estimate]").select_option("nearest / copied_share")
    seen.page.wait_for_url("**copied_share**")
    seen.page.locator("h2", has_text="Copied").wait_for()
    assert seen.page.locator(".plot .mark").count() == 5
    seen.page.locator("select[name=lines]").select_option("options")
    seen.page.wait_for_url("**lines=options**")
    seen.page.locator("select[name=generator]").select_option("ldm")
    seen.page.wait_for_url("**generator=ldm**")
    assert seen.names == ["nested/three"]
    assert seen.complaints == []
    assert seen.foreign == []


def test_a_new_run_appears_by_itself_and_disturbs_nobody(visit, tmp_path):
    put(tmp_path / "a", audited("dfgm"))
    put(tmp_path / "b", audited("ldm"))
    with serving(tmp_path) as base:
        seen = visit(base)
        seen.page.get_by_label("Compare a").check()
        seen.page.get_by_label("Contains").focus()
        (tmp_path / "c").mkdir()
        (tmp_path / "c/spec.json").write_text("{}", encoding="utf-8")
        seen.wait_for_rows(3)
        assert "No record yet" in seen.page.locator("#list").inner_text()
        put(tmp_path / "c", audited("fresh"))
        seen.wait("document.querySelector('[aria-label=\"Compare c\"]')")
        assert seen.page.get_by_label("Compare a").is_checked()
        assert seen.page.evaluate("document.activeElement.name") == "q"
        assert "fresh" in seen.page.locator("select[name=generator]").inner_text()
        assert seen.complaints == []


def test_without_a_script_everything_is_there(visit, five):
    seen = visit(five, java_script_enabled=False)
    assert len(seen.names) == 5
    seen.page.get_by_label("Contains").fill("steps=")
    seen.page.get_by_role("button", name="Filter").click()
    assert set(seen.names) == {"one", "two", "five"}
    seen.page.get_by_role("link", name="Membership AUC").click()
    assert seen.names == ["one", "two", "five"]
    for name in ("one", "two"):
        seen.page.get_by_label(f"Compare {name}").check()
    seen.page.locator("noscript button").click()
    assert "/compare?run=" in seen.page.url
    assert seen.complaints == []


def test_with_a_token_the_printed_address_lets_in_once_and_for_all(visit, tmp_path):
    put(tmp_path / "a", audited())
    token = "a-token-that-nobody-guesses"
    with serving(tmp_path, token=token) as base:
        seen = visit(base, f"/?token={token}")
        seen.page.wait_for_url(f"{base}/")
        seen.wait_for_rows(1)
        assert token not in seen.page.url
        seen.page.get_by_role("link", name="Trend").click()
        seen.page.locator("h2").wait_for()
        assert seen.page.evaluate("document.cookie") == ""
        assert seen.complaints == []


PAGES = ["/?sort=-membership", "/trend", "/nowhere"]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_no_page_has_a_serious_barrier_or_scrolls_sideways(visit, five, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    seen = visit(five, viewport={"width": width, "height": 900}, color_scheme=scheme)
    for path in PAGES:
        seen.page.goto(five + path)
        violations = axe.run(seen.page).response["violations"]
        assert [(v["id"], v["nodes"][0]["html"]) for v in violations if v["impact"] in {"serious", "critical"}] == []
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width


def test_hostile_names_are_shown_and_do_nothing(visit, tmp_path, hostile: AuditRecord):
    put(tmp_path / "<img src=x onerror=window.pwned=1>", hostile)
    put(tmp_path / "b", hostile)
    with serving(tmp_path) as base:
        for width in (390, 1280):
            seen = visit(base, viewport={"width": width, "height": 900})
            seen.page.get_by_label("Contains").fill("window.pwned")
            seen.wait("location.search.includes('pwned')")
            assert len(seen.names) == 2
            assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
            seen.page.goto(f"{base}/trend")
            assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
            assert seen.page.evaluate("window.pwned") is None
            assert seen.complaints == []
            assert seen.foreign == []
