"""``privbench list``: which plugins there are."""

from shutil import get_terminal_size
from textwrap import wrap
from typing import Annotated

import typer


def list_plugins(
    kind: Annotated[
        str | None, typer.Argument(help="cohort, generator, guard, attack, metric or report; all if left out.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List plugins, built-in and installed, with what each does. None is imported."""
    from ..catalogue import KINDS, everything
    from ..errors import BadInputError

    wanted = kind.removesuffix("s") if kind else None
    if wanted is not None and wanted not in KINDS:
        raise BadInputError(f"unknown kind '{kind}'; kinds: {', '.join(KINDS)}")
    found = [
        entry
        for entries in everything(tuple(k for k in KINDS if wanted in (None, k))).values()
        for entry in entries.values()
    ]
    if json:
        from pydantic import TypeAdapter

        from ..catalogue import Entry

        typer.echo(TypeAdapter(list[Entry]).dump_json(found, indent=1).decode())
        return
    # Plain text: loading a table library would take a fifth of this command's time.
    width = max((len(entry.name) for entry in found), default=0)
    before = ""
    for entry in found:
        if entry.kind != before:
            typer.echo(f"{'' if not before else chr(10)}{entry.kind}s")
            before = entry.kind
        origin = "" if entry.origin == "built-in" else f" ({entry.origin})"
        lines = wrap(entry.summary + origin, max(30, get_terminal_size().columns - width - 4)) or [""]
        typer.echo(f"  {entry.name:<{width}}  {lines[0]}")
        for line in lines[1:]:
            typer.echo(f"  {'':<{width}}  {line}")
    typer.echo("\noptions of one: privbench show NAME")
