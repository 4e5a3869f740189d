"""Guards: what stands between a generator and its release, one plugin a file."""
