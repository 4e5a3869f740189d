"""Text from data as a terminal may be given it: to be seen, not to be obeyed."""


def printable(text: str) -> str:
    """One line without what a terminal obeys (colours, the cursor, the direction of writing)."""
    return "".join(c if c.isprintable() else " " for c in text)
