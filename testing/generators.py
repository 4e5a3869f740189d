"""The checks of a generator."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import cast

import numpy as np

from ..audit.context import Context, Step
from ..audit.contract import check_samples
from ..audit.errors import BadInputError, InvalidError, SkippedError
from ..audit.plugin import Chooses, Declares, Generator
from ..audit.record import Declaration
from ..audit.target import Access
from ..audit.types import ImageSet, Split, TrainingData
from .attack_contract import require_facts
from .audits import resolved
from .conformance import Check, UnmetError, checked, require, run_all
from .denoiser_checks import (
    can_be_told_nothing,
    keeps_no_gradient,
    opens_its_network,
    predicts_noise,
    prepares_the_same,
    states_its_schedule,
)
from .purity import Parts, global_seed, global_states, require_inputs_kept, same
from .watching import pickles_in, written_outside
from .worlds import World

NOTHING: Mapping[str, str] = {}
FEW = 5  # images asked for
KILLED_AT = 0.6  # of the steps that the generator reports


def check_generator(
    generator: object, *, world: World | None = None, leave_out: Mapping[str, str] = NOTHING, **options: object
) -> None:
    """Make every check of a generator; see ``generator_checks`` for the arguments.

    Raises:
        ConformanceError: listing every failed check, what was seen and what to do.
        unittest.SkipTest: if nothing failed, but the generator cannot run here.
    """
    run_all(_label(generator), generator_checks(generator, world=world, leave_out=leave_out, **options))


def generator_checks(
    generator: object, *, world: World | None = None, leave_out: Mapping[str, str] = NOTHING, **options: object
) -> Iterator[Check]:
    """Every check of a generator by name, for ``pytest.mark.parametrize``. It is trained eight times.

    Args:
        generator: the decorated class.
        world: what it is trained on; by default 8 patients of three 32-pixel images.
        leave_out: checks not to be made, each with the reason.
        options: the generator's own; such that training takes a second.

    Raises:
        TypeError: if it is no generator.
    """
    facts, values = resolved(generator, "generator", options)
    assert callable(generator)
    bench = Bench(
        lambda: cast("Generator", generator(**values)), world or World(patients=8, reserve=24, images=3, public=6)
    )
    checks: dict[str, Callable[[], None]] = {
        "describes itself and its options": partial(require_facts, generator),
        "releases images like the cohort's": partial(_releases_images, bench),
        "releases as many as it is asked for": partial(_honours_n, bench),
        "names no member": partial(_names_no_member, bench),
        "gives the same images under the same seed": partial(_repeats, bench),
        "touches no global generator": partial(_leaves_global_rngs, bench),
        "leaves its inputs alone": partial(_leaves_inputs, bench),
        "writes only into its folder": partial(_writes_inside, bench),
        "keeps no pickle": partial(_keeps_no_pickle, bench),
        "reads its model from disk": partial(_reloads, bench),
        "is not harmed by fitting twice": partial(_fits_twice, bench),
        "continues a fit that was killed": partial(_continues, bench),
        "takes one patient": partial(_takes_few, bench, 1),
        "takes three patients": partial(_takes_few, bench, 3),
    }
    if hasattr(generator, "trains_on"):
        checks["trains on members"] = partial(_chooses_members, bench)
    if hasattr(generator, "declare"):
        checks["states the same of itself twice, and names nobody"] = partial(_declares, bench)
    if facts.access >= Access.DENOISER:
        for name, check in (
            ("states its noise schedule", states_its_schedule),
            ("prepares images the same way twice", prepares_the_same),
            ("predicts noise", predicts_noise),
            ("keeps no gradient", keeps_no_gradient),
            ("can be told nothing, if it says so", can_be_told_nothing),
        ):
            checks[name] = partial(_on_denoiser, bench, check)
    if facts.access >= Access.WEIGHTS:
        checks["opens its network"] = partial(_on_denoiser, bench, opens_its_network)
    yield from checked(_label(generator), checks, leave_out)


@dataclass
class Counting:
    """Progress that counts units, and stops the work, as a kill would, when ``stop`` are done."""

    stop: float = float("inf")
    done: int = 0

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Step]:  # noqa: ARG002
        """Count the task's steps."""

        def step(n: int = 1, detail: str = "") -> None:  # noqa: ARG001
            self.done += n
            if self.done >= self.stop:
                raise KilledError

        yield step

    def message(self, text: str) -> None:
        """Take no notice."""


class KilledError(BaseException):
    """The process would be dead here: no handler of ordinary errors sees it."""


@dataclass(eq=False)
class Bench:
    """A generator, trained on first use and kept, for trainings are what takes time.

    Attributes:
        build: a new instance.
        world: what it is trained on.
        home: where models lie; removed with the bench.
        progress: of the first training.
        moved: global generators that the watched training used.
        outside: files that it wrote elsewhere.
    """

    build: Callable[[], Generator]
    world: World
    home: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    )
    progress: Counting = field(default_factory=Counting)
    moved: list[str] = field(default_factory=list)
    outside: list[Path] = field(default_factory=list)

    @cached_property
    def split(self) -> Split:
        """Where members, public and reserve images come from."""
        return self.world.split(0)

    @cached_property
    def data(self) -> TrainingData:
        """What the generator sees."""
        return TrainingData(self.split.members, self.split.public, self.split.reserve)

    def folder(self, name: str) -> Path:
        """A new folder."""
        path = Path(self.home.name) / name
        path.mkdir()
        return path

    def fitted(self, name: str, data: TrainingData | None = None, progress: Counting | None = None) -> Path:
        """Train into a new folder."""
        folder = self.folder(name)
        self.build().fit(data or self.data, self.context(folder, progress))
        return folder

    def context(self, folder: Path, progress: Counting | None = None) -> Context:
        """The surroundings of a fit; equal but for the folder."""
        return Context(seed=7, path=("generator", "checked"), folder=folder, progress=progress or Counting())

    def sampled(self, model: Path, n: int | None, data: TrainingData | None = None) -> ImageSet:
        """A release of a new instance from ``model``, in a folder of its own as in a real run."""
        with tempfile.TemporaryDirectory() as folder:
            context = self.context(Path(folder)).under("sample")
            images = self.build().sample(n, data or self.data, model, context)
            return replace(images, pixels=np.array(images.pixels))

    @cached_property
    def steps(self) -> int:
        """Units of progress in one training."""
        _ = self.model
        return self.progress.done

    @cached_property
    def model(self) -> Path:
        """A trained model."""
        with global_seed(1):
            return self.fitted("model", progress=self.progress)

    @cached_property
    def watched(self) -> tuple[Path, ImageSet]:
        """Another, trained and sampled under watch, with the global generators elsewhere."""
        folder = self.folder("watched")
        with global_seed(2), written_outside(Path(self.home.name)) as outside:
            before = global_states()
            self.build().fit(self.data, self.context(folder))
            images = self.build().sample(FEW, self.data, folder, self.context(self.folder("samples")).under("sample"))
            images = replace(images, pixels=np.array(images.pixels))
            after = global_states()
        self.outside = outside
        self.moved = [name for name in before if before[name] != after[name]]
        return folder, images


def _releases_images(bench: Bench) -> None:
    for n in (None, FEW):
        images = bench.sampled(bench.model, n)
        _require_samples(images, bench.data)


def _require_samples(images: ImageSet, data: TrainingData) -> None:
    require(isinstance(images, ImageSet), f"sample returned {type(images).__name__}", "return an ImageSet")
    try:
        check_samples(images, data.members, "the generator")
    except BadInputError as error:
        raise UnmetError(str(error), "return float32 pixels in [0, 1] of the members' shape") from error


def _honours_n(bench: Bench) -> None:
    for n in (1, FEW):
        got = len(bench.sampled(bench.model, n))
        require(got == n, f"asked for {n} images it gave {got}", "draw exactly n, or raise BadInputError if it cannot")


def _names_no_member(bench: Bench) -> None:
    images = bench.sampled(bench.model, None)
    data = bench.data
    real = set(np.concatenate([p.patient for p in (data.members, data.public, data.reserve) if p is not None]).tolist())
    named = [p for p in images.patient.tolist() if p in real]
    require(
        not named, f"{len(named)} images have a real patient's name", "name samples neutrally, e.g. synthetic-000001"
    )
    require(
        len(set(images.patient.tolist())) == len(images),
        "two images have one patient name",
        "give each image a name of its own",
    )
    if images.source is not None:
        odd = set(images.source.tolist()) - set(data.members.patient.tolist()) - {""}
        require(not odd, f"{len(odd)} values of source are no member", 'source is the conditioning member, or ""')


def _repeats(bench: Bench) -> None:
    require(
        same(bench.sampled(bench.model, FEW), bench.watched[1]),
        "two trainings under the same seed gave different images",
        "draw from context.rng and context.torch_rng; build networks inside context.torch_scope",
    )


def _leaves_global_rngs(bench: Bench) -> None:
    _ = bench.watched
    require(
        not bench.moved,
        f"the global generator of {' and '.join(bench.moved)} was used",
        "use context.rng, context.torch_rng or context.torch_scope; seed no global generator either",
    )


def _leaves_inputs(bench: Bench) -> None:
    data = bench.data
    assert data.public is not None
    assert data.reserve is not None
    number = iter(("writeable", "read-only"))

    def run(given: Parts) -> None:
        own = TrainingData(given["members"], given["public"], given["reserve"])
        bench.sampled(bench.fitted(next(number), own), FEW, own)

    require_inputs_kept({"members": data.members, "public": data.public, "reserve": data.reserve}, run)


def _writes_inside(bench: Bench) -> None:
    _ = bench.watched
    require(
        not bench.outside,
        f"it wrote {', '.join(str(p) for p in bench.outside[:3])}",
        "write under context.folder only, scratch files too",
    )


def _keeps_no_pickle(bench: Bench) -> None:
    found = pickles_in(bench.model)
    require(not found, f"{', '.join(found)} hold pickled objects", "use safetensors, npy without objects, or JSON")


def _reloads(bench: Bench) -> None:
    first, second = (bench.sampled(bench.model, FEW) for _ in range(2))
    require(
        same(first, second), "two samples of one model under one seed differ", "read all state from the model folder"
    )


def _fits_twice(bench: Bench) -> None:
    folder = bench.watched[0]
    bench.build().fit(bench.data, bench.context(folder))
    require(
        same(bench.sampled(folder, FEW), bench.watched[1]),
        "fitting again into a finished folder changed the images",
        "take finished pieces up, or write them again to the bit",
    )


def _continues(bench: Bench) -> None:
    expected = bench.sampled(bench.model, FEW)
    folder = bench.folder("killed")
    try:
        bench.build().fit(bench.data, bench.context(folder, Counting(stop=max(1, KILLED_AT * bench.steps))))
    except KilledError:
        bench.build().fit(bench.data, bench.context(folder))
    require(
        same(bench.sampled(folder, FEW), expected),
        f"killed at {KILLED_AT:.0%} of its steps and fitted again, it gave other images than an uninterrupted fit",
        "write pieces whole (privbench.audit.whole.write_whole), with all that the next step depends on",
    )


def _takes_few(bench: Bench, patients: int) -> None:
    split = replace(bench.world, patients=patients).split(1)
    data = TrainingData(split.members, split.public, split.reserve)
    try:
        images = bench.sampled(bench.fitted(f"few-{patients}", data), 2, data)
    except (BadInputError, SkippedError, InvalidError):
        return
    except Exception as error:
        seen = f"with {patients} member patients it raised {type(error).__name__}: {error}".split("\n", 1)[0]
        raise UnmetError(seen, "work, or raise BadInputError with what is missing") from error
    _require_samples(images, data)


def _chooses_members(bench: Bench) -> None:
    first, second = (
        cast("Chooses", bench.build()).trains_on(bench.data.members, bench.context(Path()).under("trains on"))
        for _ in range(2)
    )
    require(
        np.array_equal(first, second),
        "trains_on gave other patients the second time",
        "draw from context.rng, and sort what has no order",
    )
    strangers = set(first.tolist()) - set(bench.data.members.patient.tolist())
    require(
        len(first) and not strangers,
        f"trains_on gave {len(first)} patients, {len(strangers)} of whom are no members",
        "return names from members.patient, at least one",
    )


def _declares(bench: Bench) -> None:
    images = bench.sampled(bench.model, FEW)
    first, second = (
        cast("Declares", bench.build()).declare(
            images, bench.data, bench.model, bench.context(bench.model).under("declare")
        )
        for _ in range(2)
    )
    require(
        isinstance(first, Declaration), f"declare returned {type(first).__name__}", "return a privbench.Declaration"
    )
    require(first == second, "declare said two things of one release", "derive it from the model and the samples alone")
    text = first.model_dump_json()
    named = [patient for patient in np.unique(bench.data.members.patient).tolist() if patient in text]
    require(not named, f"it names {len(named)} members", "say counts and hashes, never names")


def _on_denoiser(bench: Bench, check: Callable[..., None]) -> None:
    denoiser = bench.build().denoiser(bench.data, bench.model, bench.context(bench.model).under("denoiser"))
    check(denoiser, bench.data.members.take(slice(0, 6)))


def _label(generator: object) -> str:
    return f"generator {getattr(generator, '__name__', generator)!r}"
