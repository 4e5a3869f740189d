"""Text and tables that stay what they are in Markdown, whatever stands in them."""

import re
from collections.abc import Iterable

from ..audit.printable import printable

_SPECIAL = re.compile(r"([\\`*_\[\]|~#])")


def text(said: str) -> str:
    """Inert in Markdown and HTML: one line, no markup, no mention that notifies somebody."""
    one_line = " ".join(printable(said).split())
    entities = one_line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", entities).replace("@", "@\N{ZERO WIDTH SPACE}")


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """The lines of a table, its cells inert, and an empty one."""
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    lines += ["| " + " | ".join(text(cell) for cell in row) + " |" for row in rows]
    return [*lines, ""]
