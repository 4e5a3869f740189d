"""Example plugins for privbench."""
