"""Kinds of planted leak that a verdict asks about."""

FAITHFUL = ("exact", "noise")
"""The kinds of leak that an attack must see at a verdict's limit before it may pass."""

DECISIVE = {*FAITHFUL, "overfitted", "hole"}
"""Kinds that an attack must see to stand in for one that is blind to them."""
