"""Training with differential privacy: the parts of ``dp-ldm``."""
