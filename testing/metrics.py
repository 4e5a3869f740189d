"""The checks of a metric."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from ..audit.context import Context
from ..audit.errors import BadInputError, InvalidError, SkippedError
from ..audit.record import Estimate, Measurement
from ..audit.types import ImageSet, Split
from .attack_contract import require_facts
from .audits import resolved
from .conformance import Check, UnmetError, checked, require, run_all
from .purity import Parts, require_inputs_kept, require_no_global_rng, require_repeatable
from .worlds import World, release

NOTHING: Mapping[str, str] = {}


def check_metric(
    metric: object, *, world: World | None = None, leave_out: Mapping[str, str] = NOTHING, **options: object
) -> None:
    """Make every check of a metric; see ``metric_checks`` for the arguments.

    Raises:
        ConformanceError: listing every failed check, what was seen and what to do.
        unittest.SkipTest: if nothing failed, but the metric cannot run here.
    """
    run_all(_label(metric), metric_checks(metric, world=world, leave_out=leave_out, **options))


def metric_checks(
    metric: object, *, world: World | None = None, leave_out: Mapping[str, str] = NOTHING, **options: object
) -> Iterator[Check]:
    """Every check of a metric by name, for ``pytest.mark.parametrize``.

    Args:
        metric: the decorated function.
        world: where images come from; by default 16 + 16 patients of two 32-pixel images.
        leave_out: checks not to be made, each with the reason.
        options: the metric's own.

    Raises:
        TypeError: if it is no metric.
    """
    _, values = resolved(metric, "metric", options)
    meter = Meter(metric, values, world or World())
    checks = {
        "describes itself and its options": partial(require_facts, metric),
        "returns estimates with value, n, interval and null": partial(_complete, meter),
        "gives the same numbers under the same seed": partial(_repeats, meter),
        "touches no global generator": partial(_leaves_global_rngs, meter),
        "leaves its inputs alone": partial(_leaves_inputs, meter),
        "does not prefer noise to real images": partial(_prefers_images, meter),
        "takes a release of one image": partial(_takes_one, meter),
        "takes a release without masks, labels and centres": partial(_takes_bare, meter),
    }
    yield from checked(_label(metric), checks, leave_out)


@dataclass(frozen=True, eq=False)
class Meter:
    """A metric under examination.

    Attributes:
        metric: the decorated function.
        options: all its options.
        world: where images come from.
    """

    metric: object
    options: Mapping[str, object] = field(default_factory=dict)
    world: World = field(default_factory=World)

    def case(self) -> tuple[ImageSet, Split]:
        """A release of fresh real images, and the cohort."""
        split = self.world.split(0)
        return release(split, 0.0, 0), split

    def measurement(self, samples: ImageSet, split: Split) -> Measurement:
        """What the metric says."""
        assert callable(self.metric)
        with tempfile.TemporaryDirectory() as folder:
            context = Context(seed=7, path=("metric", "checked"), folder=Path(folder))
            return cast("Measurement", self.metric(samples, split, context, **self.options))


def _complete(meter: Meter) -> None:
    _require_complete(meter.measurement(*meter.case()))


def _require_complete(found: Measurement) -> None:
    require(isinstance(found, Measurement), f"it returned {type(found).__name__}", "return a Measurement")
    require(
        found.estimates, "there is no estimate", "return at least one Estimate, or raise SkippedError with the reason"
    )
    for e in found.estimates:
        name = f"{e.name} {e.group}".strip()
        if e.value is None:
            require(e.note, f"{name} has neither a value nor a note", "say in note why it could not be measured")
            continue
        require(e.n > 0, f"{name} rests on n = 0", "say how many patients or images it rests on")
        require(
            e.low is not None and e.high is not None,
            f"{name} has no interval",
            "resample patients (or use audit.statistics.stats.proportion_interval) for low and high",
        )
        assert e.low is not None
        assert e.high is not None
        require(
            e.low <= e.value <= e.high,
            f"{name} = {e.value:.4g} lies outside its interval {e.low:.4g} to {e.high:.4g}",
            "compute value and interval from the same images; centre a biased bootstrap",
        )
        require(
            e.null is not None or e.worse == "none",
            f"{name} has no null",
            'state what real images or chance would give, or set worse="none"',
        )
    names = [(e.name, e.group) for e in found.estimates]
    require(len(set(names)) == len(names), "two estimates have one name and group", "tell them apart by group")


def _repeats(meter: Meter) -> None:
    require_repeatable(partial(meter.measurement, *meter.case()))


def _leaves_global_rngs(meter: Meter) -> None:
    require_no_global_rng(partial(meter.measurement, *meter.case()))


def _leaves_inputs(meter: Meter) -> None:
    samples, split = meter.case()

    def run(given: Parts) -> None:
        parts = {name: images for name, images in given.items() if name != "samples"}
        meter.measurement(given["samples"], Split(**parts))

    require_inputs_kept({"samples": samples, **dict(split.parts())}, run)


def _prefers_images(meter: Meter) -> None:
    """Worse may mean the same (a short training tells nothing apart), so only clear preference for noise fails."""
    samples, split = meter.case()
    noise = np.random.default_rng(0).random(samples.pixels.shape, dtype=np.float32)
    real = {(e.name, e.group): e for e in meter.measurement(samples, split).estimates}
    for e in meter.measurement(replace(samples, pixels=noise), split).estimates:
        beside = real.get((e.name, e.group))
        if beside is not None:
            require(
                not _clearly_better(e, beside),
                f"{e.name} of pure noise is {_says(e)}, of real images {_says(beside)}, and worse is {e.worse!r}",
                "check the sign, and which side is declared worse",
            )


def _clearly_better(e: Estimate, than: Estimate) -> bool:
    if e.low is None or e.high is None or than.low is None or than.high is None:
        return False
    return (e.worse == "higher" and e.high < than.low) or (e.worse == "lower" and e.low > than.high)


def _says(e: Estimate) -> str:
    return f"{e.value:.4g} ({e.low:.4g} to {e.high:.4g})"


def _takes_one(meter: Meter) -> None:
    samples, split = meter.case()
    _survives(meter, samples.take(slice(0, 1)), split)


def _takes_bare(meter: Meter) -> None:
    samples, split = meter.case()
    _survives(meter, replace(samples, mask=None, label=None, center=None, source=None), split)


def _survives(meter: Meter, samples: ImageSet, split: Split) -> None:
    try:
        found = meter.measurement(samples, split)
    except (BadInputError, SkippedError, InvalidError):
        return
    except Exception as error:
        seen = f"it raised {type(error).__name__}: {error}".split("\n", 1)[0]
        raise UnmetError(seen, "return estimates, or raise SkippedError with what is missing") from error
    _require_complete(found)


def _label(metric: object) -> str:
    return f"metric {getattr(metric, '__name__', metric)!r}"
