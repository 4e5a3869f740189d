from pathlib import Path

import numpy as np

from privbench.audit.candidates import load_candidates, write_candidates, write_truth
from privbench.audit.context import Context
from privbench.audit.types import ImageSet, Split


def part(role, patients, rng, centers=("a", "b")):
    owner = np.repeat(np.arange(patients), 3)
    return ImageSet(
        rng.random((len(owner), 1, 4, 4), dtype=np.float32),
        np.array([f"{role}{i}" for i in owner]),
        label=(owner % 2).astype(np.int64),
        center=np.array(centers)[owner % len(centers)],
    )


def written(tmp_path, members, holdout, seed=0):
    rng = np.random.default_rng(0)
    split = Split(part("m", members, rng), part("h", holdout, rng), part("r", 2, rng))
    seen, hidden = tmp_path / f"seen-{seed}", tmp_path / f"hidden-{seed}"
    for folder, write in ((seen, write_candidates), (hidden, write_truth)):
        folder.mkdir()
        write(split, Context(seed=seed, folder=folder))
    return split, *load_candidates(seen, hidden)


def test_every_image_keeps_its_pixels_patient_and_label(tmp_path):
    split, candidates, member, patient = written(tmp_path, 8, 8)
    assert len(candidates) == 48
    for i in range(len(candidates)):
        side = split.members if member[i] else split.holdout
        own = np.flatnonzero((side.pixels == candidates.pixels[i]).all((1, 2, 3)))
        assert len(own) == 1
        assert side.patient[own[0]] == patient[i]
        assert side.label[own[0]] == candidates.label[i]
        assert side.center[own[0]] == candidates.center[i]


def test_pseudonyms_are_one_a_patient(tmp_path):
    _, candidates, _, patient = written(tmp_path, 8, 8)
    pairs = set(zip(candidates.patient.tolist(), patient.tolist(), strict=True))
    assert len(pairs) == len(set(candidates.patient)) == len(set(patient)) == 16


def test_the_larger_side_is_thinned_to_the_smaller_within_centres(tmp_path):
    _, candidates, member, _ = written(tmp_path, 6, 20)
    assert len(np.unique(candidates.patient[member])) == len(np.unique(candidates.patient[~member])) == 6
    for center in ("a", "b"):
        at = candidates.center == center
        assert len(np.unique(candidates.patient[at & ~member])) == 3


def test_another_seed_gives_another_order(tmp_path):
    one, two = written(tmp_path, 8, 8, seed=0), written(tmp_path, 8, 8, seed=1)
    assert (one[2] != two[2]).any()


def test_nothing_beside_the_memory_mapped_pixels_tells_who_is_a_member(tmp_path):
    split, candidates, member, _ = written(tmp_path, 8, 8)
    beside = Path(candidates.pixels.filename).parent
    names = {*split.members.patients.tolist(), *split.holdout.patients.tolist()}
    for file in beside.iterdir():
        if file.suffix == ".npy":
            content = np.load(file)
            assert content.dtype != bool
            assert not names & set(content.ravel().astype(str).tolist())
        else:
            assert not any(name in file.read_text() for name in names)
    assert member.sum() == 24
