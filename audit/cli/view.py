"""``privbench view``: a local page over all runs of a folder."""

from pathlib import Path
from typing import Annotated

import typer


def view(
    runs: Annotated[Path, typer.Argument(metavar="RUNS_DIR", help="Folder that holds runs.")] = Path("runs"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to serve at; 0: any free one.")] = 8642,
    host: Annotated[str, typer.Option(help="Address to bind to; another than this machine's own needs a flag.")] = (
        "127.0.0.1"
    ),
    remote: Annotated[
        bool, typer.Option("--allow-remote", help="Let other machines in, with a token and without encryption.")
    ] = False,
    token: Annotated[
        str, typer.Option(envvar="PRIVBENCH_VIEW_TOKEN", help="What every request must know.", show_default=False)
    ] = "",
    browse: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in your browser.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Log on stderr, and show tracebacks.")] = False,
) -> None:
    """Show all runs of a folder on a local page: filter, sort, compare, trends. Ends with Ctrl-C."""
    from collections.abc import Callable
    from importlib import import_module
    from typing import cast

    from ..catalogue import PACKAGE_NAME

    serve = cast("Callable[..., None]", import_module(f"{PACKAGE_NAME}.reports.viewer.serving").serve)
    serve(runs, host=host, port=port, token=token, remote=remote, browse=browse, debug=debug, say=typer.echo)
