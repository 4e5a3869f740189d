"""The checks of a guard."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast

import numpy as np

from ..audit.context import Context, seed_sequence
from ..audit.contract import check_samples
from ..audit.errors import BadInputError
from ..audit.persist import fingerprint
from ..audit.plugin import Guard
from ..audit.record import GuardCertificate
from ..audit.types import ImageSet, TrainingData
from .attack_contract import require_facts
from .audits import resolved
from .conformance import Check, UnmetError, checked, require, run_all
from .purity import Parts, require_inputs_kept, require_no_global_rng, same
from .worlds import World, release

NOTHING: Mapping[str, str] = {}
WANTED = 12


def check_guard(
    guard: object, *, world: World | None = None, leave_out: Mapping[str, str] = NOTHING, **options: object
) -> None:
    """Make every check of a guard; see ``guard_checks`` for the arguments.

    Raises:
        ConformanceError: listing every failed check, what was seen and what to do.
        unittest.SkipTest: if nothing failed, but the guard cannot run here.
    """
    run_all(_label(guard), guard_checks(guard, world=world, leave_out=leave_out, **options))


def guard_checks(
    guard: object, *, world: World | None = None, leave_out: Mapping[str, str] = NOTHING, **options: object
) -> Iterator[Check]:
    """Every check of a guard by name, for ``pytest.mark.parametrize``.

    Args:
        guard: the decorated class.
        world: where images come from; by default 8 member and 40 other patients of two 32-pixel images.
        leave_out: checks not to be made, each with the reason.
        options: the guard's own; such that it lets other patients' images pass and no copy.

    Raises:
        TypeError: if it is no guard.
    """
    _, values = resolved(guard, "guard", options)
    assert callable(guard)
    gate = Gate(lambda: cast("Guard", guard(**values)), world or World(patients=8))
    checks = {
        "describes itself and its options": partial(require_facts, guard),
        "withholds every copy, and releases as many as asked": partial(_withholds, gate),
        "releases what was drawn, under neutral names": partial(_releases_drawn, gate),
        "certifies what it did": partial(_certifies, gate),
        "proves what it certified": partial(_proves, gate),
        "gives up on a generator that only copies": partial(_gives_up, gate),
        "gives the same release under the same seed": partial(_repeats, gate),
        "touches no global generator": partial(_leaves_global_rngs, gate),
        "leaves its inputs alone": partial(_leaves_inputs, gate),
    }
    yield from checked(_label(guard), checks, leave_out)


@dataclass
class Draws:
    """Images of a generator, other ones at each call, some of them copies of members.

    Attributes:
        data: what the generator was trained on.
        copied: share of copies in each draw.
        drawn: all that was drawn.
    """

    data: TrainingData
    copied: float
    drawn: list[ImageSet] = field(default_factory=list)

    def __call__(self, n: int | None) -> ImageSet:
        """``n`` images, or ``WANTED``: noisy reserve images, and exact copies of members."""
        assert self.data.reserve is not None
        rng = np.random.default_rng(seed_sequence(len(self.drawn), "draws"))
        wanted = WANTED if n is None else n
        copies = round(self.copied * wanted)
        own = self.data.members.take(rng.integers(len(self.data.members), size=copies))
        others = self.data.reserve.take(rng.integers(len(self.data.reserve), size=wanted - copies))
        noise = rng.normal(0, 0.02, others.pixels.shape).astype(np.float32)
        pixels = np.concatenate([own.pixels, np.clip(others.pixels + noise, 0, 1)])
        images = ImageSet(pixels, np.array([f"drawn-{i:06d}" for i in range(wanted)]))
        self.drawn.append(images.take(rng.permutation(wanted)))
        return self.drawn[-1]


@dataclass(frozen=True)
class Gate:
    """A guard before a generator.

    Attributes:
        build: a new instance.
        world: where images come from.
    """

    build: Callable[[], Guard]
    world: World

    @property
    def data(self) -> TrainingData:
        """What the generator was trained on."""
        split = self.world.split(0)
        return TrainingData(split.members, split.public, split.reserve)

    def passed(
        self, n: int | None = WANTED, copied: float = 0.25, data: TrainingData | None = None
    ) -> tuple[ImageSet, GuardCertificate, Draws]:
        """A release, its certificate, and all that was drawn for it."""
        data = data or self.data
        draws, guard = Draws(data, copied), self.build()
        guard.check(data)
        images, certificate = guard.release(draws, n, data, self.context)
        return images, certificate, draws

    @property
    def context(self) -> Context:
        """The surroundings of a guard."""
        return Context(seed=7, path=("guard", "checked"))


def _withholds(gate: Gate) -> None:
    for n in (WANTED, None):
        images, _, _ = gate.passed(n)
        require(len(images) == WANTED, f"asked for {WANTED} it released {len(images)}", "draw until there are enough")
        copies = _common(images, gate.data.members)
        require(not copies, f"it released {copies} exact copies of member images", "reject what equals a member")
        try:
            check_samples(images, gate.data.members, "the guard")
        except BadInputError as error:
            raise UnmetError(str(error), "release images as they were drawn") from error


def _releases_drawn(gate: Gate) -> None:
    images, _, draws = gate.passed()
    drawn = {image.tobytes() for part in draws.drawn for image in part.pixels}
    others = sum(image.tobytes() not in drawn for image in images.pixels)
    require(not others, f"{others} released images were never drawn", "release images as they were drawn")
    names = images.patient.tolist()
    require(len(set(names)) == len(names), "two images have one name", "name the released images anew")
    require(
        not set(names) & set(gate.data.members.patient.tolist()), "a member is named", "name the released images anew"
    )


def _certifies(gate: Gate) -> None:
    images, certificate, draws = gate.passed()
    drawn = sum(len(part) for part in draws.drawn)
    require(
        (certificate.released, certificate.rounds) == (len(images), len(draws.drawn)),
        f"it released {len(images)} images in {len(draws.drawn)} draws, and certifies {certificate.released} in "
        f"{certificate.rounds}",
        "count what was done",
    )
    require(
        0 < certificate.rejected == certificate.drawn - certificate.released and certificate.drawn <= drawn,
        f"of {drawn} drawn images it certifies {certificate.drawn} drawn, {certificate.rejected} rejected",
        "count what was done",
    )
    require(
        certificate.members_sha256 == fingerprint("members", gate.data.members).sha256,
        "members_sha256 is not the members' fingerprint",
        'set it to privbench.fingerprint("members", data.members).sha256',
    )
    require(
        certificate.closest >= certificate.tau,
        f"closest {certificate.closest:g} is below tau {certificate.tau:g}",
        "reject below tau",
    )


def _proves(gate: Gate) -> None:
    images, certificate, _ = gate.passed()
    proved = gate.build().prove(images, gate.data.members, gate.context)
    require(proved.shape == (len(images),), f"prove gave shape {proved.shape}", "one distance an image")
    require(
        np.isclose(proved.min(), certificate.closest, rtol=1e-9),
        f"prove finds {proved.min():.12g} as the smallest distance, the certificate says {certificate.closest:.12g}",
        "measure in float64",
    )
    split = gate.world.split(0)
    copied = gate.build().prove(release(split, 1.0, 0), split.members, gate.context)
    require(
        copied.max() < certificate.tau, "prove lets copies of members through", "measure the distance to every member"
    )


def _gives_up(gate: Gate) -> None:
    try:
        images, _, _ = gate.passed(copied=1.0)
    except BadInputError:
        return
    raise UnmetError(f"it released {len(images)} images", "raise BadInputError after a number of tries")


def _repeats(gate: Gate) -> None:
    (first, one, _), (second, two, _) = gate.passed(), gate.passed()
    require(
        same(first, second) and one == two, "two releases under one seed differ", "draw randomness from context.rng"
    )


def _leaves_global_rngs(gate: Gate) -> None:
    require_no_global_rng(gate.passed)


def _leaves_inputs(gate: Gate) -> None:
    data = gate.data
    assert data.reserve is not None

    def run(given: Parts) -> None:
        gate.passed(data=replace(data, members=given["members"], reserve=given["reserve"]))

    require_inputs_kept({"members": data.members, "reserve": data.reserve}, run)


def _common(images: ImageSet, members: ImageSet) -> int:
    """How many of ``images`` equal an image of ``members``."""
    known = {image.tobytes() for image in members.pixels}
    return sum(image.tobytes() in known for image in images.pixels)


def _label(guard: object) -> str:
    return f"guard {getattr(guard, '__name__', guard)!r}"
