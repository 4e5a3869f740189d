"""What a generator states of itself and what a guard certifies, where a reader looks for it."""

import math
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from scipy.stats import norm

from privbench.audit.cli.tables import print_record
from privbench.audit.record import Declaration
from privbench.reports.claim import cautions_of, meaning_of
from privbench.reports.crossings import MANY, crossed_of, size_of
from privbench.reports.guarded import name_of_guard
from privbench.reports.html import FOLD, html
from privbench.reports.junit import junit
from privbench.reports.md import md

from .made_declared import CERTIFICATE, CLAIM, CROSSINGS, GUARD, NOTES, PER_IMAGE, crossings
from .made_records import declared, many_centers, passing, per_image, unfair

ABOUT_CLAIM, ABOUT_BORDERS, ABOUT_GUARD = "differential privacy", "Out over the border", "What the guard withheld"


def bare(source: str) -> str:
    """The text of a page or of Markdown in one line, without marks."""
    body = re.sub(r"(?s)<(style|script)\b.*?</\1>", " ", source)
    text = re.sub(r"<[^>]+>", " ", body).replace("\\", "").replace("|", " ")
    for entity, character in (("&#39;", "'"), ("&rsquo;", "\N{RIGHT SINGLE QUOTATION MARK}"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return " ".join(text.split())


@pytest.fixture(scope="module", params=[html, md], ids=["html", "md"])
def write(request):
    return lambda record: bare(request.param(record, None))


@pytest.fixture(scope="module")
def text(write):
    return write(declared())


@pytest.mark.parametrize(
    "said",
    [
        "What the generator states of itself",
        "Epsilon 8 ",
        "Delta 0.001 (1 in 1,000)",
        "one patient with all images (at most 4 images)",
        "by at most a factor of 2,981",
        "lower bounds only. They can contradict the claim; they cannot prove it.",
        "No epsilon is right for every use (NIST SP 800-226).",
        "Accountant prv",
        "0.874 times the clipping norm in each step, from ordinary pseudo-random numbers, not a secure source",
        "each patient with a probability of 16% in each of 1,500 steps",
        "a norm of at most 1, after averaging 8 draws of time and noise per image",
        "Learnt from public images only autoencoder, scale of the latents",
        "Out over the borders of 4 centres went 2.76 MB: 600 \N{MULTIPLICATION SIGN} synthetic images; 600",
        "In came 1.97 MB: 480 \N{MULTIPLICATION SIGN} public backgrounds.",
        "Universitätsklinikum Nord",
        CROSSINGS[0].sha256[:12],
        *NOTES,
        "What the guard withheld",
        "min-distance (quantile = 0.05, shift = 1, mirror = yes, decoys = yes, tries = 10)",
        "0.04123 (0.05 quantile of members' distances to other members)",
        "Smallest distance found 0.04131",
        "400 images of training patients (fingerprint aaaaaaaaaaaa); kept as clear of 380 images of other people",
        "731 images in 3 rounds: 600 released, 131 rejected (17.9%)",
        "this generator often comes close to its training patients",
        "an AUC far below 0.5 is a leak too. Measured here: gan-leaks 0.511 (0.452 to 0.568). Decoys make",
        "arXiv 2301.06604",
        "not for whoever holds the model",
        "privbench verify-guard RUN",
    ],
)
def test_page_and_markdown_say(text, said):
    assert said in text


@pytest.mark.parametrize(
    ("changes", "about"),
    [
        ({}, set()),
        ({"declaration": Declaration(privacy=CLAIM)}, {ABOUT_CLAIM}),
        ({"declaration": Declaration(crossings=CROSSINGS)}, {ABOUT_BORDERS}),
        ({"declaration": Declaration(notes=NOTES)}, set()),
        ({"guard": CERTIFICATE}, {ABOUT_GUARD}),
    ],
)
def test_nothing_is_said_of_what_was_not_declared(write, changes, about):
    text = write(passing(**changes)).replace("A claimed differential-privacy budget", "")
    assert {words for words in (ABOUT_CLAIM, ABOUT_BORDERS, ABOUT_GUARD) if words in text} == about
    assert ("What the generator states of itself" in text) == ("declaration" in changes)


def test_a_page_links_to_what_it_has_and_to_nothing_else():
    everything, nothing = html(declared(), None), html(passing(), None)
    for anchor in ("stated", "guard"):
        assert everything.count(f'id="{anchor}"') == everything.count(f'href="#{anchor}"') == 1
        assert f"#{anchor}" not in nothing


def test_the_whole_hash_is_shown_when_pointed_at():
    page = html(declared(), None)
    for crossed in CROSSINGS:
        assert f'<code title="{crossed.sha256}">{crossed.sha256[:12]}</code>' in page


def test_no_word_promises_what_a_claim_or_a_guard_cannot(text):
    assert not re.search(r"\b(private|safe|safely|guarantee[ds]?)\b", text, re.IGNORECASE)


def test_what_holds_for_one_image_is_not_taken_for_what_holds_for_a_patient(write):
    text = write(per_image())
    assert "Epsilon 4 " in text
    assert "Delta 0.00001 (1 in 100,000)" in text
    assert "For whom one image" in text
    assert "epsilon 16, delta 0.0123 (1 in 81); by group privacy, at most 4 images a patient" in text
    assert "The patient-level figure is what counts: epsilon 16, not 4." in text
    assert "by at most a factor of more than a million (e to the power of epsilon 16)" in text
    assert "An epsilon above 10 gives little protection by itself" in text


def test_a_claim_is_cautioned_only_where_it_means_less_than_it_seems():
    fine = CLAIM.model_copy(update={"delta": 1e-5, "patient_delta": 1e-5})
    assert cautions_of(fine, 100) == ()
    assert cautions_of(fine.model_copy(update={"patient_epsilon": 10.0}), 100) == ()
    alone = PER_IMAGE.model_copy(update={"images_per_patient": 1, "patient_epsilon": 4.0, "patient_delta": 1e-5})
    assert cautions_of(alone, 100) == ()
    (large,) = cautions_of(fine.model_copy(update={"patient_epsilon": 10.1}), 100)
    assert "little protection by itself" in large
    (loose,) = cautions_of(CLAIM, 1000)
    assert "1 in 1,000" in loose
    (void,) = cautions_of(CLAIM.model_copy(update={"patient_delta": 1.0}), 0)
    assert "every disclosure of a patient would keep to this claim" in void
    assert "bounds nothing" in meaning_of(CLAIM.model_copy(update={"patient_delta": 1.0}))


@pytest.mark.parametrize(("mu", "epsilon"), [(0.3, 0.2), (1.0, 0.5), (1.0, 1.5), (2.0, 3.0)])
def test_no_test_against_a_gaussian_mechanism_beats_the_stated_accuracy(mu, epsilon):
    # Its delta at this epsilon (Balle and Wang 2018), and the accuracy of its best test.
    delta = norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu)
    claim = CLAIM.model_copy(update={"patient_epsilon": epsilon, "patient_delta": float(delta)})
    stated = re.search(r"at most ([\d.]+) times out of 100", meaning_of(claim))
    assert stated is not None
    assert float(stated[1]) >= 100 * norm.cdf(mu / 2)


@pytest.mark.parametrize(
    ("epsilon", "said"),
    [
        (0.0, "a factor of 1 (e to the power of epsilon 0)"),
        (0.0, "right at most 50 times out of 100"),
        (1.0, "a factor of 2.72 (e"),
        (1.0, "right at most 73.2 times out of 100"),
        (1e6, "more than a million"),
        (1e6, "could be right practically every time"),
    ],
)
def test_an_epsilon_means(epsilon, said):
    assert said in meaning_of(CLAIM.model_copy(update={"patient_epsilon": epsilon, "patient_delta": 0.0}))


def test_many_centres_are_folded_away(write):
    page, text = html(many_centers(), None), md(many_centers(), None)
    assert page.count("<summary>All 180 crossings, by centre</summary>") == 1
    assert "Out over the borders of 60 centres went 41.5 MB: 9,000 \N{MULTIPLICATION SIGN} synthetic images" in write(
        many_centers()
    )
    assert "centre 60" in page
    assert "centre 60" not in text
    assert len(text) < 10_000
    assert len(CROSSINGS) <= MANY
    few = declared(Declaration(crossings=CROSSINGS[:FOLD]))
    assert "crossings, by centre" not in html(few, None)


def test_what_crossed_is_added_up_by_direction_and_kind():
    only_in = crossings("a")[:1]
    said = (
        "Out over the border of 1 centre went nothing. In came 492 kB: 120 \N{MULTIPLICATION SIGN} public backgrounds."
    )
    assert crossed_of(only_in) == said
    kinds = tuple(CROSSINGS[1].model_copy(update={"what": f"kind {i}", "count": 2}) for i in range(7))
    assert "went 4.3 MB: 14 things of 7 kinds. In came nothing." in crossed_of(kinds)


def test_sizes_are_human():
    said = {0: "0 bytes", 999: "999 bytes", 1000: "1 kB", 20_480: "20.5 kB", 999_600: "1 MB", 5 * 10**15: "5,000 TB"}
    assert {size: size_of(size) for size in said} == said


def test_a_guard_that_rejects_little_is_not_called_close():
    few = CERTIFICATE.model_copy(update={"rejected": 60, "drawn": 660, "decoys": 0, "rounds": 1})
    text = bare(md(declared(guard=few), None))
    assert "often comes close" not in text
    assert "660 images: 600 released, 60 rejected (9.1%)" in text
    assert "decoys)" not in text
    assert "Decoys make" not in text


def test_a_certificate_that_contradicts_itself_is_named(text):
    broken = CERTIFICATE.model_copy(update={"closest": 0.01})
    assert "the certificate contradicts itself" in md(declared(guard=broken), None)
    assert "the certificate contradicts itself" not in text


def test_without_an_attack_on_the_released_images_holes_were_not_looked_for():
    page = bare(md(declared(findings=()), None))
    assert "No attack of this audit looked for them." in page
    spoiled = bare(md(unfair().model_copy(update={"guard": CERTIFICATE}), None))
    assert "No valid attack of this audit looked for them." in spoiled


def test_the_guard_is_named_with_its_options_where_an_audit_is_reproduced(write):
    text = write(declared(guard=None))
    assert "uard min-distance (quantile = 0.05, shift = 1, mirror = yes" in text
    assert name_of_guard(GUARD.model_copy(update={"options": {}})) == "min-distance"


def test_the_terminal_says_it_in_a_line_each(capsys):
    def shown(record):
        print_record(record, Path("run"))
        return [line for line in capsys.readouterr().out.splitlines() if line.startswith(("states:", "guard:"))]

    assert shown(passing()) == []
    states, guard = shown(declared())
    assert states.startswith("states:  epsilon 8 at delta 0.001 for one patient; 12 crossings at 4 centres; 2 notes (")
    assert "not proved" in states
    assert guard.startswith(
        "guard:   min-distance, smallest distance to a member 0.04131, tau 0.04123, 131 of 731 drawn"
    )
    assert "verify-guard" in guard
    (image, _) = shown(per_image())
    assert "epsilon 4 for one image, epsilon 16 at delta 0.0123 for one patient" in image


def test_a_declaration_is_no_test_result():
    named = [
        [
            (case.get("name"), [child.tag for child in case])
            for case in ET.fromstring(junit(record, None)).iter("testcase")
        ]
        for record in (declared(), passing())
    ]
    assert named[0] == named[1]
