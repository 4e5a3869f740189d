"""Epsilon: the same as Opacus' own, near Google's, honest where it cannot be had."""

import math
import re

import pytest
from opacus.accountants import PRVAccountant

from privbench.audit.errors import BadInputError
from privbench.generators.private.accounting import (
    Mechanism,
    default_delta,
    group_privacy,
    noise_for,
    refuse_empty_claim,
)

MECHANISMS = [(1.0, 0.064, 1000), (2.0, 0.25, 50), (4.0, 0.5, 40), (5.0, 1.0, 30)]


@pytest.mark.parametrize(("noise", "rate", "steps"), MECHANISMS)
def test_epsilon_is_what_opacus_counts_step_by_step(noise, rate, steps):
    accountant = PRVAccountant()
    for _ in range(steps):
        accountant.step(noise_multiplier=noise, sample_rate=rate)
    assert Mechanism(noise, rate, steps).epsilon(1e-5) == accountant.get_epsilon(1e-5)


def test_epsilon_is_a_known_one():
    assert Mechanism(1.0, 64 / 1000, 1000).epsilon(1e-5) == pytest.approx(14.69, abs=0.01)


@pytest.mark.parametrize(("noise", "rate", "steps"), MECHANISMS)
def test_google_s_accountant_agrees(noise, rate, steps):
    pld = pytest.importorskip(
        "dp_accounting.pld.privacy_loss_distribution",
        reason="dp-accounting is not installed: pip install privbench[test]",
    )
    loss = pld.from_gaussian_mechanism(noise, sampling_prob=rate).self_compose(steps)
    assert Mechanism(noise, rate, steps).epsilon(1e-5) == pytest.approx(loss.get_epsilon_for_delta(1e-5), rel=0.01)


def test_the_least_noise_that_reaches_the_target_is_found():
    found = noise_for(8.0, 1e-5, 0.25, 50)
    assert 7.95 < found.epsilon(1e-5) <= 8.0
    assert (found.sample_rate, found.steps) == (0.25, 50)


def test_an_unattainable_epsilon_is_refused_with_the_smallest_that_can_be_had():
    with pytest.raises(BadInputError, match="unattainable") as raised:
        noise_for(0.05, 1e-5, 0.1, 300)
    (smallest,) = (float(v) for v in re.findall(r"give ([\d.]+) at the least", str(raised.value)))
    assert noise_for(smallest, 1e-5, 0.1, 300).epsilon(1e-5) <= smallest


@pytest.mark.parametrize(("noise", "steps"), [(0.01, 1), (0.3, 1000)])
def test_noise_that_protects_nobody_is_refused(noise, steps):
    with pytest.raises(BadInputError, match=f"noise_multiplier {noise:g}"):
        refuse_empty_claim(Mechanism(noise, 0.5, steps), 1e-5)


def test_a_patient_of_several_images_has_the_sum_of_their_epsilons():
    assert group_privacy(2.0, 1e-6, 1) == (2.0, 1e-6)
    epsilon, delta = group_privacy(0.5, 1e-6, 4)
    assert epsilon == 2.0
    assert delta == pytest.approx(1e-6 * math.expm1(2.0) / math.expm1(0.5))
    steps = sum(math.exp(0.5 * i) for i in range(4))  # the same by induction, image after image
    assert delta == pytest.approx(1e-6 * steps)
    assert group_privacy(10.0, 1e-5, 100) == (1000.0, 1.0)
    assert group_privacy(0.0, 1e-6, 3) == (0.0, pytest.approx(3e-6))


def test_delta_is_far_below_one_over_the_patients():
    assert default_delta(132) == 1e-5
    assert default_delta(10**6) == pytest.approx(1e-7)
