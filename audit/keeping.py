"""Arrays that are costly to make and serve more than one audit: kept in the store under what they depend on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .context import Arrays
from .persist import fingerprint
from .store import Store
from .types import ImageSet

FILE = "arrays.safetensors"


@dataclass(frozen=True)
class StoreKeeper:
    """Keeps arrays as stages of a store.

    Attributes:
        store: where they stand.
        base: what every array of this plugin depends on: code, libraries, seed, device.
    """

    store: Store
    base: dict[str, object]

    def __call__(
        self, path: tuple[str, ...], inputs: tuple[ImageSet | str | float, ...], make: Callable[[], Arrays]
    ) -> Arrays:
        """What ``make`` returned, now or earlier, for this place in the tree of seeds and these inputs."""
        from safetensors.numpy import load_file, save_file

        content = [fingerprint("", part).sha256 if isinstance(part, ImageSet) else part for part in inputs]

        def compute(folder: Path) -> None:
            save_file(make(), folder / FILE)

        folder = self.store.stage("kept", {**self.base, "path": list(path), "inputs": content}, compute)
        return load_file(folder / FILE)
