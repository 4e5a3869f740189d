"""What a user gets wrong is said in two lines at most, before anything is trained, without a patient's name."""

import csv
import re

import numpy as np
import pytest
from PIL import Image

import privbench

PARTS = ("members", "holdout", "reference", "public", "reserve")
SECRET = "Jane-Doe"


def write_cohort(root, per_part=9, size=16, **changes):
    """A small real-looking cohort on disk; ``changes`` edits rows or files before they are written."""
    rng = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    rows = []
    for part in PARTS:
        for i in range(per_part):
            for k in range(2):
                name = f"images/{part}-{i}-{k}.png"
                pixels = rng.integers(0, 65535, (size, size)).astype(np.uint16)
                Image.fromarray(pixels).save(root / name)
                mask = f"images/mask-{part}-{i}-{k}.png"
                Image.fromarray((pixels > 50000).astype(np.uint8)).save(root / mask)
                rows.append(
                    {
                        "file_name": name,
                        "patient": f"{SECRET}-{part}-{i}",
                        "label": i % 2,
                        "center": "north" if i % 3 else "south",
                        "mask_file_name": mask,
                        "split": part,
                    }
                )
    return rows


def save(root, rows, drop=()):
    columns = [c for c in rows[0] if c not in drop]
    with (root / "metadata.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def check_refused(tmp_path):
    """Run an audit of a folder cohort and check how it is refused."""

    def check(message, cohort_options=None, **changes):
        spec = {
            "cohort": {"name": "folder", "options": {"path": str(tmp_path / "real")} | (cohort_options or {})},
            "generator": "copycat",
            "attacks": ["gan-leaks"],
            "metrics": [],
        }
        with pytest.raises(privbench.BadInputError, match=message) as caught:
            privbench.run(spec | changes, out=tmp_path / "run", store=tmp_path / "store")
        text = str(caught.value)
        assert len(text.splitlines()) <= 2
        assert SECRET not in text
        assert not list((tmp_path / "store").glob("samples/*/stage.json"))
        assert not (tmp_path / "run" / "record.json").exists()

    return check


@pytest.fixture
def rows(tmp_path):
    return write_cohort(tmp_path / "real")


def test_a_correct_cohort_is_audited(rows, tmp_path):
    save(tmp_path / "real", rows)
    spec = {
        "cohort": {"name": "folder", "options": {"path": str(tmp_path / "real")}},
        "generator": {"name": "copycat", "options": {"leak": 0.5}},
        "attacks": ["gan-leaks"],
        "metrics": [],
    }
    record = privbench.run(spec, out=tmp_path / "run", store=tmp_path / "store")
    assert {f.status for f in record.findings} == {"ok"}
    assert not record.simulated
    # the samples of a copycat are real people's images: not copied out of the store, not shown in the report
    assert not (tmp_path / "run" / "samples").exists()
    assert not (tmp_path / "run" / "gallery").exists()
    assert SECRET not in (tmp_path / "run" / "report.html").read_text()
    assert not re.search(r"<img[^>]+data:image", (tmp_path / "run" / "report.html").read_text())


def test_a_missing_column(rows, tmp_path, check_refused):
    save(tmp_path / "real", rows, drop=("patient",))
    check_refused("no column 'patient'")


def test_a_listed_file_that_is_missing(rows, tmp_path, check_refused):
    save(tmp_path / "real", rows)
    (tmp_path / "real" / rows[3]["file_name"]).unlink()
    check_refused(rows[3]["file_name"].rsplit("/", 1)[1])


def test_a_truncated_image(rows, tmp_path, check_refused):
    save(tmp_path / "real", rows)
    file = tmp_path / "real" / rows[3]["file_name"]
    file.write_bytes(file.read_bytes()[:200])
    check_refused(file.name)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_are_not_numbers(rows, tmp_path, check_refused, value):
    pixels = np.random.default_rng(0).random((16, 16)).astype(np.float32)
    pixels[3, 3] = value
    np.save(tmp_path / "real" / "images" / "odd.npy", pixels)
    rows[5]["file_name"] = "images/odd.npy"
    save(tmp_path / "real", rows)
    check_refused(r"odd\.npy.*(NaN|nan|finite)")


def test_images_of_different_sizes(rows, tmp_path, check_refused):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 16)).astype(np.uint8)).save(
        tmp_path / "real" / rows[7]["file_name"]
    )
    save(tmp_path / "real", rows, drop=("mask_file_name",))
    check_refused("size")


def test_a_patient_in_two_parts(rows, tmp_path, check_refused):
    for row in rows:
        if row["patient"].endswith("holdout-2"):
            row["patient"] = f"{SECRET}-members-2"
    save(tmp_path / "real", rows)
    check_refused("1 patient is in both 'members' and 'holdout'")


def test_a_constant_image(rows, tmp_path, check_refused):
    Image.fromarray(np.full((16, 16), 900, np.uint16)).save(tmp_path / "real" / rows[0]["file_name"])
    save(tmp_path / "real", rows)
    check_refused("constant")


def test_an_empty_folder(tmp_path, check_refused):
    (tmp_path / "real").mkdir()
    check_refused("metadata.csv")


def test_a_folder_that_is_not_there(check_refused):
    check_refused("real")


def test_no_public_images_for_dfgm(rows, tmp_path, check_refused):
    save(tmp_path / "real", [row for row in rows if row["split"] != "public"])
    check_refused("generator 'dfgm' needs public images", generator="dfgm")


def test_no_masks_for_dfgm(rows, tmp_path, check_refused):
    save(tmp_path / "real", rows, drop=("mask_file_name",))
    check_refused("generator 'dfgm' needs lesion masks", generator="dfgm")


def test_no_reserve_patients_for_copycat(rows, tmp_path, check_refused):
    save(tmp_path / "real", [row for row in rows if row["split"] != "reserve"])
    check_refused("generator 'copycat' needs reserve patients")


def test_a_split_too_small_for_the_attack(tmp_path, check_refused):
    save(tmp_path / "real", write_cohort(tmp_path / "real", per_part=3))
    check_refused("attack 'siamese' needs at least 8 reference patients, the cohort has 3", attacks=["siamese"])


def test_synthetic_images_of_another_size(rows, tmp_path, check_refused):
    save(tmp_path / "real", rows)
    (tmp_path / "synthetic").mkdir()
    for i in range(3):
        pixels = np.random.default_rng(i).integers(0, 255, (24, 24)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "synthetic" / f"{i}.png")
    check_refused("24", generator={"name": "folder", "options": {"path": str(tmp_path / "synthetic")}})


def test_a_generator_folder_that_is_empty_or_missing(rows, tmp_path, check_refused):
    save(tmp_path / "real", rows)
    check_refused("synthetic", generator={"name": "folder", "options": {"path": str(tmp_path / "synthetic")}})
    (tmp_path / "synthetic").mkdir()
    check_refused("synthetic", generator={"name": "folder", "options": {"path": str(tmp_path / "synthetic")}})


def test_on_the_command_line_it_is_exit_code_2(rows, tmp_path, command):
    save(tmp_path / "real", rows, drop=("patient",))
    done = command("run", "-c", "folder", "--cohort-opt", f"path={tmp_path / 'real'}", "-g", "copycat")
    assert done.returncode == 2
    assert "no column 'patient'" in done.stderr
    assert "Traceback" not in done.stderr
