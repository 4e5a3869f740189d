"""What the page says, before any browser sees it."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from privbench.audit.plugin import facts_of
from privbench.audit.record import Verdict
from privbench.audit.types import ImageSet
from privbench.reports.html import html
from privbench.reports.measures import measure_of
from privbench.reports.pictures import outline_of, pictures_of


class Page(HTMLParser):
    """The visible text, the tags with attributes and the contents of script elements."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.words: list[str] = []
        self._inside = ""
        self.feed(source)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append((self.tags[-1][1], data))
        elif self._inside != "style":
            self.words.append(data)


@pytest.fixture(scope="module")
def page(record, make_gallery) -> Page:
    return Page(html(record, make_gallery()))


def test_the_report_is_a_plugin_that_writes_html():
    facts = facts_of(html)
    assert facts is not None
    assert (facts.kind, facts.suffix) == ("report", "html")


def test_the_page_weighs_at_most_six_megabytes_even_with_large_noisy_colour_images(record):
    noise = np.random.default_rng(0).random((40, 3, 512, 512), dtype=np.float32)
    gallery = ImageSet(pixels=noise, patient=np.array([str(i) for i in range(40)]))
    assert len(html(record, gallery).encode()) <= 6_000_000


def test_nothing_on_the_page_refers_to_another_place(page):
    for tag, attributes in page.tags:
        for key in ("src", "href", "action", "data", "srcset", "poster"):
            value = attributes.get(key)
            assert value is None or value.startswith(("#", "data:image/png;base64,")), (tag, key, value)
    assert not {tag for tag, _ in page.tags} & {"link", "iframe", "object", "embed", "form", "base"}


def test_only_the_pages_own_scripts_are_allowed_to_run(page):
    policy = next(a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv"))
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    for attributes, source in page.scripts:
        if attributes.get("type") != "application/json":
            digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy


def test_no_word_promises_what_an_audit_cannot(page):
    assert not re.search(r"\b(private|safe|safely|guarantee[ds]?)\b", page.text, re.IGNORECASE)


@pytest.mark.parametrize(
    "said",
    [
        "This audit found leakage above its limits (singling out): 1 of 11 rules failed; ",
        "Singling out: copied share (nearest): 0.203 [0.171, 0.239], allowed: at most 0.02",
        "Look at confidential/nearest.csv",
        "Adding the synthetic images to the real ones changed Dice by \N{MINUS SIGN}0.090",
        "can come from the centre alone",
        "Simulated data.",
        "Of the released images, 20.3% resemble a training patient's image more closely",
        "the attack points to the training patient 54 times out of 100; a coin toss gives 50.",
        "17.1% to 23.9%",
        "not resolvable with 100 holdout patients",
        "LinAlgError: singular matrix",
        "pip install 'privbench[fid]'",
        "privbench run --generator dfgm --attack all",
        "An attacker who holds the model's weights",
        "Membership inference with shadow models",
    ],
)
def test_the_page_says(page, said):
    assert said in page.text


def test_every_estimate_of_the_record_stands_in_a_table(page, record):
    for finding in record.findings:
        for estimate in finding.estimates:
            assert estimate.name in page.text
            assert estimate.method in page.text


def test_a_report_expires_a_year_after_the_audit_also_on_a_leap_day(record):
    leap = record.provenance.model_copy(update={"started": "2028-02-29T10:00:00+00:00"})
    assert "expires on 2029-02-28" in Page(html(record.model_copy(update={"provenance": leap}), None)).text


def test_a_criterion_without_any_result_is_shown_as_not_measured_and_never_as_a_pass(make_record):
    page = Page(html(make_record(findings=(), verdict=Verdict(outcome="inconclusive", rules=())), None))
    open_questions = page.text.count("This audit says nothing about this risk. That is not a pass")
    assert open_questions == 4  # inference has two parts
    assert "That is not a pass." in page.text
    assert not [a for _, a in page.tags if "pass" in (a.get("class") or "").split()]


def test_a_passing_verdict_still_says_what_an_audit_cannot_show(make_record, record):
    rules = tuple(r for r in record.verdict.rules if r.outcome == "pass")
    text = Page(html(make_record(verdict=Verdict(outcome="pass", rules=rules)), None)).text
    assert "No leakage above the limits was found by the tests that were run" in text
    assert "it cannot show that they do not" in text


def test_samples_that_are_real_images_are_named_as_the_reason_for_an_empty_gallery(make_record, record):
    spec = record.spec.model_copy(update={"generator": record.spec.generator.model_copy(update={"name": "copycat"})})
    page = Page(html(make_record(releases_real=True, spec=spec), None))
    assert "images of the cohort itself, and a report never shows those" in page.text
    assert "Known-answer generator." in page.text
    assert "img" not in {tag for tag, _ in page.tags}


def test_real_data_carries_no_simulated_banner(make_record):
    assert "Simulated data" not in Page(html(make_record(simulated=False), None)).text


def test_images_of_a_releasing_generator_are_not_shown_even_if_they_are_handed_over(make_record, make_gallery):
    page = Page(html(make_record(releases_real=True), make_gallery()))
    assert "img" not in {tag for tag, _ in page.tags}


def test_what_synthetic_images_are_worth_stands_side_by_side_with_real_ones(page):
    assert re.search(r"Measure real synthetic real\+synthetic", page.text)
    assert "released images real images (control)" in page.text


def test_every_link_of_the_page_leads_to_one_place(page):
    ids = [a["id"] for _, a in page.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    links = {a["href"][1:] for tag, a in page.tags if tag == "a" and a.get("href")}
    assert "g-copied-share" in links
    assert links <= set(ids)


def test_hostile_text_creates_no_element(hostile, record, make_gallery, hostile_text):
    gallery = make_gallery()
    plain = Page(html(record, gallery))
    hostile_page = Page(html(hostile, make_gallery(centre=hostile_text)))
    known = {t for t, _ in plain.tags}
    assert {t for t, _ in hostile_page.tags} <= known
    assert len(hostile_page.scripts) == len(plain.scripts) == 3
    assert not [a for _, a in hostile_page.tags if "onerror" in a]
    assert "window.pwned=1" in hostile_page.text


def test_headings_descend_one_level_at_a_time_and_every_table_has_a_caption(page):
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    tags = [tag for tag, _ in page.tags]
    assert tags.count("caption") == tags.count("table") > 5
    assert {"main", "nav", "header", "footer"} <= set(tags)


def test_the_outline_runs_along_every_border_between_mask_and_background():
    inside = np.zeros((3, 4), dtype=bool)
    inside[1, 1:3] = True
    path = outline_of(inside)
    assert path.count("h1") == 4
    assert path.count("v1") == 2
    assert sorted(re.findall(r"M(\d+) (\d+)v1", path)) == [("1", "1"), ("3", "1")]


def test_a_volume_is_shown_by_its_middle_slice():
    pixels = np.zeros((1, 1, 5, 8, 8), np.float32)
    pixels[0, 0, 2] = 1.0
    (picture,) = pictures_of(ImageSet(pixels=pixels, patient=np.array(["s"])))
    from io import BytesIO

    from PIL import Image

    shown = Image.open(BytesIO(base64.b64decode(picture.url.partition(",")[2])))
    assert np.asarray(shown).min() == 255


def test_every_number_that_the_documentation_defines_has_a_plain_name_in_the_reports():
    text = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text(encoding="utf-8")
    names = set(re.findall(r"^\| `([^`]+)`", text, re.MULTILINE))
    assert "copied_share" in names
    assert {name for name in names if not measure_of(name).meaning} == set()
