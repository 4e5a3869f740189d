"""The page in a real browser: it draws, asks the network for nothing, and is readable everywhere."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from privbench.reports.html import html
from privbench.reports.sentence import verdict_sentence

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

    def unfold(self) -> None:
        """Open every fold of the page."""
        self.page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")

    def draw(self) -> int:
        """Scroll every figure into view and count what was drawn."""
        self.unfold()
        canvases = self.page.locator("figure .canvas")
        for i in range(canvases.count()):
            canvases.nth(i).scroll_into_view_if_needed()
            canvases.nth(i).locator("svg.main-svg").first.wait_for()
        return self.page.locator("figure .canvas:has(svg.main-svg .scatterlayer .trace)").count()

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


def figures_of(page: Any) -> int:
    return int(page.evaluate("JSON.parse(document.getElementById('plots-data').textContent).length"))


def test_every_figure_is_drawn_without_a_complaint_and_without_a_request(visit, record):
    seen = visit(viewport={"width": 1280, "height": 900})
    assert seen.draw() == figures_of(seen.page)
    alone = sum(p.kind in {"histogram", "curve"} for f in record.findings for p in f.plots)
    assert figures_of(seen.page) == alone + len(["roc", "power", "dice by centre", "exposed by centre"])
    assert seen.complaints == []
    assert seen.foreign == []


def test_figures_far_below_are_not_drawn_before_they_come_into_view(visit):
    seen = visit(viewport={"width": 1280, "height": 600})
    seen.page.wait_for_timeout(300)
    assert seen.page.locator("svg.main-svg").count() == 0
    assert seen.page.evaluate("window.Plotly") is None, "the library is parsed only where a figure needs it"


def test_hostile_names_are_shown_and_do_nothing(visit):
    seen = visit("hostile", viewport={"width": 1280, "height": 900})
    assert seen.draw() == figures_of(seen.page) > 4
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
    seen = visit(name, viewport={"width": width, "height": 900})
    page = seen.page
    seen.unfold()
    wide = (
        "[...document.querySelectorAll('.scroll')].filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.ariaLabel)"
    )
    assert page.evaluate(wide) == []


@pytest.mark.parametrize("name", ["plain", "declared"])
def test_on_paper_tables_keep_their_columns_and_fit_a_page_of_a4(visit, name):
    seen = visit(name, viewport={"width": 688, "height": 900})
    page = seen.page
    seen.unfold()
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


@pytest.mark.parametrize("name", ["plain", "unfair", "declared", "hostile"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_the_contrast_that_wcag_aa_asks_for(visit, name, scheme):
    seen = visit(name, viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    seen.unfold()
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
    tables = " ".join(page.locator("#fair table, #findings table, #power table, #utility table").all_text_contents())
    tables = tables.replace("\N{MINUS SIGN}", "-")
    for finding in record.findings:
        for estimate in finding.estimates:
            if estimate.value is not None:
                value = estimate.value
                said = {f"{100 * value:.1f}".removesuffix(".0") + "%", f"{value:.4g}", f"{value:.3f}"}
                assert any(form in tables for form in said), (finding.plugin, estimate)
    nearest = page.locator("#findings .attack").first
    assert not nearest.locator("table.findings").is_visible()
    nearest.locator("summary").first.click()
    assert nearest.locator("table.findings").is_visible()
    page.locator("#roc summary").click()
    assert page.locator("#roc tbody tr").first.is_visible()


def test_printing_unfolds_and_draws_in_light_colours_what_a_paper_reader_needs(visit):
    seen = visit(viewport={"width": 1280, "height": 900}, color_scheme="dark")
    page = seen.page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.paper:not([open])").count() == 0
    shown = [figure for figure in page.locator("figure:has(.canvas)").all() if figure.is_visible()]
    assert {figure.get_attribute("id") for figure in shown} >= {"roc", "curves"}
    assert all(figure.locator("svg.main-svg").count() for figure in shown)
    assert page.evaluate("document.querySelector('.canvas .xtick text').style.fill") == "rgb(0, 0, 0)"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.paper[open]").count() == page.locator("#rules details.paper[open]").count()
    assert seen.complaints == []


@pytest.mark.parametrize("scripted", [True, False])
def test_the_pdf_holds_verdict_criteria_worst_off_and_sign_off_on_light_pages(visit, tmp_path, scripted, record):
    pypdf = pytest.importorskip("pypdf")
    page = visit(java_script_enabled=scripted, viewport={"width": 1280, "height": 900}, color_scheme="dark").page
    page.pdf(path=str(tmp_path / "report.pdf"), prefer_css_page_size=True, print_background=True)
    pages = pypdf.PdfReader(tmp_path / "report.pdf").pages
    text = " ".join(" ".join(one.extract_text() for one in pages).split())
    sentence = " ".join(verdict_sentence(record).split())
    for said in (sentence, "Singling out", "Linkability", "Inference of membership", "Who is worst off", "Sign-off"):
        assert said in text
    assert text.count("Signature") == 2
    assert 6 <= len(pages) <= 30
    assert all(len(one.extract_text()) > 60 or len(one.images) for one in pages), "no page is blank"
    (width, height) = (float(pages[0].mediabox.width), float(pages[0].mediabox.height))
    assert (round(width), round(height)) == (595, 842)


def test_the_keyboard_reaches_the_verdict_first_and_the_outlines_can_be_switched_off(visit):
    page = visit(viewport={"width": 1280, "height": 900}).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#verdict"
    assert page.locator("svg.outline").first.is_visible()
    page.locator("#outlines").uncheck()
    assert not page.locator("svg.outline").first.is_visible()


def test_lines_and_bands_of_the_roc_curves_are_switched_with_the_keyboard(visit, record):
    page = visit(viewport={"width": 1280, "height": 900}).page
    roc = page.locator("#roc")
    roc.scroll_into_view_if_needed()
    roc.locator("svg.main-svg").first.wait_for()
    attacks = [f.plugin for f in record.findings for p in f.plots if p.kind == "roc"]
    boxes = roc.get_by_role("checkbox")
    assert boxes.count() == len(attacks) == 2
    lines = roc.locator(".scatterlayer .trace")
    before = lines.count()
    assert before == 3 + 2, "two attacks, chance, and the two edges of one band"
    boxes.first.focus()
    page.keyboard.press("Space")
    page.wait_for_timeout(100)
    assert lines.count() < before
    page.keyboard.press("Space")
    roc.get_by_label("Band of").select_option("all")
    page.wait_for_timeout(100)
    assert lines.count() == 3 + 4
    roc.get_by_label("Band of").select_option("none")
    page.wait_for_timeout(100)
    assert lines.count() == 3


def test_a_term_shows_its_meaning_on_hover_and_focus_until_escape(visit):
    page = visit(viewport={"width": 1280, "height": 900}).page
    term = page.locator("#criteria a.term").first
    tip = page.get_by_role("tooltip")
    assert not tip.is_visible()
    term.hover()
    assert tip.is_visible()
    assert "Share of released images" in tip.inner_text()
    assert term.get_attribute("aria-describedby") == tip.get_attribute("id")
    tip.hover()
    page.wait_for_timeout(400)
    assert tip.is_visible(), "it stays while the pointer is on it"
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    page.mouse.move(0, 0)
    term.focus()
    assert tip.is_visible()
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    term.focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(200)
    anchor = page.evaluate("location.hash")
    assert page.locator(anchor).is_visible(), "the glossary unfolds for a link into it"


def serious(page: Any, **options: Any) -> list[tuple[str, str]]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page, options={"resultTypes": ["violations"], **options}).response["violations"]
    return [(v["id"], v["nodes"][0]["html"][:160]) for v in found if v["impact"] in {"serious", "critical"}]


@pytest.mark.parametrize("name", ["plain", "unfair", "declared", "centres", "hostile"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_no_serious_violation_on_a_page_with_every_fold_open(visit, name, width):
    seen = visit(name, viewport={"width": width, "height": 900}, bypass_csp=True)
    seen.unfold()
    # Contrast of thousands of cells takes axe a minute: of an unfolded page the test above measures it.
    assert serious(seen.page, rules={"color-contrast": {"enabled": False}}) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation_in_the_colours_of_a_page_as_it_opens(visit, scheme):
    seen = visit("hostile", viewport={"width": 1280, "height": 900}, color_scheme=scheme, bypass_csp=True)
    assert serious(seen.page) == []
