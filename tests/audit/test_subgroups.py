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


def by_centre(truth, *, exposed=None, sizes=None):
    """The estimates of all centres, for the fixture's or for centres of other sizes, half members."""
    groups = {n: inside for n, inside in subgroups(truth, truth.candidates.patients).items() if n.startswith("center")}
    if sizes:
        owner = np.repeat(np.arange(len(sizes)), sizes)
        groups = {f"center {'ABCDE'[i]}": owner == i for i in range(len(sizes))}
    n = len(next(iter(groups.values())))
    member = np.arange(n) % 2 == 0
    exposed = np.arange(n) % 3 == 1 if exposed is None else exposed
    return groups, member, {e.group: e for e in excess_by_group("exposed_patients", exposed, member, groups, 0.95, "")}


def test_counts_of_all_centres_add_up_to_the_count_of_all(truth):
    groups, member, found = by_centre(truth, sizes=(20, 12, 16))
    exposed = np.arange(48) % 3 == 1
    for group, estimate in found.items():
        inside = groups[group]
        rates = [exposed[inside & side].mean() for side in (member, ~member)]
        assert estimate.value == pytest.approx(rates[0] - rates[1])
        assert estimate.n == (inside & member).sum()
        assert estimate.low < estimate.value < estimate.high
        assert estimate.null == 0
    assert sum(int(e.note.split()[0]) for e in found.values()) == (exposed & member).sum()


def test_a_small_group_has_no_count_and_none_that_the_others_leave(truth):
    _, _, found = by_centre(truth)
    assert f"fewer than {FEWEST}" in found["center C"].note
    assert "worked out" in found["center B"].note  # all less A and B would be C
    assert found["center A"].value is not None
    assert found["center B"].value is found["center C"].value is None


@pytest.mark.parametrize("sizes", [(40, 3), (40, 20, 3), (40, 20, 12, 3), (40, 20, 3, 3, 3), (40, 6, 6, 20), (8, 3)])
def test_no_group_can_be_worked_out_by_subtraction(truth, sizes):
    groups, member, found = by_centre(truth, sizes=sizes)
    shown = [groups[group] for group, e in found.items() if e.value is not None]
    rest = ~np.logical_or.reduce(shown) if shown else np.ones(len(member), bool)
    for side in (member, ~member):
        assert not 0 < (rest & side).sum() < FEWEST


def test_a_patient_of_two_classes_cannot_be_worked_out_either():
    at, member = np.arange(PATIENTS), np.arange(PATIENTS) % 2 == 0
    groups = {"label 0": (at > 0) & (at < 22), "label 1": at >= 22}  # the first patient belongs to none
    found = excess_by_group("exposed_patients", at == 0, member, groups, 0.95, "")
    assert [e.group for e in found if e.value is not None] == ["label 0"]
