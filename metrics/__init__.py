"""How utility is measured: one file a metric."""
