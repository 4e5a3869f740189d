"""How long the command line takes to start."""

import sys

import pytest


@pytest.mark.parametrize("arguments", ["--help", "list"])
def test_command_line_starts(cpu_of, arguments):
    cpu_of([sys.executable, "-c", "from privbench.audit.cli import main; main()", arguments])
