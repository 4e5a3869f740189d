"""Members after augmentation are members: shapes and names are a release's, and the attacks see who they are."""

from dataclasses import replace

import numpy as np
import pytest

from privbench.audit.candidates import draw_candidates, write_candidates
from privbench.audit.context import Context
from privbench.audit.measures.measured import Truth
from privbench.audit.persist import load_images
from privbench.audit.plugin import facts_of
from privbench.audit.registry import load
from privbench.audit.target import Target
from privbench.audit.types import ImageSet, TrainingData
from privbench.generators.augment import Augment
from privbench.testing import World
from privbench.testing.audits import Audit, Subject, resolved


def drawn(generator: Augment, data: TrainingData, context: Context, n: int | None = None) -> ImageSet:
    generator.fit(data, context)
    return generator.sample(n, data, context.folder, context)


def test_every_image_is_a_members_and_says_whose(data: TrainingData, context: Context) -> None:
    samples = drawn(Augment(), data, context)
    assert len(samples) == len(data.members)
    assert sorted(samples.source.tolist()) == sorted(data.members.patient.tolist())
    for i, source in enumerate(samples.source):
        own = data.members.patient == source
        assert samples.label[i] in data.members.label[own]
        assert samples.center[i] in data.members.center[own]
    assert samples.patient[0] == "synthetic-000001"
    assert facts_of(Augment).releases_real, "so no report shows them"
    assert "member's own image" in Augment().declare(samples, data, context.folder, context).notes[0]


def test_many_are_spread_evenly_over_patients_and_each_is_changed_anew(data: TrainingData, context: Context) -> None:
    samples = drawn(Augment(), data, context, 120)
    _, each = np.unique(samples.source, return_counts=True)
    assert each.tolist() == [12] * 10
    assert len({image.tobytes() for image in samples.pixels}) == 120


def test_a_stronger_augmentation_changes_more(data: TrainingData, context: Context) -> None:
    def gap(strength: float) -> float:
        folder = context.folder / str(strength)
        folder.mkdir()
        samples = drawn(Augment(strength=strength, mirror=False), data, replace(context, folder=folder))
        nearest = [
            np.square(data.members.pixels[data.members.patient == source] - image).mean(axis=(1, 2, 3)).min()
            for image, source in zip(samples.pixels, samples.source, strict=True)
        ]
        return float(np.sqrt(nearest).mean())

    gaps = [gap(strength) for strength in (0.01, 0.5, 1, 2)]
    assert gaps[0] < 0.03, "only interpolated"
    assert gaps == sorted(gaps)
    assert gaps[2] > 0.05


def test_a_lesion_moves_with_its_image(context: Context) -> None:
    """Where image and mask are the same bright square, they still are after any change of place."""
    y, x = np.mgrid[:64, :64]
    square = ((abs(y - 24) < 9) & (abs(x - 40) < 9)).astype(np.uint8)
    members = ImageSet(
        np.repeat(square[None, None].astype(np.float32), 12, 0),
        np.array(list("abcdefghijkl")),
        mask=np.repeat(square[None], 12, 0),
    )
    samples = drawn(Augment(), TrainingData(members), context)
    for image, mask in zip(samples.pixels[:, 0], samples.mask, strict=True):
        assert set(np.unique(mask)) <= {0, 1}
        found = image > (image.min() + image.max()) / 2
        assert (found & (mask > 0)).sum() > 0.85 * (found | (mask > 0)).sum()
    assert np.ptp([np.argwhere(mask).mean(axis=0)[1] for mask in samples.mask]) > 15, "some are mirrored"


def test_volumes_are_refused(data: TrainingData, context: Context) -> None:
    from privbench.audit.errors import BadInputError

    volumes = ImageSet(np.zeros((2, 1, 8, 8, 8), np.float32), np.array(["a", "b"]))
    with pytest.raises(BadInputError, match="the cohort has volumes"):
        Augment().fit(TrainingData(volumes), context)


def test_moderate_augmentation_hides_nobody(tmp_path) -> None:
    attack = load("attack", "nearest").target
    facts, options = resolved(attack, "attack", {"steps": 0})
    split = World(patients=24, images=2).split(0)
    context = Context(seed=0, path=("generator", "augment"), folder=tmp_path)
    samples = drawn(Augment(strength=0.5), TrainingData(split.members), context)
    write_candidates(split, context)
    truth = draw_candidates(split, context)
    joined = Truth(load_images(tmp_path, "candidates"), truth.member, truth.patient, samples)
    audit = Audit(split, joined, Target(samples), context)
    copied = next(e for e in Subject(attack, facts, options).measured(audit).estimates if e.name == "copied_share")
    assert copied.value > 0.5
    assert copied.p_value < 0.01
