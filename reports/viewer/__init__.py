"""``privbench view``: a local, read-only page over all runs of a folder."""
