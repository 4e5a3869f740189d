"""The page in a real browser: it draws, asks the network for nothing, and is readable everywhere."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from privbench.reports.html import html

from .made_records import declared, many_centers, unfair


@pytest.fixture(scope="module")
def pages(tmp_path_factory, record, hostile, make_gallery, hostile_text) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    sources = {
        "plain": html(record, make_gallery()),
        "unfair": html(unfair(copies=3), None),
        "declared": html(declared(), None),
        "centres": html(many_centers(), None),
        "hostile": html(hostile, make_gallery(centre=hostile_text)),
    }
    for name, source in sources.items():
        (folder / f"{name}.html").write_text(source, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in sources}


class Visit:
    """An open page, with what it logged and asked for."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.url = path.as_uri()
        self.page.goto(self.url)

    def draw(self) -> int:
        """Scroll every figure into view and count what was drawn."""
        canvases = self.page.locator("figure .canvas")
        for i in range(canvases.count()):
            canvases.nth(i).scroll_into_view_if_needed()
            canvases.nth(i).locator("svg.main-svg").first.wait_for()
        return self.page.locator("figure .canvas:has(svg.main-svg path.js-line)").count()

    @property
    def foreign(self) -> list[str]:
        return [u for u in self.requests if u != self.url and not u.startswith(("data:", "blob:"))]


@pytest.fixture
def visit(browser, pages) -> Iterator[Callable[..., Visit]]:
    opened: list[Visit] = []

    def go(name: str = "plain", **options: Any) -> Visit:
        opened.append(Visit(browser, pages[name], **options))
        return opened[-1]

    yield go
    for one in opened:
        one.context.close()


def test_every_figure_is_drawn_without_a_complaint_and_without_a_request(visit, record):
    seen = visit(viewport={"width": 1280, "height": 900})
    assert seen.draw() == sum(len(f.plots) for f in record.findings)
    assert seen.complaints == []
    assert seen.foreign == []


def test_figures_far_below_are_not_drawn_before_they_come_into_view(visit):
    seen = visit(viewport={"width": 1280, "height": 600})
    seen.page.wait_for_timeout(300)
    assert seen.page.locator("svg.main-svg").count() == 0


def test_hostile_names_are_shown_and_do_nothing(visit):
    seen = visit("hostile", viewport={"width": 1280, "height": 900})
    assert seen.draw() == 6
    seen.page.wait_for_timeout(200)
    assert seen.page.evaluate("window.pwned") is None
    assert seen.page.locator("img[onerror], svg a").count() == 0
    assert seen.complaints == []
    assert seen.foreign == []
    assert "window.pwned=1" in seen.page.locator("h1").inner_text()


@pytest.mark.parametrize("name", ["plain", "declared", "hostile"])
@pytest.mark.parametrize("width", [320, 375, 768, 1920])
def test_the_page_itself_never_scrolls_sideways(visit, name, width):
    seen = visit(name, viewport={"width": width, "height": 800})
    seen.draw()
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", ["plain", "unfair", "declared", "centres"])
@pytest.mark.parametrize("width", [390, 1280, 1600])
def test_every_table_fits_without_scrolling_sideways(visit, name, width):
    page = visit(name, viewport={"width": width, "height": 900}).page
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    wide = (
        "[...document.querySelectorAll('.scroll')].filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.ariaLabel)"
    )
    assert page.locator("#findings .scroll").count() == 1
    assert page.evaluate(wide) == []


@pytest.mark.parametrize("name", ["plain", "declared"])
def test_on_paper_tables_keep_their_columns_and_fit_a_page_of_a4(visit, name):
    page = visit(name, viewport={"width": 688, "height": 900}).page
    page.emulate_media(media="print")
    shown = "[...document.querySelectorAll('.stacked tr')].every((r) => getComputedStyle(r).display === 'table-row')"
    assert page.evaluate(shown)
    assert page.evaluate("[...document.querySelectorAll('.stacked')].every((t) => t.offsetWidth <= 688)")
    narrow = "Math.min(...[...document.querySelectorAll('#findings .method td')].map((cell) => cell.offsetWidth))"
    assert page.evaluate(narrow) > 400


CONTRAST = """() => {
  const rgb = (s) => s.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => { for (; e; e = e.parentElement) {
    const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  let worst = [99, ""];
  for (const e of document.querySelectorAll("h1,h2,h3,h4,p,li,a,td,th,dt,dd,span,code,caption,summary,strong,label")) {
    if (!e.textContent.trim() || !e.offsetParent || e.closest(".skip")) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) worst = [ratio, `${e.tagName}.${e.className} ${e.textContent.slice(0, 40)}`];
  }
  return worst;
}"""


@pytest.mark.parametrize("name", ["plain", "unfair", "declared"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_the_contrast_that_wcag_aa_asks_for(visit, name, scheme):
    seen = visit(name, viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    seen.page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    ratio, where = seen.page.evaluate(CONTRAST)
    assert ratio >= 4.5, where


def test_dark_mode_turns_page_and_figures_dark_also_while_the_page_is_open(visit):
    seen = visit(viewport={"width": 1280, "height": 900}, color_scheme="light")
    seen.draw()
    tick = "getComputedStyle(document.querySelector('.canvas .xtick text')).fill"
    paper = "getComputedStyle(document.body).backgroundColor"
    before = seen.page.evaluate(tick), seen.page.evaluate(paper)
    seen.page.emulate_media(color_scheme="dark")
    seen.page.wait_for_timeout(500)
    after = seen.page.evaluate(tick), seen.page.evaluate(paper)
    assert (before[0], after[0]) == ("rgb(28, 36, 48)", "rgb(227, 232, 238)")
    assert (before[1], after[1]) == ("rgb(251, 251, 249)", "rgb(18, 23, 29)")


def test_without_javascript_every_number_is_readable(visit, record):
    seen = visit(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    page = seen.page
    assert page.locator("noscript p").is_visible()
    page.locator("#fair summary").click()
    tables = " ".join(
        page.locator("#fair table, #findings table, #power table, #utility table, #rules table").all_inner_texts()
    )
    tables = tables.replace("\N{MINUS SIGN}", "-")
    for finding in record.findings:
        for estimate in finding.estimates:
            if estimate.value is not None:
                value = estimate.value
                said = {f"{100 * value:.1f}".removesuffix(".0") + "%", f"{value:.4g}", f"{value:.3f}"}
                assert any(form in tables for form in said), (finding.plugin, estimate)
    page.locator("#figure-1 summary").click()
    assert page.locator("#figure-1 tbody tr").first.is_visible()


def test_printing_draws_every_figure_in_light_colours_and_gives_a_pdf(visit, record, tmp_path):
    seen = visit(viewport={"width": 1280, "height": 900}, color_scheme="dark")
    pdf = seen.page.pdf(path=str(tmp_path / "report.pdf"), prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")
    seen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert seen.page.locator(".canvas:has(svg.main-svg)").count() == sum(len(f.plots) for f in record.findings)
    assert seen.page.evaluate("document.querySelector('.canvas .xtick text').style.fill") == "rgb(0, 0, 0)"
    assert seen.complaints == []


def test_the_keyboard_reaches_the_verdict_first_and_the_outlines_can_be_switched_off(visit):
    page = visit(viewport={"width": 1280, "height": 900}).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#verdict"
    assert page.locator("svg.outline").first.is_visible()
    page.locator("#outlines").uncheck()
    assert not page.locator("svg.outline").first.is_visible()
