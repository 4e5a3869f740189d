"""How much memory a call needs at its peak, NumPy's and torch's, without a process of its own."""

import tracemalloc
from collections.abc import Callable


def peak_bytes(run: Callable[[], object]) -> int:
    """The larger of what Python and NumPy held at once and the largest tensor that torch made, in bytes.

    torch's memory is not traced, but what needs n*m*pixels at once is one tensor or one array.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    largest = 0

    class Watching(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN204
            nonlocal largest
            made = func(*args, **(kwargs or {}))
            for leaf in tree_leaves(made):
                if hasattr(leaf, "untyped_storage"):
                    largest = max(largest, leaf.untyped_storage().nbytes())
            return made

    with Watching():  # type: ignore[no-untyped-call]
        torch.zeros(1).add(1)  # what torch imports on its first watched call does not count
    largest = 0
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        with Watching():  # type: ignore[no-untyped-call]
            run()
        return max(tracemalloc.get_traced_memory()[1] - before, largest)
    finally:
        if not tracing:
            tracemalloc.stop()
