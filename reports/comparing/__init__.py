"""A comparison of several audits, ready to be drawn: sentences, axes, tables."""
