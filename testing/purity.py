"""Whether a plugin keeps its hands off global generators and its inputs, and whether it repeats itself."""

import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..audit.persist import fingerprint
from ..audit.types import ImageSet
from .conformance import require

T = TypeVar("T")
Parts = dict[str, ImageSet]


def fields_of(images: ImageSet) -> dict[str, NDArray[np.generic]]:
    """The arrays of ``images`` by name."""
    found = {f.name: getattr(images, f.name) for f in fields(images)}
    return {name: value for name, value in found.items() if value is not None}


def own_copy(images: ImageSet, *, writeable: bool = True) -> ImageSet:
    """``images`` in memory of their own, so that a change of them shows, or fails."""
    copies = {name: np.array(value) for name, value in fields_of(images).items()}
    for value in copies.values():
        value.flags.writeable = writeable
    return replace(images, **copies)


def global_states() -> dict[str, str]:
    """A digest of the state of each global generator: Python's, NumPy's, torch's."""
    import torch

    states = {
        "random": repr(random.getstate()).encode(),
        "numpy.random": _numpy_state(),
        "torch": torch.get_rng_state().numpy().tobytes(),
    }
    return {name: hashlib.sha256(state).hexdigest() for name, state in states.items()}


def _numpy_state() -> bytes:
    kind, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002
    return b"".join((repr((kind, *rest)).encode(), np.asarray(keys).tobytes()))


@contextmanager
def global_seed(seed: int) -> Iterator[None]:
    """Inside, the global generators stand elsewhere; outside nothing has changed."""
    import torch

    kept = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    try:
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.default_generator.manual_seed(seed)
        yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])  # noqa: NPY002
        torch.set_rng_state(kept[2])


def require_repeatable(run: Callable[[], object]) -> None:
    """Two runs under one context give the same bits, wherever the global generators stand."""
    results = []
    for seed in (1, 2):
        with global_seed(seed):
            results.append(run())
    require(
        same(*results),
        "two runs under the same seed gave different results",
        "draw everything random from context.rng, context.torch_rng or, for weights and dropout, context.torch_scope",
    )


def require_no_global_rng(run: Callable[[], object]) -> None:
    """No global generator is left in another state."""
    with global_seed(3):
        before = global_states()
        run()
        after = global_states()
    moved = [name for name in before if before[name] != after[name]]
    require(
        not moved,
        f"the global generator of {' and '.join(moved)} was used",
        "use context.rng, context.torch_rng or context.torch_scope; seed no global generator either",
    )


def require_inputs_kept(parts: Parts, run: Callable[[Parts], object]) -> None:
    """Neither are writeable inputs changed, nor is it tried on read-only ones (the engine hands out memory maps)."""
    fix = "copy before writing: np.array(images.pixels)"
    given = {name: own_copy(images) for name, images in parts.items()}
    before = {name: fingerprint(name, images).sha256 for name, images in given.items()}
    run(given)
    changed = [name for name, images in given.items() if fingerprint(name, images).sha256 != before[name]]
    require(not changed, f"it changed its input: {', '.join(changed)}", fix)
    try:
        run({name: own_copy(images, writeable=False) for name, images in parts.items()})
    except (ValueError, TypeError, RuntimeError) as error:
        require(False, f"on read-only input it raised {type(error).__name__}: {error}", fix)


def same(a: object, b: object) -> bool:
    """Whether two values are equal to the bit, through dataclasses, tuples and arrays."""
    if is_dataclass(a) and not isinstance(a, type):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, tuple | list):
        return isinstance(b, type(a)) and len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)
