"""Cells of a CSV file that a spreadsheet shows and never runs."""

import re

_STARTS_A_FORMULA = tuple("=+-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}")
_STARTS_A_FORMULA += ("\N{FULLWIDTH COMMERCIAL AT}",)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def cell(value: str | float | bool | None) -> str:
    """A value as a cell: nothing for None, a number in full, text in one line that starts no formula.

    Spreadsheets take text that starts with ``=``, ``+``, ``-``, ``@``, a tab or a line break for a formula, quoted or
    not (OWASP, "CSV Injection"); an apostrophe before it keeps it text. A negative number is a number, and stays one.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    text = _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", " ".join(value.split()))
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text
