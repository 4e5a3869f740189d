"""Members' own lesions on public brains: the ablation without a model, and what it gives away."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from privbench.audit.context import Context
from privbench.audit.errors import BadInputError
from privbench.audit.plugin import facts_of
from privbench.audit.target import Access
from privbench.audit.types import ImageSet, TrainingData
from privbench.generators.blending import Blending
from privbench.generators.lesions.foreground import tissue_of
from privbench.generators.lesions.windows import FADED


@pytest.fixture
def context() -> Context:
    return Context(seed=5, path=("generator", "blending"))


@pytest.fixture
def samples(data: TrainingData, context: Context) -> ImageSet:
    return Blending().sample(None, data, Path(), context)


def test_samples_are_whole_records(data: TrainingData, samples: ImageSet) -> None:
    assert samples.pixels.shape == data.members.pixels.shape
    assert samples.pixels.min() >= 0
    assert samples.pixels.max() <= 1
    known = {
        p: (int(lb), c) for p, lb, c in zip(data.members.patient, data.members.label, data.members.center, strict=True)
    }
    for source, label, center in zip(samples.source, samples.label, samples.center, strict=True):
        assert known[source] == (label, center)
    assert np.unique(samples.source, return_counts=True)[1].tolist() == [4] * 10


def test_a_sample_is_a_public_brain_of_its_centre_with_a_lesion_in_it(data: TrainingData, samples: ImageSet) -> None:
    for pixels, mask, center in zip(samples.pixels[:, 0], samples.mask, samples.center, strict=True):
        far = ndimage.distance_transform_edt(mask == 0) >= FADED
        own = [
            image for image in data.public.pixels[data.public.center == center, 0] if (image[far] == pixels[far]).all()
        ]
        assert len(own) == 1
        assert tissue_of(own[0][None])[mask > 0].all()
        assert not np.array_equal(own[0], pixels)


def test_what_is_shown_is_the_members_own_lesion(data: TrainingData, context: Context) -> None:
    """One dark lesion among bright ones: dark in every sample of that patient, and in no other's."""
    pixels, of = data.members.pixels.copy(), data.members.patient == "member-4"
    pixels[of, 0] = np.where(data.members.mask[of] > 0, 0.05, pixels[of, 0])
    marked = replace(data, members=replace(data.members, pixels=pixels))
    samples = Blending().sample(None, marked, Path(), context)
    greys = np.array([p[0][m > 0].mean() for p, m in zip(samples.pixels, samples.mask, strict=True)])
    assert greys[samples.source == "member-4"].max() < 0.25 < greys[samples.source != "member-4"].min()


def test_few_patients_of_each_centre_are_used(data: TrainingData, context: Context) -> None:
    few = Blending(patients=2)
    chosen = few.trains_on(data.members, context)
    assert len(chosen) == 4
    samples = few.sample(30, data, Path(), context)
    assert set(samples.source.tolist()) == set(chosen.tolist())
    assert len(samples) == 30


def test_it_learns_nothing_and_grants_samples_only(data: TrainingData, tmp_path: Path) -> None:
    Blending().fit(data, Context(folder=tmp_path))
    assert not list(tmp_path.iterdir())
    facts = facts_of(Blending)
    assert facts.access == Access.SAMPLES
    assert facts.releases_real, "real lesions are in its samples, so no report shows them"


def test_without_public_images_it_is_bad_input(data: TrainingData, context: Context) -> None:
    with pytest.raises(BadInputError, match="no public images"):
        Blending().fit(replace(data, public=None), context)


def test_unturned_lesions_are_shown_as_they_are(data: TrainingData, context: Context) -> None:
    """Somewhere in a sample lies a member's mask, pixel by pixel."""
    samples = Blending(turn=False).sample(None, data, Path(), context)
    for mask, source in zip(samples.mask, samples.source, strict=True):
        shape = _cut_out(mask)
        assert any(np.array_equal(shape, _cut_out(m)) for m in data.members.mask[data.members.patient == source])


def test_it_says_that_real_lesions_are_shown(data: TrainingData, samples: ImageSet, context: Context) -> None:
    (note,) = Blending().declare(samples, data, Path(), context).notes
    assert "real patient" in note


def _cut_out(mask: np.ndarray) -> np.ndarray:
    """A mask without the empty rows and columns around its lesion."""
    return mask[np.ix_(mask.any(1), mask.any(0))]
