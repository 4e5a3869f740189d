"""A search in a process of its own, so that its memory can be seen: ``python benchmarks/searching.py --help``.

Prints one line of JSON: seconds of the search, on the clock and of the processor, and its peak resident memory, whole
and beyond what was there before.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privbench.attacks.nearest import nearest
from privbench.attacks.streaming import streamed
from privbench.audit.context import Auxiliary, Context
from privbench.audit.target import Target
from privbench.audit.types import ImageSet

Array = NDArray[np.float32]
K, WRITTEN = 5, 2000


def resident(name: str) -> float:
    """Megabytes of this process, ``VmRSS`` now or ``VmHWM`` at most since ``begin``."""
    with Path("/proc/self/status").open(encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) / 1024


def top_streamed(queries: Array, references: Array) -> Array:
    """This package's search, each of the distances in float64."""
    return streamed(queries, references, np.arange(len(references)), ranks=K, device="cpu", exact=True).distance


def top_faiss(queries: Array, references: Array) -> Array:
    """The alternative: FAISS, whose K nearest are then computed again."""
    import faiss

    _, found = faiss.knn(queries, references, K)
    exact = np.empty(found.shape)
    for start in range(0, len(queries), 1024):
        rows = slice(start, start + 1024)
        for rank in range(K):
            difference = queries[rows].astype(np.float64) - references[found[rows, rank]]
            exact[rows, rank] = np.sqrt(np.square(difference).sum(axis=1))
    return np.sort(exact, axis=1)


def measured(search, *arguments):
    """Seconds, and megabytes."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # VmHWM begins anew
    before, began, used = resident("VmRSS"), time.perf_counter(), time.process_time()
    result = search(*arguments)
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    peak = resident("VmHWM")
    return {"seconds": seconds, "cpu_seconds": cpu, "extra_megabytes": peak - before, "peak_megabytes": peak}, result


def top(samples: int, candidates: int, side: int) -> dict[str, float]:
    """The K nearest by both, in one process and one after the other; how far apart the distances are."""
    rng = np.random.default_rng(0)
    references = rng.random((candidates, side * side), np.float32)
    queries = rng.random((samples, side * side), np.float32)
    queries[::10] = references[: len(queries[::10])] + rng.normal(0, 1e-3, queries[::10].shape).astype(np.float32)
    small = queries[:256], references[:4096]
    found = {}
    for name, search in (("faiss", top_faiss), ("streamed", top_streamed)):
        search(*small)
        found[name] = measured(search, queries, references)
    figures = {f"{name}_{key}": value for name, (cost, _) in found.items() for key, value in cost.items()}
    ours, theirs = found["streamed"][1], found["faiss"][1]
    for clock in ("seconds", "cpu_seconds"):  # other processes on the machine lengthen only the first
        figures[f"ratio_{clock}"] = figures[f"streamed_{clock}"] / figures[f"faiss_{clock}"]
    figures["error"] = float(np.abs(ours / theirs - 1).max())
    return figures


def written(path: Path, count: int, side: int, rng: np.random.Generator) -> Array:
    """A memory map of images, written a part at a time."""
    images = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(count, 1, side, side))
    for start in range(0, count, WRITTEN):
        images[start : start + WRITTEN] = rng.random(images[start : start + WRITTEN].shape, np.float32)
    images.flush()
    del images
    return np.load(path, mmap_mode="r")


def attack(samples: int, candidates: int, side: int) -> dict[str, float]:
    """``nearest`` in the space of pixels on memory maps."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        released, real = (written(Path(folder) / f"{i}.npy", n, side, rng) for i, n in enumerate((samples, candidates)))
        patient = np.array([f"p{i // 4:06d}" for i in range(candidates)])
        reference = ImageSet(rng.random((400, 1, side, side), np.float32), np.array([f"r{i // 4}" for i in range(400)]))
        target = Target(ImageSet(released, np.array([f"s{i}" for i in range(samples)])))
        auxiliary = Auxiliary(reference, None, Context())
        cost, scores = measured(lambda: nearest(target, ImageSet(real, patient), auxiliary, spaces="pixels"))
    (space,) = scores.spaces
    assert len(space.samples) == samples
    return cost


def main() -> None:
    """Search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("top", "attack"))
    for name in ("samples", "candidates"):
        parser.add_argument(name, type=int)
    parser.add_argument("--side", type=int, default=64)
    asked = parser.parse_args()
    figures = {"top": top, "attack": attack}[asked.what](asked.samples, asked.candidates, asked.side)
    print(json.dumps({"samples": asked.samples, "candidates": asked.candidates, **figures}))  # noqa: T201


if __name__ == "__main__":
    main()
