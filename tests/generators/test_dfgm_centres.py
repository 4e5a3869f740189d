"""What a centre learns, gives and is given: its own patients, its samples, and what is public."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from privbench.audit.context import Context
from privbench.audit.errors import BadInputError
from privbench.audit.types import ImageSet, TrainingData, concatenate
from privbench.generators.dfgm import Dfgm
from privbench.generators.lesions.few_shot import few_shot

SMALL = {"channels": 16, "autoencoder_channels": 16, "latent_channels": 4, "batch": 4, "sampling_steps": 2, "blends": 1}


def tiny(**options: object) -> Dfgm:
    return Dfgm(**{"autoencoder_steps": 2, "shared_steps": 2, "steps": 2, "patients": 3, **SMALL, **options})


def made(data: TrainingData, folder: Path) -> tuple[Context, ImageSet]:
    context = Context(seed=5, path=("generator",), folder=folder)
    tiny().fit(data, context)
    return context, tiny().sample(12, data, folder, context.under("sample"))


@pytest.fixture(scope="module", autouse=True)
def _few_drawn_windows() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("privbench.generators.dfgm.DRAWN", 64)
        yield


@pytest.fixture(scope="module")
def fitted(data: TrainingData, tmp_path_factory: pytest.TempPathFactory) -> tuple[Context, ImageSet]:
    return made(data, tmp_path_factory.mktemp("centres"))


def of(images: ImageSet, center: str) -> ImageSet:
    return images.take(images.center == center)


def test_each_centre_trains_on_few_patients_of_its_own(data: TrainingData) -> None:
    context = Context(seed=5)
    chosen = tiny().trains_on(data.members, context)
    known = dict(zip(data.members.patient.tolist(), data.members.center.tolist(), strict=True))
    assert sorted(known[name] for name in chosen.tolist()) == ["site-0"] * 3 + ["site-1"] * 3
    own = data.members.take(np.isin(data.members.patient, chosen))
    assert tiny().trains_on(own, context).tolist() == chosen.tolist(), "the chosen choose themselves again"
    assert len(tiny(patients="all").trains_on(data.members, context)) == 10
    others = {tuple(tiny().trains_on(data.members, Context(seed=seed)).tolist()) for seed in range(8)}
    assert len(others) > 1, "chosen at random"


def test_few_patients_show_every_label(data: TrainingData) -> None:
    one = replace(data.members, center=None)
    label = dict(zip(one.patient.tolist(), one.label.tolist(), strict=True))
    for seed in range(10):
        assert sum(label[name] for name in few_shot(one, 4, seed).tolist()) == 2


def test_patients_without_a_lesion_are_not_trained_on(data: TrainingData) -> None:
    mask = data.members.mask.copy()
    mask[data.members.patient == "member-3"] = 0
    healthy = replace(data.members, mask=mask)
    assert "member-3" not in tiny(patients="all").trains_on(healthy, Context())


def test_samples_come_from_the_patients_that_were_trained_on(
    data: TrainingData, fitted: tuple[Context, ImageSet]
) -> None:
    context, samples = fitted
    assert set(samples.source.tolist()) <= set(tiny().trains_on(data.members, context).tolist())
    assert np.unique(samples.center, return_counts=True)[1].tolist() == [6, 6]


def test_a_centre_is_untouched_by_the_members_of_another(
    data: TrainingData, fitted: tuple[Context, ImageSet], tmp_path: Path
) -> None:
    """Another hospital has other patients, and more of them: to the bit the same model and the same samples here."""
    _, before = fitted
    there = of(data.members, "site-1")
    others = replace(
        there,
        pixels=np.clip(1.1 * there.pixels[..., ::-1], 0, 1).astype(np.float32),
        mask=there.mask[..., ::-1].copy(),
        patient=np.char.add("other-", there.patient),
    )
    more = replace(data, members=concatenate(of(data.members, "site-0"), others, there))
    _, after = made(more, tmp_path)
    for name in ("autoencoder.safetensors", "shared.safetensors", "unet-0.safetensors", "colours-0.json"):
        assert (tmp_path / name).read_bytes() == (fitted[0].folder / name).read_bytes(), name
    assert (tmp_path / "unet-1.safetensors").read_bytes() != (fitted[0].folder / "unet-1.safetensors").read_bytes()
    assert np.array_equal(of(before, "site-0").pixels, of(after, "site-0").pixels)
    assert np.array_equal(of(before, "site-0").mask, of(after, "site-0").mask)
    assert not np.array_equal(of(before, "site-1").pixels, of(after, "site-1").pixels)


def test_a_centre_with_one_patient_is_refused_by_name(data: TrainingData, tmp_path: Path) -> None:
    few = data.members.take((data.members.center == "site-0") | (data.members.patient == "member-1"))
    with pytest.raises(BadInputError, match="centre 'site-1' has one patient") as error:
        tiny().fit(replace(data, members=few), Context(folder=tmp_path))
    assert len(str(error.value).splitlines()) == 2
    assert not list(tmp_path.iterdir()), "before any training"
    with pytest.raises(BadInputError, match="site-1"):
        tiny().trains_on(few, Context())


def test_what_crossed_each_border_is_declared(data: TrainingData, fitted: tuple[Context, ImageSet]) -> None:
    context, samples = fitted
    declared = tiny().declare(samples, data, context.folder, context.under("sample"))
    for center in ("site-0", "site-1"):
        own, public = of(samples, center), of(data.public, center)
        passed = {(c.direction, c.what.split(",")[0]): c for c in declared.crossings if c.center == center}
        expected = {
            ("out", "synthetic images"): (6, own.pixels.tobytes()),
            ("out", "synthetic masks"): (6, own.mask.tobytes()),
            ("out", "synthetic labels"): (6, own.label.tobytes()),
            ("in", "public backgrounds"): (len(public), public.pixels.tobytes()),
            ("in", "autoencoder"): (1, (context.folder / "autoencoder.safetensors").read_bytes()),
            ("in", "starting model"): (1, (context.folder / "shared.safetensors").read_bytes()),
        }
        for key, (count, content) in expected.items():
            crossing = passed.pop(key)
            assert (crossing.count, crossing.size) == (count, len(content)), key
            assert crossing.sha256 == hashlib.sha256(content).hexdigest(), key
        assert {what for _, what in passed} == {
            "agreement on window",
            "labels and lesion classes that occur",
        }, "nothing else crosses"
    assert any("never leave" in note and "alone" in note for note in declared.notes)
    assert any("denoiser" in note for note in declared.notes)
    assert any("tolerance 0" in note for note in declared.notes)


def test_a_centre_that_releases_nothing_declares_nothing_released(
    data: TrainingData, fitted: tuple[Context, ImageSet]
) -> None:
    context, _ = fitted
    samples = tiny(center="site-1").sample(2, data, context.folder, context)
    declared = tiny(center="site-1").declare(samples, data, context.folder, context)
    gone = {(c.center, c.what) for c in declared.crossings if c.direction == "out"}
    assert ("site-1", "synthetic images") in gone
    assert ("site-0", "synthetic images") not in gone
