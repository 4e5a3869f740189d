"""The generators whose leak is known: copycat and fresh."""

from dataclasses import replace

import numpy as np
import pytest

from privbench.audit.context import Context
from privbench.audit.errors import BadInputError
from privbench.audit.power.alteration import CHANGES
from privbench.audit.types import ImageSet, TrainingData
from privbench.generators.copycat import Copycat
from privbench.generators.fresh import Fresh

ALTERATIONS = ["none", "noise", "shift", "intensity", "rotate", "elastic", "foreground", "mixture"]


def rows(images: ImageSet) -> set[bytes]:
    return {np.ascontiguousarray(p).tobytes() for p in images.pixels}


def drawn(generator: Copycat | Fresh, n: int | None, data: TrainingData, context: Context) -> ImageSet:
    generator.fit(data, context)
    return generator.sample(n, data, context.folder, context)


@pytest.mark.parametrize(("leak", "n"), [(0.0, None), (0.2, None), (0.5, 33), (0.01, 40), (1.0, 40)])
def test_the_share_of_member_images_is_exactly_the_leak(
    leak: float, n: int | None, data: TrainingData, context: Context
) -> None:
    samples = drawn(Copycat(leak=leak), n, data, context)
    members, reserve = rows(data.members), rows(data.reserve)
    copied = np.array([p.tobytes() in members for p in samples.pixels])
    assert len(samples) == (40 if n is None else n)
    assert copied.sum() == round(leak * len(samples))
    assert all(p.tobytes() in reserve for p in samples.pixels[~copied])
    assert len(rows(samples)) == len(samples), "no image is released twice"
    assert samples.source is not None
    assert ((samples.source != "") == copied).all()


def test_a_copy_carries_its_patient_label_mask_and_center(data: TrainingData, context: Context) -> None:
    samples = drawn(Copycat(leak=0.5), None, data, context)
    where = {p.tobytes(): i for i, p in enumerate(data.members.pixels)}
    for i in np.flatnonzero(samples.source != ""):
        original = where[samples.pixels[i].tobytes()]
        assert samples.source[i] == data.members.patient[original]
        assert samples.label[i] == data.members.label[original]
        assert samples.center[i] == data.members.center[original]
        assert (samples.mask[i] == data.members.mask[original]).all()


def test_copies_are_spread_over_the_patients(data: TrainingData, context: Context) -> None:
    samples = drawn(Copycat(leak=0.5), 40, data, context)
    _, copies = np.unique(samples.source[samples.source != ""], return_counts=True)
    assert copies.tolist() == [2] * 10


def test_copies_and_fresh_images_are_mixed_and_nameless(data: TrainingData, context: Context) -> None:
    samples = drawn(Copycat(leak=0.5), 40, data, context)
    copied = samples.source != ""
    assert 0 < copied[:20].sum() < 20
    assert samples.patient[0] == "synthetic-000001"
    assert len(set(samples.patient.tolist())) == 40
    assert samples.visit is None


@pytest.mark.parametrize("alter", ALTERATIONS[1:])
def test_an_altered_copy_is_no_member_image_but_nearer_to_its_own_than_to_any_other(
    alter: str, data: TrainingData, context: Context
) -> None:
    samples = drawn(Copycat(leak=0.25, alter=alter), 40, data, context)
    copied = np.flatnonzero(samples.source != "")
    assert len(copied) == 10
    assert not rows(samples.take(copied)) & rows(data.members)
    assert samples.pixels.dtype == np.float32
    assert samples.pixels.min() >= 0
    assert samples.pixels.max() <= 1
    if alter == "noise":
        flat = data.members.pixels.reshape(40, -1)
        for i in copied:
            distance = np.linalg.norm(flat - samples.pixels[i].reshape(-1), axis=1)
            assert data.members.patient[distance.argmin()] == samples.source[i]


def test_a_deformation_moves_points_by_the_stated_distance_and_neighbours_alike() -> None:
    y, x = np.mgrid[:64, :64].astype(np.float32)
    mean = []
    for seed in range(20):
        moved = [CHANGES["elastic"](axis[None], None, 1.0, np.random.default_rng(seed))[0][0] for axis in (y, x)]
        step = np.stack([moved[0] - y, moved[1] - x])[:, 8:-8, 8:-8]  # inside, where no edge is repeated
        mean.append(np.hypot(*step).mean())
        assert np.abs(np.diff(step, axis=1)).max() < 1, "no fold"
    assert np.mean(mean) == pytest.approx(1.5, rel=0.15)


def test_a_mixture_is_the_mean_of_two_members(data: TrainingData, context: Context) -> None:
    samples = drawn(Copycat(leak=0.25, alter="mixture"), 40, data, context)
    for i in np.flatnonzero(samples.source != ""):
        own = data.members.pixels[data.members.patient == samples.source[i]]
        others = data.members.pixels[data.members.patient != samples.source[i]]
        gaps = [np.abs(2 * samples.pixels[i] - mine - others).max(axis=(1, 2, 3)).min() for mine in own]
        assert min(gaps) < 1e-6
    with pytest.raises(BadInputError, match="two member patients"):
        Copycat(alter="mixture").fit(
            replace(data, members=data.members.take(data.members.patient == data.members.patient[0])), context
        )


def test_noise_has_the_stated_size(data: TrainingData) -> None:
    grey = np.full((1, 200, 200), 0.5, np.float32)
    changed, _ = CHANGES["noise"](grey, None, 2.0, np.random.default_rng(0))
    assert np.std(changed - grey) == pytest.approx(0.1, rel=0.02)


def test_a_shift_moves_image_and_mask_together_and_never_by_nothing() -> None:
    rng = np.random.default_rng(0)
    pixels = np.zeros((1, 21, 21), np.float32)
    pixels[0, 10, 10] = 1
    moves = set()
    for _ in range(300):
        moved, mask = CHANGES["shift"](pixels, pixels[0].astype(np.uint8), 1.0, rng)
        assert (moved[0] == mask).all()
        moves.add(tuple((np.argwhere(mask)[0] - 10).tolist()))
    assert moves == {(a, b) for a in range(-3, 4) for b in range(-3, 4)} - {(0, 0)}


def test_a_rotation_stays_within_eight_degrees() -> None:
    rng = np.random.default_rng(0)
    pixels = np.zeros((1, 101, 101), np.float32)
    pixels[0, 50, 95] = 1
    for _ in range(50):
        _, mask = CHANGES["rotate"](pixels, (np.arange(101) == 95).astype(np.uint8)[None].repeat(101, 0), 1.0, rng)
        y, x = np.argwhere(mask[30:71] > 0).T
        slope = np.degrees(np.arctan(np.polyfit(y, x, 1)[0]))
        assert 1 < abs(slope) < 9


def test_a_pasted_foreground_is_the_lesion_of_its_source_on_a_public_image(
    data: TrainingData, context: Context
) -> None:
    samples = drawn(Copycat(leak=0.25, alter="foreground"), 40, data, context)
    for i in np.flatnonzero(samples.source != ""):
        own = np.flatnonzero(data.members.patient == samples.source[i])
        lesion = samples.mask[i] > 0
        assert lesion.any()
        assert any((samples.pixels[i, 0][lesion] == data.members.pixels[j, 0][lesion]).all() for j in own)
        outside = np.abs(data.public.pixels[:, 0] - samples.pixels[i, 0]) == 0
        assert (outside.mean((1, 2)).max()) > 0.7


def test_foregrounds_without_public_images_use_distinct_reserve_images(data: TrainingData, context: Context) -> None:
    private = replace(data, public=None)
    samples = drawn(Copycat(leak=0.5, alter="foreground"), None, private, context)
    assert len(samples) == 40
    assert sum(p.tobytes() in rows(data.reserve) for p in samples.pixels) == 20


def test_without_lesions_foreground_copies_are_refused(data: TrainingData, context: Context) -> None:
    with pytest.raises(BadInputError, match="no member image has a lesion"):
        Copycat(alter="foreground").fit(replace(data, members=replace(data.members, mask=None)), context)


@pytest.mark.parametrize("generator", [Copycat(), Fresh()])
def test_no_reserve_is_bad_input(generator: Copycat | Fresh, data: TrainingData, context: Context) -> None:
    with pytest.raises(BadInputError, match="no reserve patients"):
        generator.fit(replace(data, reserve=None), context)


def test_a_short_reserve_caps_the_default_and_refuses_more(data: TrainingData, context: Context) -> None:
    short = replace(data, reserve=data.reserve.take(slice(0, 16)))
    samples = drawn(Copycat(leak=0.2), None, short, context)
    assert len(samples) == 20
    assert (samples.source == "").sum() == 16
    with pytest.raises(BadInputError, match="30 samples"):
        Copycat(leak=0.2).sample(30, short, context.folder, context)


def test_fresh_releases_reserve_images_once_each(data: TrainingData, context: Context) -> None:
    samples = drawn(Fresh(), None, data, context)
    assert len(samples) == 40
    assert len(rows(samples)) == 40
    assert rows(samples) <= rows(data.reserve)
    assert set(samples.source.tolist()) == {""}
    assert len(drawn(Fresh(), 48, data, context)) == 48
    with pytest.raises(BadInputError, match="reserve has 48"):
        Fresh().sample(49, data, context.folder, context)


@pytest.mark.parametrize("generator", [Fresh(), *(Copycat(alter=a) for a in ALTERATIONS)])
def test_one_seed_gives_one_release(generator: Copycat | Fresh, data: TrainingData, context: Context) -> None:
    first, again = drawn(generator, None, data, context), drawn(generator, None, data, context)
    other = drawn(generator, None, data, replace(context, seed=8))
    assert (first.pixels == again.pixels).all()
    assert not (first.pixels == other.pixels).all()
