"""``privbench list``: which plugins there are."""

from typing import Annotated

import typer


def list_plugins(
    kind: Annotated[
        str | None, typer.Argument(help="cohort, generator, attack, metric or report; all if left out.")
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
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, highlight=False)
    for title in ("kind", "name", "what it does"):
        table.add_column(title, overflow="fold", no_wrap=title != "what it does")
    before = ""
    for entry in found:
        origin = "" if entry.origin == "built-in" else f" ({entry.origin})"
        if before and entry.kind != before:
            table.add_section()
        table.add_row(entry.kind if entry.kind != before else "", entry.name, entry.summary + origin)
        before = entry.kind
    Console().print(table)
    typer.echo("options of one: privbench show NAME")
