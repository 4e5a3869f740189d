"""Who is worst off, centre by centre and class by class: counts that add up, and none that could point at a person."""

import numpy as np
import pytest

from privbench.audit.measures.measured import Truth
from privbench.audit.measures.subgroups import FEWEST, excess_by_group, subgroups
from privbench.audit.types import ImageSet

PATIENTS = 40


@pytest.fixture
def truth():
    """Two images a patient, shuffled; 25 patients of centre A, 12 of B, 3 of C; the first patient has two classes."""
    rng = np.random.default_rng(0)
    owner = rng.permutation(np.repeat(np.arange(PATIENTS), 2))
    center = np.where(owner < 25, "A", np.where(owner < 37, "B", "C"))
    label = (owner % 2).astype(np.int64)
    label[np.flatnonzero(owner == 0)[0]] = 1
    pixels = np.zeros((len(owner), 1, 2, 2), np.float32)
    candidates = ImageSet(pixels, np.array([f"p{i:02d}" for i in owner]), label=label, center=center)
    return Truth(candidates, owner % 2 == 0, candidates.patient, candidates.take(slice(0, 0)))


def names_in(groups, group):
    return {int(i) for i in np.flatnonzero(groups[group])}


def test_patients_stand_in_their_centre_and_class_and_one_of_two_classes_in_none(truth):
    groups = subgroups(truth, truth.candidates.patients)
    assert set(groups) == {"center A", "center B", "center C", "label 0", "label 1"}
    assert names_in(groups, "center B") == set(range(25, 37))
    assert names_in(groups, "label 0") == set(range(2, PATIENTS, 2))
    assert 0 not in names_in(groups, "label 1")


def test_one_centre_alone_is_no_subgroup(truth):
    candidates = truth.candidates
    alone = ImageSet(candidates.pixels, candidates.patient, center=np.full(len(candidates), "A"))
    assert subgroups(Truth(alone, truth.member, truth.patient, truth.samples), candidates.patients) == {}


def test_counts_of_all_centres_add_up_to_the_count_of_all_and_small_groups_have_none(truth):
    patients = truth.candidates.patients
    member, _ = truth.of_patients(patients)
    exposed = np.arange(PATIENTS) % 3 == 1
    groups = {name: inside for name, inside in subgroups(truth, patients).items() if name.startswith("center")}
    found = {e.group: e for e in excess_by_group("exposed_patients", exposed, member, groups, 0.95, "")}
    c = found.pop("center C")
    assert c.value is None
    assert f"fewer than {FEWEST}" in c.note
    for group, estimate in found.items():
        inside = groups[group]
        rates = [exposed[inside & side].mean() for side in (member, ~member)]
        assert estimate.value == pytest.approx(rates[0] - rates[1])
        assert estimate.n == (inside & member).sum()
        assert estimate.low < estimate.value < estimate.high
        assert estimate.null == 0
    counted = sum(int(e.note.split()[0]) for e in found.values())
    assert counted == (exposed & member & ~groups["center C"]).sum()
