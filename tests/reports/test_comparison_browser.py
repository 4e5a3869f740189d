"""The comparison in a real browser: it draws, switches, filters, asks the network for nothing, and prints."""

import io
from pathlib import Path
from typing import Any

import pytest

from privbench.audit.comparison import compare
from privbench.reports.comparison_html import comparison_html

from .made_comparisons import hostile, many, three

MINUS = "\N{MINUS SIGN}"


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("comparisons")
    for name, runs in (("three", three()), ("hostile", hostile()), ("many", many(12))):
        (folder / f"{name}.html").write_text(comparison_html(compare(runs)), encoding="utf-8")
    return {path.stem: path for path in folder.iterdir()}


@pytest.fixture
def visit(browser, pages):
    opened: list[Any] = []

    def go(name="three", **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        opened.append(context)
        page = context.new_page()
        page.complaints, page.requests = [], []
        page.on("console", lambda m: page.complaints.append(m.text) if m.type in {"error", "warning"} else None)
        page.on("pageerror", lambda e: page.complaints.append(str(e)))
        page.on("request", lambda r: page.requests.append(r.url))
        page.goto(pages[name].as_uri())
        return page

    yield go
    for context in opened:
        context.close()


def quiet(page):
    foreign = [url for url in page.requests if url != page.url and not url.startswith(("data:", "blob:"))]
    return page.complaints == [] and foreign == []


def points(page):
    return page.locator("#plane-canvas .scatterlayer .point").count()


def standings(page):
    return page.locator("#standings tbody tr").all_inner_texts()


def test_the_plane_is_drawn_with_a_point_and_bars_for_every_entrant(visit):
    page = visit()
    page.locator("#plane-canvas svg.main-svg").first.wait_for()
    assert points(page) == 3
    assert page.locator("#plane-canvas .errorbar").count() == 3
    assert not page.locator(".still").is_visible()
    shown = page.locator("#plane-canvas .annotation-text").all_text_contents()
    assert sorted(shown) == ["dfgm", "dp-ldm", "ldm"]
    assert quiet(page)


def test_other_axes_draw_another_plane_and_fill_its_table(visit):
    page = visit()
    before = standings(page)
    title = page.locator("#plane-title").inner_text()
    page.locator("#axis-y").select_option(label="Singling out: Copied share, above 0% (nearest)")
    page.locator("#axis-x").select_option(label="FID (fid)")
    assert points(page) == 3
    assert standings(page) != before
    assert page.locator("#plane-title").inner_text() != title
    assert any("23.1%" in line or "22.8%" in line for line in standings(page))
    assert "lower is better" in page.locator("#plane-canvas .xtitle").text_content()
    assert "On the front" in page.locator("#plane-said").inner_text()
    assert quiet(page)


def test_the_script_finds_the_same_front_as_the_page_without_it(visit):
    plain, drawn = visit(java_script_enabled=False), visit()
    assert standings(plain) == standings(drawn)


def test_the_script_prints_differences_as_the_tables_do(visit):
    page = visit("many")
    table = page.locator(".pairwise tbody tr").first
    pair, difference = table.locator("td").nth(0).inner_text(), table.locator("td").nth(1).inner_text()
    page.locator("#forest-reference").select_option(label=pair.split(f" {MINUS} ")[1])
    page.locator("#forest-figure summary").click()
    drawn = [line.split("\t") for line in page.locator("#forest-table tbody tr").all_inner_texts()]
    assert any([" ".join(cells[1:3]).split(), cells[0]] == [difference.split(), pair] for cells in drawn)


def test_differences_of_another_estimate_and_against_one_entrant(visit):
    page = visit()
    assert page.locator("#forest-canvas .errorbar").count() == 3
    page.locator("#forest-reference").select_option(label="dfgm")
    assert page.locator("#forest-canvas .errorbar").count() == 2
    names = page.locator("#forest-canvas .ytick text").all_text_contents()
    assert sorted(names) == [f"dp-ldm {MINUS} dfgm", f"ldm {MINUS} dfgm"]
    page.locator("#forest-estimate").select_option(label="Dice overlap, synthetic (dice)")
    assert page.locator("#forest-title").inner_text() == "Dice overlap, synthetic (dice)"
    assert quiet(page)


def seen(page):
    return page.locator("#all-findings tr.numbers:visible").count()


def test_findings_are_folded_and_the_page_short_until_they_are_unfolded(visit):
    page = visit()
    assert seen(page) == 0
    assert page.evaluate("document.documentElement.scrollHeight") < 8000
    folds = page.locator("#all-findings details")
    assert folds.locator("summary").first.inner_text() == "Membership 3 figures of 2 tests, a difference shown in 2"
    folds.locator("summary").first.click()
    assert seen(page) == 3
    assert quiet(page)


def test_findings_are_filtered_by_words_family_and_difference(visit):
    page = visit()
    every = page.locator("#all-findings tr.numbers").count()
    page.locator("#filter").fill("dice synthetic")
    assert seen(page) == 1
    assert page.locator("#filtered").inner_text() == f"1 of {every} figures"
    page.locator("#filter").fill("")
    page.locator("#family").select_option(label="Membership")
    texts = page.locator("#all-findings tr.plugin:visible").all_inner_texts()
    assert {text.split()[0] for text in texts} == {"strongest", "loss"}
    assert page.locator("#all-findings details:visible").count() == 1
    page.locator("#only-shown").check()
    assert seen(page) == 2
    page.locator("#family").select_option(label="all")
    page.locator("#filter").fill("nothing is called so")
    assert seen(page) == 0
    assert page.locator("#all-findings tr.method:visible").count() == 0
    page.locator("#filter").fill("")
    page.locator("#only-shown").uncheck()
    assert page.locator("#all-findings details:visible").count() == 4
    assert seen(page) == 0
    assert quiet(page)


def test_the_controls_are_reached_by_keyboard(visit):
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#said"
    page.locator("#axis-y").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "axis-x"
    page.locator("#only-shown").focus()
    page.keyboard.press("Space")
    assert page.locator("#only-shown").is_checked()
    assert "of" in page.locator("#filtered").inner_text()


def test_many_entrants_are_drawn_filtered_and_compared_with_one(visit):
    page = visit("many")
    assert points(page) == 12
    assert page.locator("#forest-canvas .errorbar").count() == 11
    page.locator("#filter").fill("dice")
    bodies = page.locator("#all-findings tbody:visible")
    assert bodies.count() == 1
    assert bodies.locator("tr").count() == 13
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert quiet(page)


def test_hostile_names_are_shown_and_do_nothing(visit):
    page = visit("hostile")
    page.locator("#forest-estimate").focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_timeout(200)
    assert page.evaluate("window.pwned") is None
    assert page.locator("img[onerror], svg a").count() == 0
    assert "window.pwned=1" in page.locator("h1").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert quiet(page)


@pytest.mark.parametrize(("name", "width"), [("three", 320), ("many", 390), ("hostile", 390), ("hostile", 768)])
def test_the_page_itself_never_scrolls_sideways(visit, name, width):
    page = visit(name, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_dark_mode_turns_page_and_plane_dark_also_while_the_page_is_open(visit):
    page = visit(color_scheme="light")
    tick = "getComputedStyle(document.querySelector('#plane-canvas .xtick text')).fill"
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(tick), page.evaluate(paper)
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(400)
    dark = page.evaluate(tick), page.evaluate(paper)
    assert light[0] != dark[0]
    assert light[1] != dark[1]
    assert sum(map(int, dark[0][4:-1].split(","))) > 500
    assert quiet(page)


def test_without_javascript_the_plane_is_there_and_every_table(visit):
    page = visit(java_script_enabled=False)
    assert page.locator("svg.plane").is_visible()
    assert page.locator("svg.plane g.mark").count() == 3
    assert page.locator("svg.plane .name").all_text_contents() != []
    assert not page.locator("#axis-x").is_visible()
    assert not page.locator("#filter").is_visible()
    assert not page.locator("#forest-figure").is_visible()
    page.locator("#all-findings summary").first.click()
    assert page.locator("#all-findings tr.numbers").first.is_visible()
    assert "0.955" in page.locator("#all-findings").inner_text()
    assert page.locator(".pairwise tbody tr").count() >= 15


def test_on_paper_every_table_fits_a_page_of_a4_as_a_table(visit):
    page = visit(viewport={"width": 688, "height": 900})
    page.emulate_media(media="print")
    tables = "[...document.querySelectorAll('table')].filter((t) => t.offsetParent)"
    assert page.evaluate(f"{tables}.filter((t) => t.offsetWidth > 688).map((t) => t.caption.textContent)") == []
    assert page.evaluate(f"{tables}.every((t) => getComputedStyle(t).display === 'table')")


def test_printing_gives_a_pdf_with_the_verdicts_the_plane_and_the_numbers(visit):
    pypdf = pytest.importorskip("pypdf")
    page = visit(color_scheme="dark")
    pdf = pypdf.PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True)))
    text = " ".join(" ".join(sheet.extract_text() for sheet in pdf.pages).split())
    for words in ("What can be said", "leaks more than", "Fail in 2 of 2", "Leading figures", "0.955", "How to read"):
        assert words in text, words
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    fill = "document.querySelector('#plane-canvas .xtick text').style.fill"
    assert page.evaluate(fill) == "rgb(0, 0, 0)"
    assert page.complaints == []


@pytest.mark.parametrize(("name", "scheme"), [("three", "dark"), ("many", "light")])
def test_axe_finds_no_serious_violation(visit, name, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = visit(name, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    found = axe.run(page).response["violations"]
    serious = [
        (v["id"], [n["html"][:200] for n in v["nodes"]][:3]) for v in found if v["impact"] in {"serious", "critical"}
    ]
    assert serious == []
