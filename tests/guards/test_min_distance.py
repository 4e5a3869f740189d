"""The minimum-distance guard: exact, in every pose, and honest about what it cannot do."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import shift as moved

from privbench.audit.closest import closest, closest_by_brute_force
from privbench.audit.context import Context
from privbench.audit.errors import BadInputError
from privbench.audit.types import ImageSet, TrainingData
from privbench.guards.min_distance import MinDistance

CONTEXT = Context(path=("guard", "min-distance"))


def images(pixels, prefix="member", each=2):
    pixels = np.asarray(pixels, np.float32)
    return ImageSet(pixels, np.array([f"{prefix}-{i // each:03d}" for i in range(len(pixels))]))


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def members(rng):
    return images(rng.random((40, 1, 12, 10)))


class Source:
    """A generator of given images, one draw after the other."""

    def __init__(self, *draws):
        self.draws, self.asked = list(draws), []

    def __call__(self, n):
        self.asked.append(n)
        drawn = self.draws.pop(0) if len(self.draws) > 1 else self.draws[0]
        return drawn if n is None else drawn.take(slice(0, n))


@pytest.mark.parametrize(("shift", "mirror"), [(0, False), (0, True), (2, True)])
def test_the_search_equals_brute_force_and_an_independent_reference(rng, members, shift, mirror):
    asked = images(rng.random((30, 1, 12, 10)), "sample")
    asked.pixels[:5] = members.pixels[7:12] + 1e-6 * rng.standard_normal((5, 1, 12, 10))
    found = closest(asked, members, shift=shift, mirror=mirror, block=7)
    np.testing.assert_allclose(found, closest_by_brute_force(asked, members, shift=shift, mirror=mirror), rtol=1e-12)
    views = [members.pixels] + ([members.pixels[..., ::-1]] if mirror else [])
    keep = (slice(None), slice(shift, 12 - shift), slice(shift, 10 - shift))
    for image, distance in zip(asked.pixels[::6], found[::6], strict=True):
        best = min(
            np.sqrt(
                np.square((np.roll(view, (dy, dx), (-2, -1)).astype(float) - image)[:, *keep]).mean((1, 2, 3))
            ).min()
            for view in views
            for dy in range(-shift, shift + 1)
            for dx in range(-shift, shift + 1)
        )
        assert distance == pytest.approx(best, rel=1e-12)


def test_a_shifted_mirrored_member_is_a_copy(members):
    copy = moved(members.pixels[3, 0, :, ::-1], (1, -1), order=0, mode="nearest")[None, None]
    asked = images(copy, "sample")
    assert closest(asked, members, shift=1, mirror=True)[0] == 0
    assert closest(asked, members, shift=0, mirror=True)[0] > 0.1
    assert closest(asked, members, shift=1, mirror=False)[0] > 0.1


def test_own_images_are_left_out_where_asked(members):
    assert (closest(members, members, shift=0, mirror=False) == 0).all()
    members.pixels[1] = members.pixels[0]
    others = closest(members, members, shift=0, mirror=False, own=False)
    assert others.min() > 0.1
    lonely = closest(members.take(slice(0, 2)), members.take(slice(0, 2)), shift=0, mirror=False, own=False)
    assert np.isinf(lonely).all()


def test_what_lies_at_tau_is_decided_in_float64(members):
    """The two thresholds lie closer together than float32 can tell numbers apart."""
    asked = images(np.clip(members.pixels[:1] + np.float32(0.01), 0, 1), "sample")
    distance = float(closest_by_brute_force(asked, members, shift=0, mirror=False)[0])
    below, above = distance * (1 - 1e-11), distance * (1 + 1e-11)
    assert np.float32(below) == np.float32(above)
    data = TrainingData(members)
    kept, _ = MinDistance(tau=below, shift=0, mirror=False, tries=1).release(Source(asked), None, data, CONTEXT)
    assert len(kept) == 1
    with pytest.raises(BadInputError, match="0 images are"):
        MinDistance(tau=above, shift=0, mirror=False, tries=1).release(Source(asked), None, data, CONTEXT)


def test_copies_are_withheld_and_others_drawn_in_their_place(rng, members):
    first = images(rng.random((10, 1, 12, 10)), "sample", each=1)
    first.pixels[[2, 5]] = members.pixels[[0, 9]]
    second = images(rng.random((10, 1, 12, 10)), "sample", each=1)
    second.pixels[0] = members.pixels[1]
    third = images(rng.random((10, 1, 12, 10)), "sample", each=1)
    source = Source(first, second, third)
    kept, certificate = MinDistance(tau=0.05).release(source, None, TrainingData(members), CONTEXT)
    assert source.asked == [None, 2, 1]
    assert (certificate.released, certificate.drawn, certificate.rejected, certificate.rounds) == (10, 13, 3, 3)
    expected = np.concatenate([np.delete(first.pixels, [2, 5], 0), second.pixels[1:2], third.pixels[:1]])
    np.testing.assert_array_equal(kept.pixels, expected)
    assert len(set(kept.patient.tolist())) == 10
    proof = MinDistance(tau=0.05).prove(kept, members, CONTEXT)
    assert proof.min() == pytest.approx(certificate.closest, rel=1e-12)
    assert certificate.closest >= certificate.tau == 0.05
    assert certificate.metric.endswith("smallest over shifts of up to 1 pixel and left-right mirroring")


def test_an_image_is_not_released_again_because_another_was_withheld(rng, members):
    drawn = images(rng.random((6, 1, 12, 10)), "sample", each=1)
    drawn.pixels[3] = members.pixels[0]
    with pytest.raises(BadInputError, match="after 4 draws only 5 images"):
        MinDistance(tau=0.05, tries=4).release(Source(drawn), 6, TrainingData(members), CONTEXT)


def test_a_guard_that_rejects_everything_says_so(members):
    with pytest.raises(BadInputError, match=r"only 0 images are 0\.05 or more.* 40 of 40 were rejected\nlower tau"):
        MinDistance(tau=0.05, tries=3).release(Source(members), None, TrainingData(members), CONTEXT)


def test_a_quantile_is_of_the_distances_between_patients(members):
    members.pixels[1::2] = members.pixels[::2]  # two images a patient, the same: they must not make tau zero
    between = closest_by_brute_force(members.take(slice(0, 2)), members.take(slice(2, None)), shift=1, mirror=True)
    far = replace(members, pixels=1 - members.pixels)
    _, certificate = MinDistance(quantile=0.0).release(Source(far), None, TrainingData(members), CONTEXT)
    assert 0.1 < certificate.tau <= between.min()
    assert certificate.tau_from == "0 quantile of members' distances to other members"


def test_decoys_are_kept_clear_of_too(rng, members):
    reserve = images(rng.random((6, 1, 12, 10)), "reserve")
    drawn = images(rng.random((6, 1, 12, 10)), "sample", each=1)
    drawn.pixels[0] = reserve.pixels[2]
    data = TrainingData(members, reserve=reserve)
    other = images(rng.random((6, 1, 12, 10)), "sample", each=1)
    kept, certificate = MinDistance(tau=0.05, decoys=True).release(Source(drawn, other), 6, data, CONTEXT)
    assert certificate.decoys == 6
    assert closest(kept, reserve, shift=1, mirror=True).min() >= 0.05
    unguarded, _ = MinDistance(tau=0.05).release(Source(drawn), 6, data, CONTEXT)
    assert closest(unguarded, reserve, shift=1, mirror=True).min() == 0


@pytest.mark.parametrize(
    ("options", "data", "message"),
    [
        ({"shift": 6}, lambda m: TrainingData(m), r"images of 12x10 cannot be shifted by 6 pixels\nlower"),
        (
            {},
            lambda m: TrainingData(m.take(slice(0, 2))),
            r"quantile needs two member patients, there is one\ngive tau",
        ),
        ({"decoys": True, "tau": 0.1}, lambda m: TrainingData(m), "decoys=true, but the cohort has no reserve"),
    ],
)
def test_what_it_cannot_guard_is_refused_beforehand(members, options, data, message):
    with pytest.raises(BadInputError, match=message):
        MinDistance(**options).check(data(members))


def test_tau_and_quantile_exclude_each_other():
    with pytest.raises(BadInputError, match="give one of them"):
        MinDistance(tau=0.1, quantile=0.1)
