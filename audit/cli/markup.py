"""Text from data within Rich's markup."""

from rich.markup import escape as without_markup

from ..printable import printable


def escape(text: str) -> str:
    """Neither markup nor what a terminal obeys."""
    return without_markup(printable(text))
