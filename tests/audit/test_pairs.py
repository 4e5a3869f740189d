"""Real images stand beside released ones only where the owner of the data asks for it, on a page that says so."""

import base64
import io
import re
import shutil

import numpy as np
import pytest
from PIL import Image

import privbench
from privbench.audit.errors import BadInputError
from privbench.audit.pairs import MOST, real_pairs
from privbench.audit.runs import load_record
from privbench.reports.html import html

TOY = {
    "cohort": "example-blobs",
    "generator": {"name": "example-mixture", "options": {"leak": 0.3}},
    "attacks": ["example-distance"],
    "metrics": [],
    "certificate": "none",
    "samples": 40,
}


@pytest.fixture(scope="module")
def made(example_site, tmp_path_factory):
    """One audit for all tests, each of which gets a copy."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(example_site))
        privbench.run(TOY, out=folder / "run", store=folder / "store")
    return folder


@pytest.fixture
def run(made, tmp_path):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


def members_of(tmp_path):
    """Every member image as bytes of grey levels, and the names of all patients."""
    (folder,) = [p.parent for p in (tmp_path / "store" / "cohort").glob("*/stage.json")]
    pixels, patient = (np.load(folder / f"members.{field}.npy") for field in ("pixels", "patient"))
    return {(np.clip(p, 0, 1) * 255).round().astype(np.uint8).tobytes() for p in pixels}, set(patient.tolist())


def images_on(page):
    """The pixels of every picture on a page."""
    urls = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(url)))).tobytes() for url in urls]


def test_a_copy_stands_beside_the_image_that_it_was_made_from(run, tmp_path):
    pairs = real_pairs(run, store=tmp_path / "store")
    assert len(pairs.released) == len(pairs.real) == MOST
    assert max(pairs.distance) < 0.05 < min(pairs.control), "all twelve are copies, of 12 in 40"
    apart = np.abs(np.asarray(pairs.released.pixels) - np.asarray(pairs.real.pixels)).max(axis=(1, 2, 3))
    assert apart.max() < 0.01
    ratio = np.divide(pairs.distance, pairs.control)
    assert (np.diff(ratio) >= 0).all()


def test_without_the_flag_no_page_holds_a_real_image_and_with_it_the_page_says_so(run, tmp_path, command, example):
    real, names = members_of(tmp_path)
    store = {"PRIVBENCH_STORE": str(tmp_path / "store")}
    plain = command("report", run, "--format", "html", site=example, env=store)
    assert plain.returncode == 0
    assert not real & set(images_on(plain.stdout))
    assert "onfidential: contains" not in plain.stdout
    done = command("report", run, "--show-real", site=example, env=store)
    assert done.returncode == 0, done.stderr
    page = (run / "confidential" / "report-confidential.html").read_text(encoding="utf-8")
    assert "Confidential: contains training images" in page
    assert page.count("no real person") == 2, "the cohort is simulated: one banner says so, and one beside the pairs"
    assert "real patients&rsquo; images. Do not share" not in page
    assert 'aria-label="Simulated data"' not in page
    record = load_record(run)
    shared = html(record.model_copy(update={"simulated": False}), None, real_pairs(run, store=tmp_path / "store"))
    assert "contains real patients&rsquo; images. Do not share" in shared
    assert "simulated" not in shared.partition("</aside>")[0].partition("<body>")[2]
    assert "<title>CONFIDENTIAL" in page
    assert len(real & set(images_on(page))) > MOST // 2
    assert not any(name in page for name in names)
    assert not real & set(images_on((run / "report.html").read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--out", "report.html"), "the page that may be shared"),
        (("--format", "md"), "format 'md' shows no images"),
    ],
)
def test_real_images_go_nowhere_where_they_are_not_expected(run, command, example, arguments, said):
    refused = command("report", run, "--show-real", *arguments, site=example)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert len(refused.stderr.strip().splitlines()) <= 2


@pytest.mark.parametrize(("kind", "said"), [("cohort", "the cohort of"), ("samples", "the released images of")])
def test_what_the_store_no_longer_holds_is_refused_and_not_made_again(run, tmp_path, kind, said):
    shutil.rmtree(tmp_path / "store" / kind)
    with pytest.raises(BadInputError, match=f"does not hold {said}"):
        real_pairs(run, store=tmp_path / "store")
    assert not (tmp_path / "store" / kind).exists()


@pytest.mark.parametrize("key", ["", "../../../etc", "0" * 32])
def test_a_run_with_other_images_than_the_store_is_refused(run, tmp_path, key):
    (run / "samples" / ".complete").write_text(key)
    with pytest.raises(BadInputError, match="does not hold the released images"):
        real_pairs(run, store=tmp_path / "store")


def test_a_changed_file_is_refused(run, tmp_path):
    for file in (run / "samples" / "images").glob("*.png"):
        Image.fromarray(np.zeros(np.asarray(Image.open(file)).shape, np.uint16)).save(file)
    with pytest.raises(BadInputError, match="it changed"):
        real_pairs(run, store=tmp_path / "store")


def test_a_run_whose_distances_are_gone_or_broken_is_refused(run, tmp_path):
    file = run / "confidential" / "example-distance.csv"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:2], "x" + lines[2]]))
    with pytest.raises(BadInputError, match="does not hold distances"):
        real_pairs(run, store=tmp_path / "store")
    file.unlink()
    with pytest.raises(BadInputError, match="no distances to training images"):
        real_pairs(run, store=tmp_path / "store")


def test_another_cohort_in_the_store_is_refused(run, tmp_path):
    record = load_record(run)
    marks = tuple(m.model_copy(update={"sha256": "0" * 64}) for m in record.data)
    (run / "record.json").write_text(record.model_copy(update={"data": marks}).model_dump_json())
    with pytest.raises(BadInputError, match="does not hold the cohort"):
        real_pairs(run, store=tmp_path / "store")
