"""What is audited: one file a generator."""
