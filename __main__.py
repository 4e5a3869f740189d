"""``python -m privbench``: the command line, also for launchers that start a module in several processes."""

from .audit.cli import main

main()
