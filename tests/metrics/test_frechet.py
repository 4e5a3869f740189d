from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter

from privbench.audit.context import Context
from privbench.audit.record import Measurement
from privbench.metrics.comparison import units
from privbench.metrics.frechet import frechet


def found(measurement: Measurement, name: str, group: str = ""):
    return next(e for e in measurement.estimates if (e.name, e.group) == (name, group))


def measured(samples, split):
    return frechet(samples, split, Context(), resamples=50, k=3)


def test_blur_raises_the_distance_step_by_step(split, fresh):
    values = []
    for width in (0, 0.5, 1, 2):
        pixels = gaussian_filter(fresh.pixels, (0, 0, width, width)).astype(np.float32)
        values.append(measured(replace(fresh, pixels=pixels), split))
    for name in ("fd-randconv", "kid-randconv"):
        distances = [found(m, name).value for m in values]
        assert distances == sorted(distances)
        assert distances[1] > found(values[0], name).high


def test_noise_and_a_lost_class_raise_the_distance(split, fresh):
    noise = 0.1 * np.random.default_rng(0).normal(size=fresh.pixels.shape)
    noisy = replace(fresh, pixels=(fresh.pixels + noise).astype(np.float32))
    at = found(measured(fresh, split), "fd-randconv").value
    assert found(measured(noisy, split), "fd-randconv").value > 2 * at
    assert found(measured(fresh.take(fresh.label == 0), split), "fd-randconv").value > at


def test_fresh_patients_lie_at_the_floor_of_real_against_real(split, fresh):
    m = measured(fresh, split)
    for name in ("fd-randconv", "kid-randconv", "coverage-randconv"):
        estimate = found(m, name)
        assert estimate.low <= estimate.null <= estimate.high


def test_every_estimate_has_an_interval_around_it_a_null_and_a_method(split, fresh):
    for e in measured(fresh, split).estimates:
        assert e.low <= e.value <= e.high
        assert e.null is not None
        assert e.n == 16
        assert e.method


def test_the_same_seed_gives_the_same_figures_and_no_global_generator_moves(split, fresh):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = measured(fresh, split)
    assert first == measured(fresh, split)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_images_conditioned_on_one_patient_are_resampled_together(fresh):
    source = np.where(np.arange(32) < 8, "m1", "")
    assert len(np.unique(units(replace(fresh, source=source)))) == 1 + 12
