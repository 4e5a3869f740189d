"""How long the command line takes to start."""

import resource
import statistics
import subprocess
import sys

import pytest

ROUNDS = 15


@pytest.mark.parametrize("arguments", ["--help", "list"])
def test_command_line_starts(benchmark, arguments):
    """CPU seconds of the process, user and system, beside the wall time that pytest-benchmark takes."""
    command = [sys.executable, "-c", "from privbench.audit.cli import main; main()", arguments]
    seconds = []

    def start():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    benchmark.pedantic(start, rounds=ROUNDS, warmup_rounds=1)
    benchmark.extra_info["cpu_seconds_median"] = statistics.median(seconds[1:])
    benchmark.extra_info["cpu_seconds_least"] = min(seconds[1:])
