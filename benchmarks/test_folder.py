"""Reading a folder of synthetic images: seconds and memory, for few files and for many."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

SIDE = 64
# In a process of its own, whose memory is that of the reading alone. The peak is taken before and after.
READ = f"""
import resource, sys, time
from pathlib import Path
import numpy as np
from privbench.audit.context import Context
from privbench.audit.types import ImageSet, TrainingData
from privbench.generators.folder import Folder

members = ImageSet(np.zeros((1, 1, {SIDE}, {SIDE}), np.float32), np.array(["a"]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
context = Context(folder=Path(sys.argv[2]))
generator = Folder(path=Path(sys.argv[1]))
start = time.perf_counter()
generator.fit(TrainingData(members), context)
read = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
images = generator.sample(1000, TrainingData(members), context.folder, context)
drawn = time.perf_counter() - start - read
print(len(images), read, drawn, peak)
"""


@pytest.mark.parametrize("files", [2_000, 20_000])
def test_a_folder_of_small_pictures(benchmark, tmp_path, files):
    """The peak of memory while files are read hardly grows with their number."""
    given = tmp_path / "given"
    given.mkdir()
    rng = np.random.default_rng(0)
    for i in range(files):
        Image.fromarray(rng.integers(0, 256, (SIDE, SIDE), np.uint8)).save(given / f"synthetic-{i:06d}.png")
    rounds = iter(range(10))

    def read():
        command = [sys.executable, "-c", READ, str(given), str(tmp_path / f"model-{next(rounds)}")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    drawn, seconds, drawing, kilobytes = benchmark.pedantic(read, rounds=1)
    assert int(drawn) == 1000
    benchmark.extra_info["files_per_second"] = round(files / float(seconds))
    benchmark.extra_info["seconds_to_draw_1000"] = float(drawing)
    benchmark.extra_info["megabytes_beyond_the_imports"] = round(int(kilobytes) / 1024, 1)
    benchmark.extra_info["megabytes_of_pixels"] = round(files * SIDE**2 * 4 / 2**20)
