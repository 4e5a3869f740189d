"""What every plugin is handed: its randomness, its device, its progress bar, its folder."""

import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from .memory import Memory
from .types import ImageSet

Arrays = dict[str, NDArray[Any]]

if TYPE_CHECKING:
    import torch

    from .target import Trainer


class Step(Protocol):
    """Say that ``n`` more units of a long task are done; ``detail`` is shown beside the bar."""

    def __call__(self, n: int = 1, detail: str = "") -> None:
        """Advance the bar."""
        ...


class Progress(Protocol):
    """Shows how far long work is."""

    def task(self, name: str, total: int) -> AbstractContextManager[Step]:
        """Open a bar of ``total`` units; used in a ``with`` statement that yields a ``Step``."""
        ...

    def message(self, text: str) -> None:
        """Tell the user one line."""
        ...


class Keeper(Protocol):
    """Keeps arrays that are costly to make for whoever asks with the same inputs, in this run or a later one."""

    def __call__(
        self, path: tuple[str, ...], inputs: tuple[ImageSet | str | float, ...], make: Callable[[], Arrays]
    ) -> Arrays:
        """What ``make`` returned, now or earlier, for this place in the tree of seeds and these inputs."""
        ...


class Silent:
    """A ``Progress`` that shows nothing."""

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Step]:  # noqa: ARG002
        """A bar nobody sees."""

        def step(n: int = 1, detail: str = "") -> None:
            pass

        yield step

    def message(self, text: str) -> None:
        """Say nothing."""


def seed_sequence(seed: int, *path: str) -> np.random.SeedSequence:
    """The node at ``path`` of the tree of seeds under ``seed``.

    Nodes are keyed by name, not by order: adding a plugin never changes another's randomness.
    """
    return np.random.SeedSequence(seed, spawn_key=tuple(zlib.crc32(part.encode()) for part in path))


@dataclass(frozen=True)
class Context:
    """A plugin's surroundings. Two equal contexts give equal results, to the bit, on one machine's CPU.

    Attributes:
        seed: the audit's seed.
        path: this plugin's place in the tree of seeds, e.g. ``("attack", "nearest")``.
        device: ``cpu`` or ``cuda``.
        budget: ``quick``, ``standard`` or ``full``.
        confidence: of every interval, e.g. 0.95.
        progress: where to show long work.
        folder: this stage's own folder. What is written there survives a kill and is there again when the stage is
            taken up anew, so long training can leave finished pieces (written whole, see ``whole.write_whole``).
        keeper: where ``kept`` keeps arrays; None computes them every time.
    """

    seed: int = 0
    path: tuple[str, ...] = ()
    device: str = "cpu"
    budget: str = "quick"
    confidence: float = 0.95
    progress: Progress = field(default_factory=Silent)
    folder: Path = Path()
    keeper: Keeper | None = None

    def kept(self, name: str, make: Callable[[], Arrays], *inputs: ImageSet | str | float) -> Arrays:
        """The arrays that ``make`` gives, from the store where they were made before.

        For what does not depend on the samples, e.g. a network trained on the reference: it is then trained once for
        all generators audited on a cohort, and once for an audit and its power certificate.

        Args:
            name: what it is; also its place in the tree of seeds.
            make: computes it, drawing randomness from this context only.
            inputs: all that the result depends on besides the code, the libraries, seed and device: image sets, by
                content, and options.
        """
        return make() if self.keeper is None else self.keeper((*self.path, name), inputs, make)

    def under(self, *path: str) -> Self:
        """The same context deeper in the tree of seeds."""
        return replace(self, path=self.path + path)

    def rng(self, *purpose: str) -> np.random.Generator:
        """A NumPy generator of its own for each purpose."""
        return np.random.default_rng(seed_sequence(self.seed, *self.path, *purpose))

    def integer(self, *purpose: str) -> int:
        """A 63-bit integer of its own for each purpose, for libraries that take a seed."""
        state = seed_sequence(self.seed, *self.path, *purpose).generate_state(1, np.uint64)
        return int(state[0] >> np.uint64(1))

    def torch_rng(self, *purpose: str) -> "torch.Generator":
        """A CPU torch generator of its own for each purpose (draw on the CPU, then move: the same on any device)."""
        import torch

        return torch.Generator().manual_seed(self.integer(*purpose))

    @contextmanager
    def torch_scope(self, *purpose: str) -> Iterator[None]:
        """Inside, what draws from torch's global generator (weight initialisation, dropout) is seeded.

        Outside nothing has changed: the global state is put back on leaving.
        """
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self.torch_rng(*purpose).get_state())
            yield


@dataclass(frozen=True, eq=False)
class Auxiliary:
    """What an attacker has besides the target.

    Attributes:
        reference: real images of patients who are neither members nor holdout.
        public: public images, or None.
        context: randomness, device, progress, folder.
        commons: keeps what several attacks use; None computes it every time.
        trainer: trains the audited generator again; None where that is not offered.
        memory: what the attack computed of single images, for its certificate runs it on many releases that share most.
    """

    reference: ImageSet
    public: ImageSet | None
    context: Context
    commons: Keeper | None = None
    trainer: "Trainer | None" = None
    memory: Memory = field(default_factory=Memory)

    @property
    def shared(self) -> Context:
        """The same surroundings for every attack: what is ``kept`` there is made once for all attacks of an audit.

        Its place in the tree of seeds is the same for all, so two attacks that draw for one purpose draw the same.
        """
        return replace(self.context, path=("shared",), keeper=self.commons)
