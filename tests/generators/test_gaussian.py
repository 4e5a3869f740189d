"""A Gaussian of the members' pixels has their moments and none of their images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from sklearn.decomposition import PCA

from privbench.audit.candidates import draw_candidates, write_candidates
from privbench.audit.context import Context
from privbench.audit.errors import BadInputError
from privbench.audit.measures.measured import Truth
from privbench.audit.persist import load_images
from privbench.audit.record import Estimate
from privbench.audit.registry import load
from privbench.audit.target import Target
from privbench.audit.types import ImageSet, Split, TrainingData
from privbench.generators.gaussian import Gaussian
from privbench.testing import World
from privbench.testing.audits import Audit, Subject, resolved


def few_directions(patients: int, seed: int = 0) -> ImageSet:
    """Images whose pixels are Gaussian with three strong directions, far from 0 and 1: nothing is clipped."""
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((3, 64)) / 8
    strengths = rng.standard_normal((patients, 3)) * (0.3, 0.2, 0.1)
    pixels = 0.5 + strengths @ directions + 0.01 * rng.standard_normal((patients, 64))
    assert pixels.min() > 0
    assert pixels.max() < 1
    return ImageSet(
        pixels.reshape(patients, 1, 8, 8).astype(np.float32),
        np.array([f"p{i}" for i in range(patients)]),
        label=np.arange(patients) % 2,
    )


def drawn(generator: Gaussian, members: ImageSet, context: Context, n: int | None = None) -> ImageSet:
    data = TrainingData(members)
    generator.fit(data, context)
    return generator.sample(n, data, context.folder, context)


def test_means_and_covariances_are_the_members(context: Context) -> None:
    members = few_directions(400)
    samples = drawn(Gaussian(components=8, per_label=False), members, context, 20_000)
    real, found = (x.pixels.reshape(len(x), -1).astype(np.float64) for x in (members, samples))
    assert np.abs(found.mean(axis=0) - real.mean(axis=0)).max() < 0.005
    wanted = np.cov(real.T)
    assert np.abs(np.cov(found.T) - wanted).max() < 0.05 * np.abs(wanted).max()
    assert found.var(axis=0) == pytest.approx(real.var(axis=0), rel=0.06)


def test_the_components_found_batch_by_batch_are_those_of_a_whole_decomposition(context: Context) -> None:
    members = few_directions(700)
    Gaussian(components=3, per_label=False).fit(TrainingData(members), context)
    found = load_file(context.folder / "gaussians.safetensors")["0.scaled"]
    whole = PCA(3, svd_solver="full").fit(members.pixels.reshape(700, -1))
    wanted = whole.components_ * np.sqrt(whole.explained_variance_)[:, None]
    np.testing.assert_allclose(found.T @ found, wanted.T @ wanted, atol=2e-4)


def test_each_label_has_a_gaussian_of_its_own(data: TrainingData, context: Context) -> None:
    bright = data.members.pixels * np.where(data.members.label == 1, 1.0, 0.2)[:, None, None, None]
    members = replace(data.members, pixels=bright.astype(np.float32))
    samples = drawn(Gaussian(components=4), members, context)
    assert np.bincount(samples.label).tolist() == np.bincount(members.label).tolist()
    for label in (0, 1):
        wanted = members.pixels[members.label == label].mean()
        assert samples.pixels[samples.label == label].mean() == pytest.approx(wanted, rel=0.1)
    assert samples.mask is None
    assert "no masks" in Gaussian().declare(samples, replace(data, members=members), context.folder, context).notes[-1]


def test_each_centre_may_have_one_too(data: TrainingData, context: Context) -> None:
    samples = drawn(Gaussian(components=2, per_label=False, per_center=True), data.members, context, 30)
    assert samples.label is None
    assert set(samples.center.tolist()) == {"site-0", "site-1"}
    assert len(samples) == 30


def test_a_group_too_small_is_drawn_like_all_and_a_cohort_too_small_is_refused(
    data: TrainingData, context: Context
) -> None:
    alone = np.where(data.members.patient == "member-0", 7, 0)
    members = replace(data.members, label=alone)
    samples = drawn(Gaussian(components=4), members, context)
    own = members.pixels[alone == 7].mean(axis=0)
    others = samples.pixels[samples.label == 7]
    assert len(others) == 4
    assert np.abs(others.mean(axis=0) - own).mean() > 0.03, "the mean of one patient's images is not shown"
    notes = Gaussian().declare(samples, replace(data, members=members), context.folder, context).notes
    assert "1 of 2 groups" in " ".join(notes)
    two = data.members.take(np.isin(data.members.patient, ["member-0", "member-1"]))
    with pytest.raises(BadInputError, match="2 member patients"):
        Gaussian().fit(TrainingData(two), context)


def copied_share(split: Split, components: int, folder: Path, seed: int = 0) -> Estimate:
    """What memorization distance says of a Gaussian of the members."""
    context = Context(seed=seed, path=("generator", "gaussian"), folder=folder)
    samples = drawn(Gaussian(components=components, per_label=False), split.members, context)
    write_candidates(split, context)
    truth = draw_candidates(split, context)
    joined = Truth(load_images(folder, "candidates"), truth.member, truth.patient, samples)
    attack = load("attack", "nearest").target
    facts, options = resolved(attack, "attack", {"steps": 0})
    estimates = Subject(attack, facts, options).measured(Audit(split, joined, Target(samples), context)).estimates
    assert next(e for e in estimates if e.name == "exact_copies").value == 0
    return next(e for e in estimates if e.name == "copied_share" and not e.group)


def test_the_moments_of_many_patients_accuse_nobody(tmp_path: Path) -> None:
    found = []
    for seed in range(4):
        everybody = few_directions(520, seed)
        parts = [everybody.take(slice(*ends)) for ends in ((0, 250), (250, 500), (500, 520))]
        (tmp_path / str(seed)).mkdir()
        found.append(copied_share(Split(*parts), 3, tmp_path / str(seed), seed))
    assert min(e.p_value for e in found) > 0.01
    assert np.mean([e.value for e in found]) < 0.02


def test_the_moments_of_few_patients_are_those_patients(tmp_path: Path) -> None:
    """With a component for each patient but one, samples are mixtures of members and of nobody else: that is seen."""
    found = copied_share(World(patients=24, images=2).split(0), 23, tmp_path)
    assert found.p_value < 0.02
    assert found.value > 0.2
