"""One deliberately broken attack for each failure, caught by the check of that name."""

from dataclasses import replace
from typing import Annotated

import numpy as np
import pytest
from pydantic import Field
from scipy.spatial.distance import cdist

import privbench as pb
from privbench.testing import ConformanceError, attack_checks, check_attack

ORDER = "ignores the order and names of candidates"
NULL = "accuses no harmless release"
COPIES = "finds a release of copies"
OWN = "scores each sample on its own"
RNG = "touches no global generator"
VALID = "returns valid scores of its family"


def between(a, b):
    size = b.pixels[0].size
    return cdist(*(x.pixels.reshape(len(x), size).astype(np.float64) for x in (a, b)))


def fine(target, candidates):
    if not len(target.samples):
        raise pb.BadInputError("there are no samples\nrelease at least one image")
    return -between(candidates, target.samples).min(axis=1)


def membership(score):
    """An attack of that score."""

    @pb.attack(family="membership")
    def made(target: pb.Target, candidates: pb.ImageSet, aux: pb.Auxiliary) -> pb.MembershipScores:
        """Score candidates."""
        return pb.MembershipScores(score(target, candidates, aux))

    return made


def memorization(space):
    """An attack that hands out what ``space`` makes of samples, candidates, the distances and the right ranking."""

    @pb.attack(family="memorization")
    def made(target: pb.Target, candidates: pb.ImageSet, aux: pb.Auxiliary) -> pb.MemorizationScores:
        """Measure distances."""
        own = candidates.patient
        among = pb.Ranking.of(between(candidates, candidates), own, own, ranks=128)
        to_samples, among = space(target, candidates, between(target.samples, candidates), among)
        to_samples = pb.Ranking.of(to_samples, own)
        return pb.MemorizationScores((pb.SpaceDistances("pixels", candidates.patients, to_samples, among),))

    return made


def linkage(similarity):
    """A verifier of that similarity; one image and its noisy copy are its real pairs."""

    @pb.attack(family="reidentification")
    def made(target: pb.Target, candidates: pb.ImageSet, aux: pb.Auxiliary) -> pb.LinkageScores:
        """Link samples."""
        own = aux.reference.patient[:, None] == aux.reference.patient[None]
        once = np.triu(np.ones_like(own), 1)
        found = -between(aux.reference, aux.reference)
        same, different = np.nonzero(own & once), np.nonzero(~own & once)
        if not len(same[0]):
            raise pb.InvalidError("one image a patient: no real pairs")
        patients = aux.reference.patient[same[0]], aux.reference.patient[different[0]]
        pairs = pb.PairScores("unseen patients", found[same], found[different], *patients)
        strangers = similarity(aux.reference, candidates).astype(np.float32)
        return pb.LinkageScores(similarity(target.samples, candidates).astype(np.float32), strangers, (pairs,))

    return made


def assert_caught(attack, name, seen, **more):
    """The failure of that check, which says ``seen``."""
    with pytest.raises(ConformanceError, match=seen) as error:
        dict(attack_checks(attack, **more))[name]()
    (failure,) = error.value.failures
    assert failure.check == name
    assert failure.fix
    return failure


def test_the_attacks_that_are_broken_below_are_fine_otherwise():
    check_attack(membership(lambda target, candidates, aux: fine(target, candidates)), seeds=8)
    check_attack(memorization(lambda target, candidates, to_samples, among: (to_samples, among)), seeds=5)
    check_attack(linkage(lambda a, b: -between(a, b)), seeds=5)


def test_underflowing_scores():
    attack = membership(lambda target, candidates, aux: np.exp(-(fine(target, candidates) ** 2)))
    assert_caught(attack, "tells candidates apart", "100% of all pairs of 256-pixel candidates have tied scores")


def test_labels_smuggled_through_order():
    attack = membership(lambda target, candidates, aux: fine(target, candidates) + 0.5 * np.arange(len(candidates)))
    assert_caught(attack, ORDER, "shuffled and renamed candidates got other scores")
    assert_caught(attack, NULL, "p-values are not uniform")


def test_labels_smuggled_through_names():
    def score(target, candidates, aux):
        return fine(target, candidates) - np.char.replace(candidates.patient, "candidate-", "").astype(float)

    assert_caught(membership(score), ORDER, "shuffled and renamed")
    assert_caught(membership(score), NULL, "p-values are not uniform")


def test_a_space_that_depends_on_the_order_of_candidates():
    def space(target, candidates, to_samples, among):
        return to_samples * np.linspace(1, 2, to_samples.shape[1]), among

    assert_caught(memorization(space), ORDER, "space 'pixels': samples: shuffled")


def test_sibling_slices_as_neighbours():
    def space(target, candidates, to_samples, among):
        return to_samples, pb.Ranking.of(between(candidates, candidates), candidates.patient, ranks=128)

    assert_caught(memorization(space), VALID, "a candidate's own patient is among its neighbours")


def test_an_unseeded_attack():
    def score(target, candidates, aux):
        return fine(target, candidates) + 1e-9 * np.random.default_rng().random(len(candidates))

    assert_caught(membership(score), "gives the same scores under the same seed", "different results")


@pytest.mark.parametrize("name", ["random", "numpy.random", "torch"])
def test_one_that_touches_a_global_generator(name):
    def score(target, candidates, aux):
        if name == "random":
            import random

            random.random()
        elif name == "torch":
            import torch

            torch.manual_seed(0)
        else:
            np.random.rand()  # noqa: NPY002
        return fine(target, candidates)

    assert_caught(membership(score), RNG, f"global generator of {name} was used")


def test_one_that_draws_from_a_global_generator_does_not_repeat_itself():
    def score(target, candidates, aux):
        return fine(target, candidates) + 0.01 * np.random.rand(len(candidates))  # noqa: NPY002

    assert_caught(membership(score), "gives the same scores under the same seed", "different results")
    assert_caught(membership(score), RNG, r"numpy\.random")


@pytest.mark.parametrize("what", ["candidates", "samples", "reference"])
def test_one_that_writes_into_its_input(what):
    def score(target, candidates, aux):
        images = {"candidates": candidates, "samples": target.samples, "reference": aux.reference}[what]
        images.pixels[:] -= images.pixels.mean()
        return fine(target, candidates)

    assert_caught(membership(score), "leaves its inputs alone", f"changed its input: {what}")


def test_one_that_unlocks_its_input_or_gives_up_on_locked_input():
    def score(target, candidates, aux):
        candidates.pixels[0, 0, 0, 0] += 0  # changes nothing, but cannot be done to a memory map
        return fine(target, candidates)

    assert_caught(membership(score), "leaves its inputs alone", "on read-only input it raised ValueError")


@pytest.mark.parametrize(
    ("spoil", "seen"),
    [
        (lambda s: np.where(np.arange(len(s)) == 3, np.nan, s), "not numbers"),
        (lambda s: np.where(np.arange(len(s)) == 3, -np.inf, s), "infinite scores"),
        (lambda s: s[:-1], "of shape"),
        (lambda s: s[:, None], "of shape"),
        (lambda s: s.astype(np.float32), "float32"),
    ],
)
def test_scores_that_are_none(spoil, seen):
    assert_caught(membership(lambda target, candidates, aux: spoil(fine(target, candidates))), VALID, seen)


def test_scores_of_another_family():
    @pb.attack(family="memorization")
    def odd(target: pb.Target, candidates: pb.ImageSet, aux: pb.Auxiliary) -> pb.MembershipScores:
        """Say one thing and do another."""
        return pb.MembershipScores(fine(target, candidates))

    assert_caught(odd, VALID, "declares family memorization but returned MembershipScores")


def test_columns_in_another_order():
    @pb.attack(family="memorization")
    def turned(target: pb.Target, candidates: pb.ImageSet, aux: pb.Auxiliary) -> pb.MemorizationScores:
        """Columns backwards."""
        own = candidates.patient
        to = pb.Ranking.of(between(target.samples, candidates), own)
        among = pb.Ranking.of(between(candidates, candidates), own, own, ranks=128)
        return pb.MemorizationScores((pb.SpaceDistances("pixels", candidates.patients[::-1], to, among),))

    assert_caught(turned, VALID, "its columns are not the candidate patients in sorted order")


def test_attacks_blind_to_copies():
    assert_caught(
        membership(lambda target, candidates, aux: candidates.pixels.mean(axis=(1, 2, 3), dtype=float)),
        COPIES,
        "0 of|1 of",
    )

    def space(target, candidates, to_samples, among):
        negatives = replace(target.samples, pixels=1 - target.samples.pixels)
        return between(negatives, candidates), among

    assert_caught(memorization(space), COPIES, "p < 0.05 in", seeds=12)


def test_a_verifier_that_recognises_nobody():
    with pytest.raises(ConformanceError, match="findings were invalid: the verifier's AUC"):
        attack = linkage(lambda a, b: -between(a, b))

        @pb.attack(family="reidentification")
        def blind(target: pb.Target, candidates: pb.ImageSet, aux: pb.Auxiliary) -> pb.LinkageScores:
            """Recognise nobody."""
            scores = attack(target, candidates, aux)
            (pairs,) = scores.power
            return replace(scores, power=(replace(pairs, same=pairs.different[: len(pairs.same)]),))

        dict(attack_checks(blind, seeds=8))[COPIES]()


def test_the_wrong_sign():
    lower = "does not score a candidate lower for its copy"
    assert_caught(membership(lambda target, candidates, aux: -fine(target, candidates)), lower, "fell from rank")
    assert_caught(linkage(between), lower, "similarity: .* exact copies are closer to another patient")
    attack = memorization(lambda target, candidates, to_samples, among: (9 - to_samples, among))
    assert_caught(attack, lower, "exact copies are closer to another patient")


def test_scores_that_depend_on_other_samples():
    def space(target, candidates, to_samples, among):
        return to_samples / to_samples.mean(), among

    assert_caught(memorization(space), OWN, "changed when other samples were left out")

    def centred(a, b):
        similarity = -between(a, b)
        return similarity - similarity.mean(axis=0)

    assert_caught(linkage(centred), OWN, "similarity: changed")


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_memory_for_every_pixel_of_every_pair(library):
    def score(target, candidates, aux):
        flat = [x.pixels.reshape(len(x), -1) for x in (candidates, target.samples)]
        if library == "numpy":
            return -np.square(flat[0][:, None] - flat[1][None]).sum(axis=2).min(axis=1).astype(float)
        import torch

        a, b = (torch.from_numpy(np.array(x)) for x in flat)
        return -(a[:, None] - b[None]).square().sum(2).min(1).values.double().numpy()

    assert_caught(
        membership(score), "needs memory for pairs, not for pairs times pixels", r"peak memory grew by [12]\d\d MB"
    )


@pytest.mark.parametrize("name", ["takes a release of one image", "takes an empty release", "takes one patient a side"])
def test_crashes_on_small_inputs(name):
    def score(target, candidates, aux):
        if min(len(target.samples), len(candidates) // 2) < 2:
            raise ZeroDivisionError("division by zero")
        return fine(target, candidates)

    assert_caught(membership(score), name, "raised ZeroDivisionError")


def test_more_access_than_declared_and_less():
    def peeking(target, candidates, aux):
        if target.open_denoiser is not None:
            target.open_denoiser()
        return fine(target, candidates)

    access = "takes no more than the declared access"
    assert_caught(membership(peeking), access, "declares SAMPLES and opened the denoiser")

    @pb.attack(family="membership", access=pb.Access.DENOISER)
    def modest(target: pb.Target, candidates: pb.ImageSet, aux: pb.Auxiliary) -> pb.MembershipScores:
        """Needs nothing."""
        return pb.MembershipScores(fine(target, candidates))

    assert_caught(modest, access, "declares DENOISER and made scores where only SAMPLES was granted")


def test_options_nobody_describes():
    @pb.attack(family="membership")
    def terse(
        target: pb.Target, candidates: pb.ImageSet, aux: pb.Auxiliary, *, power: float = 1
    ) -> pb.MembershipScores:
        """Says little."""

    @pb.attack(family="membership")
    def silent(
        target: pb.Target,
        candidates: pb.ImageSet,
        aux: pb.Auxiliary,
        *,
        power: Annotated[float, Field(description="of nothing")] = 1,
    ) -> pb.MembershipScores:
        return pb.MembershipScores(fine(target, candidates))

    assert_caught(terse, "describes itself and its options", "option 'power' has no description")
    assert_caught(silent, "describes itself and its options", "the docstring's first line is ''")


def test_one_error_lists_every_failed_check():
    def score(target, candidates, aux):
        np.random.rand()  # noqa: NPY002
        return np.full(len(candidates), np.nan)

    with pytest.raises(ConformanceError) as error:
        check_attack(membership(score), seeds=4)
    failed = {failure.check for failure in error.value.failures}
    assert {RNG, VALID, COPIES, NULL} <= failed
    for failure in error.value.failures:
        assert failure.check in str(error.value)
        assert failure.seen in str(error.value)
        assert failure.fix in str(error.value)


def test_what_is_no_attack_or_no_check_is_refused():
    with pytest.raises(TypeError, match="is no attack: decorate it"):
        check_attack(len)
    attack = membership(lambda target, candidates, aux: fine(target, candidates))
    with pytest.raises(ValueError, match="cannot leave out 'x'"):
        check_attack(attack, leave_out={"x": "because"})
    with pytest.raises(ValueError, match="give a reason"):
        check_attack(attack, leave_out={NULL: ""})
    assert NULL not in dict(attack_checks(attack, leave_out={NULL: "shown elsewhere"}))
