"""The studies of false alarms and of power, cut down: few small audits, networks hardly trained."""

from functools import partial

import numpy as np
import pytest
from scipy.stats import binom

AUDITS, PATIENTS = 16, 10
# at a true level of 5% more than this many of all p-values lie below it in less than one of 1,000 runs
MOST = binom.ppf(0.999, 3 * AUDITS, 0.05)


@pytest.fixture
def small(script, monkeypatch):
    """The audits that both studies share, with attacks that train nothing, and a handful of reference patients."""
    module = script("small_audits")
    quick = {"nearest": partial(module.nearest, steps=0), "gan-leaks": module.gan_leaks, "loss": module.loss}
    monkeypatch.setattr(module, "ATTACKS", quick)
    monkeypatch.setattr(module, "REFERENCE", 12)
    return module


def test_fresh_patients_are_accused_no_more_often_than_the_level_says(script, small, monkeypatch):
    study = script("false_alarms")
    monkeypatch.setattr(study, "ATTACKS", small.ATTACKS)
    monkeypatch.setattr(study, "PATIENTS", PATIENTS)
    rows = [study.audit(seed) for seed in range(AUDITS)]
    p_values = np.array([[row[name] for name in small.ATTACKS] for row in rows])
    assert np.isfinite(p_values).all()
    assert len(np.unique(p_values)) > AUDITS, "the p-values are numbers that vary, not one constant"
    assert (p_values <= 0.05).sum() <= MOST
    assert sum(row["verdict fails"] for row in rows) <= 2
    table = study.summary(rows)
    assert [line[0] for line in table[:3]] == [f"`{name}`, p <= 0.05" for name in small.ATTACKS]
    assert all(line[1].endswith(f" of {AUDITS}") for line in table)


def test_a_statistic_that_forgets_the_control_is_caught_by_the_same_study(script, small, monkeypatch):
    study = script("false_alarms")
    monkeypatch.setattr(study, "ATTACKS", {"nearest": small.ATTACKS["nearest"]})
    monkeypatch.setattr(study, "PATIENTS", PATIENTS)

    def careless(name, truth, split, seed):
        measured = small.attacked(name, truth, split, seed)
        share = next(e for e in measured.estimates if e.name == "copied_share" and not e.group)
        # a p-value against "not a single chance match", as if members had no control beside them
        broken = share.model_copy(update={"p_value": 0.001 if share.note[0] != "0" else 1.0})
        return type(measured)(tuple(broken if e is share else e for e in measured.estimates))

    monkeypatch.setattr(study, "attacked", careless)
    accused = sum(study.audit(seed)["nearest"] <= 0.05 for seed in range(8))
    assert accused > binom.ppf(0.999, 8, 0.05)


def test_a_copycat_is_found_as_often_as_the_certificate_says(script, small, monkeypatch):
    study = script("attack_power")
    monkeypatch.setattr(study, "PATIENTS", PATIENTS)
    monkeypatch.setattr(study, "PUBLIC", 4)
    monkeypatch.setattr(study, "CERTIFIED", 1)
    monkeypatch.setattr(study, "LEAKS", ((0.3, "exact"), (0.3, "foreground")))
    monkeypatch.setattr(study, "FAMILY", {"nearest": "memorization"})
    monkeypatch.setitem(study.DEPTHS, "thorough", study.DEPTHS["light"])
    rows = [study.audit(seed) for seed in range(5)]
    for kind in ("exact", "foreground"):
        assert rows[0][f"certificate|{kind}|nearest"] < 0.3
        assert sum(row[f"found|0.3|{kind}|nearest"] <= 0.05 for row in rows) >= 3
    assert study.found(rows)[0][0] == "30% exact"
    cells = {line[0]: line[1] for line in study.certificates(rows[:1])}
    assert set(cells) == set(study.KINDS)
    assert cells["exact"].endswith("%")
