"""From an attack's scores to estimates: one module a family, and its parts."""
