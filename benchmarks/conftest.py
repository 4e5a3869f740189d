"""What benchmarks share."""

import resource
import statistics
import subprocess
from collections.abc import Callable

import pytest

ROUNDS = 15


@pytest.fixture
def cpu_of(benchmark) -> Callable[..., None]:
    """Measure a command that ends with ``code``: the CPU seconds of its process, user and system, beside wall time."""

    def measure(command: list[str], code: int = 0, rounds: int = ROUNDS) -> None:
        seconds = []

        def once() -> None:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            assert done.returncode == code, done.stderr
            seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

        benchmark.pedantic(once, rounds=rounds, warmup_rounds=1)
        benchmark.extra_info["cpu_seconds_median"] = statistics.median(seconds[1:])
        benchmark.extra_info["cpu_seconds_least"] = min(seconds[1:])

    return measure
