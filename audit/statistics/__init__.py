"""Intervals, tests and published statistics. Pure functions."""
