"""The study of few patients a centre, cut down; its table from rows with a known answer."""

import sys

import numpy as np
import pytest

TINY = {"autoencoder_steps": 2, "steps": 2, "channels": 16, "autoencoder_channels": 16, "batch": 4, "sampling_steps": 2}
SECTIONS = ("few-shot-dice", "few-shot-differences")


@pytest.fixture
def study(script, monkeypatch, tmp_path):
    """The study, whose networks are hardly trained, on a small cohort, with a page and a store of its own."""
    module = script("few_shot_dice")
    monkeypatch.setattr(module, "SEGMENTER", module.Recipe(steps=2, batch=2, rate=4e-3))
    small = {"members": 12, "holdout": 4, "reference": 1, "public": 4, "reserve": 1, "size": 32}
    monkeypatch.setattr(module, "COHORT", small)
    monkeypatch.setattr(module, "GENERATORS", {"blending": {}, "dfgm": {**TINY, "shared_steps": 2}, "ldm": TINY})
    monkeypatch.setattr(module, "EACH", 1)
    monkeypatch.setattr("privbench.generators.dfgm.DRAWN", 64)
    monkeypatch.setattr(module, "CACHE", tmp_path)
    monkeypatch.setattr(module, "PAGE", tmp_path / "page.md")
    module.PAGE.write_text("".join(f"<!-- {name} -->\n<!-- /{name} -->\n" for name in SECTIONS))
    return module


def test_every_arm_is_measured_once_and_stands_in_the_tables(study, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["few_shot_dice.py", "--seeds", "0", "1", "--patients", "2"])
    asked = []
    measured = study.dice
    monkeypatch.setattr(study, "dice", lambda *cell: asked.append(cell) or measured(*cell))
    study.main()
    assert sorted(asked) == sorted((seed, 2, arm) for seed in (0, 1) for arm in study.ARMS)
    page = study.PAGE.read_text()
    for line in ("| 2 | real |", "| 2 | real + dfgm |", "| 2 | real + ldm |", "| 2 | dfgm - blending |"):
        assert line in page
    study.main()
    assert len(asked) == 8, "what is finished is not computed again"


def test_the_tables_say_what_the_rows_say(study):
    real = [{"A": 0.5, "B": 0.6}, {"A": 0.5, "B": 0.7}, {"A": 0.4, "B": 0.6}]
    better = [{center: dice + 0.1 for center, dice in row.items()} for row in real]
    cells = {(4, "real"): real, (4, "blending"): real, (4, "dfgm"): better}
    first, _, last = study.table(cells)
    assert first[:4] == ["4", "real", "0.550", "0.467"]
    assert last[:4] == ["4", "real + dfgm", "0.650 (+0.100: +0.100 to +0.100)", "0.567 (+0.100: +0.100 to +0.100)"]
    assert study.differences(cells)[0][:3] == ["4", "dfgm - blending", "+0.100 (+0.100 to +0.100)"]


def test_the_interval_is_students_over_seeds(study):
    low, high = study.interval(np.array([0.1, 0.2, 0.3]))
    assert (low, high) == pytest.approx((0.2 - 4.3027 * 0.1 / 3**0.5, 0.2 + 4.3027 * 0.1 / 3**0.5), abs=1e-4)


def test_dfgm_is_given_the_public_parts_that_it_would_have_trained(study, tmp_path):
    split, _ = study.world(0)
    made = []
    for home in (tmp_path / "shared", tmp_path / "alone"):
        for patients in (2, 3) if home.name == "shared" else (3,):
            real = study.trained(split.members, study.few_shot(split.members, patients, 0))
            (home).mkdir(exist_ok=True)
            images = study.synthetic("dfgm", 0, patients, split, real, home)
        made.append(images.pixels)
    assert np.array_equal(*made)
