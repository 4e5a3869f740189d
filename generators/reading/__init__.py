"""Images in folders, stacks, archives and scans, however many: the parts of ``folder``."""
