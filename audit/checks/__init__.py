"""Is the comparison fair? Asked of the real images before any attack."""
