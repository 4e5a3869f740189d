"""Models that diffusers saved, read part by part: the parts of ``diffusers``."""
