"""What attacks ask of a denoiser: each question once an audit, in bounded parts, and no answer that is not a number."""

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch

from privbench.attacks import passes
from privbench.attacks.conditional_gap import conditional_gap
from privbench.attacks.loss import loss
from privbench.attacks.passes import Passes
from privbench.attacks.pfami import pfami
from privbench.attacks.pia import pia
from privbench.attacks.pian import pian
from privbench.attacks.secmi import secmi
from privbench.audit.context import Context, Silent
from privbench.audit.errors import AccessError, SkippedError
from privbench.audit.keeping import StoreKeeper
from privbench.audit.store import Store
from privbench.audit.target import Access, Target
from privbench.audit.types import concatenate
from privbench.testing.denoisers import Memorizer

ATTACKS = (loss, secmi, pia, pian, pfami, conditional_gap)


@dataclass(frozen=True, eq=False)
class Counting(Memorizer):
    """Notes every row that it is asked about."""

    asked: Counter = field(default_factory=Counter)
    prepared: list = field(default_factory=list)

    def prepare(self, images):
        self.prepared.append(len(images))
        return super().prepare(images)

    def predict_noise(self, x_t, t, condition):
        for row in zip(x_t.numpy(), t.tolist(), condition[0].tolist(), strict=True):
            self.asked[row[0].tobytes(), *row[1:]] += 1
        return super().predict_noise(x_t, t, condition)


@pytest.fixture(scope="module")
def candidates(make_patients):
    return concatenate(make_patients("m", 8, side=16), make_patients("h", 8, side=16))


@pytest.fixture
def memorizer(candidates):
    return Counting(candidates.take(slice(0, 16)))


@pytest.fixture
def target(candidates, memorizer):
    return Target(candidates.take(slice(0, 0)), Access.DENOISER, "toy", lambda: memorizer, key="model-1")


@pytest.fixture
def kept(auxiliary, tmp_path):
    """What attacks are given in an audit with a store."""
    return replace(auxiliary, commons=StoreKeeper(Store(tmp_path / "store", Silent()), {}))


def test_all_attacks_of_a_default_run_ask_each_question_once(candidates, target, memorizer, kept):
    for attack in ATTACKS:
        attack(target, candidates, kept)
    assert set(memorizer.asked.values()) == {1}
    n = len(candidates)
    # loss 5 levels of 4 noises; secmi 12 steps, of which pia and pian share the first and add one each; pfami 3 copies
    # with 4 noises; conditional-gap the unconditional half of 3 levels
    assert sum(memorizer.asked.values()) == n * (20 + 12 + 1 + 1 + 3 * 4 + 3 * 4)
    assert memorizer.prepared == [n] * 4, "the candidates once, and their three copies"
    loss(target, candidates, kept)
    assert set(memorizer.asked.values()) == {1}, "nor for a second run"


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_kept_gives_the_same_bits_as_what_is_asked(attack, candidates, target, kept, auxiliary):
    direct = attack(replace(target, key=""), candidates, auxiliary).score
    first, again = (attack(target, candidates, kept).score for _ in range(2))
    assert np.array_equal(direct, first)
    assert np.array_equal(direct, again)


def test_a_model_without_a_key_leaves_nothing_in_the_store(candidates, target, kept, tmp_path):
    pia(replace(target, key=""), candidates, kept)
    assert not (tmp_path / "store").exists()


def test_another_model_and_another_seed_are_asked_anew(candidates, target, memorizer, kept, auxiliary):
    scores = [loss(replace(target, key=key), candidates, kept, timesteps=2).score for key in ("a", "b")]
    assert sum(memorizer.asked.values()) == 2 * 2 * 4 * len(candidates)
    assert np.array_equal(*scores), "the same noise for every model"
    other = replace(auxiliary, context=Context(seed=4, path=("attack", "test")))
    assert not np.array_equal(scores[0], loss(target, candidates, other, timesteps=2).score)


@pytest.mark.parametrize("attack", ATTACKS)
def test_scores_do_not_depend_on_how_many_are_in_memory(attack, candidates, target, auxiliary, monkeypatch):
    whole = attack(target, candidates, auxiliary).score
    monkeypatch.setattr(passes, "PART_VALUES", 1)
    in_parts = attack(target, candidates, auxiliary, batch=5).score
    np.testing.assert_allclose(in_parts, whole, rtol=1e-4, atol=1e-5 * np.abs(whole).max())


def test_no_more_candidates_are_in_memory_than_a_part_has(candidates, memorizer, target, auxiliary, monkeypatch):
    monkeypatch.setattr(passes, "PART_VALUES", 7 * 16 * 16)
    pia(target, candidates, auxiliary, batch=4)
    assert memorizer.prepared == [7, 7, 7, 7, 4]


def test_an_attack_that_averages_more_noises_reuses_the_first(candidates, target, auxiliary):
    asked = Passes.of(target, auxiliary, 64)
    few, many = (asked.noise(300, n, torch.zeros(1, 1, 16, 16)) for n in (2, 5))
    assert torch.equal(few, many[:2])
    assert not torch.equal(few, asked.noise(301, 2, torch.zeros(1, 1, 16, 16)))


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_denoiser_that_breaks_at_a_step_is_named_with_that_step(attack, wrong, candidates, target, auxiliary):
    class Broken(Memorizer):
        def predict_noise(self, x_t, t, condition):
            found = super().predict_noise(x_t, t, condition)
            found[-1, ..., 0, 0] = wrong if int(t[0]) in {100, 200} else 0.5
            return found

    broken = Broken(candidates)
    with pytest.raises(ValueError, match=r"toy's denoiser at timestep [12]00 of 1000 gave values that are not finite"):
        attack(replace(target, open_denoiser=lambda: broken), candidates, auxiliary)


def test_a_denoiser_that_gives_another_shape_is_named_with_its_step(candidates, target, auxiliary):
    class Broken(Memorizer):
        def predict_noise(self, x_t, t, condition):
            return super().predict_noise(x_t, t, condition)[..., 1:]

    broken = Broken(candidates)
    with pytest.raises(ValueError, match=r"timestep 0 of 1000 gave \(32, 1, 16, 15\) for \(32, 1, 16, 16\)"):
        pia(replace(target, open_denoiser=lambda: broken), candidates, auxiliary)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_schedule_of_ten_steps_is_asked_within_its_steps(attack, candidates, target, auxiliary):
    few = Counting(candidates.take(slice(0, 16)), steps=10)
    score = attack(replace(target, open_denoiser=lambda: few), candidates, auxiliary).score
    assert np.isfinite(score).all()
    assert {t for _, t, _ in few.asked} <= set(range(10))


def test_secmi_says_that_a_schedule_of_two_steps_is_too_short(candidates, target, auxiliary):
    two = Memorizer(candidates, steps=2)
    with pytest.raises(SkippedError, match="toy has 2 noise levels, none 1 beyond step 1"):
        secmi(replace(target, open_denoiser=lambda: two), candidates, auxiliary)


@pytest.mark.parametrize("attack", ATTACKS)
def test_samples_are_not_enough(attack, candidates, auxiliary):
    with pytest.raises(AccessError, match="needs DENOISER, folder grants SAMPLES"):
        attack(Target(candidates, generator="folder"), candidates, auxiliary)


def test_weights_are_open_only_where_they_are_granted_and_shown(candidates, target, memorizer):
    with pytest.raises(AccessError, match="needs WEIGHTS, toy grants DENOISER"):
        target.weights()
    opened = replace(target, access=Access.WEIGHTS).weights()
    assert all(p.requires_grad for p in opened.module.parameters())

    class Closed(Memorizer):
        module = None

    closed = Closed(candidates)
    with pytest.raises(AccessError, match="needs WEIGHTS, and toy shows no network"):
        replace(target, access=Access.WEIGHTS, open_denoiser=lambda: closed).weights()
