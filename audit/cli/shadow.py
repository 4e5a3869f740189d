"""``privbench shadow``: train shadow models one by one, on as many machines as share the store."""

from pathlib import Path
from typing import Annotated

import typer

SAID = {"open": "trained", "underway": "another process is training it", "done": "was there"}


def shadow(
    audit: Annotated[
        Path, typer.Argument(metavar="SPEC", help="The audit: its TOML file, or a run folder of privbench run.")
    ],
    index: Annotated[
        list[int] | None,
        typer.Option(min=0, help="Which shadow model, from 0; repeatable (default: all that its attacks ask for)"),
    ] = None,
    store: Annotated[Path | None, typer.Option(help="Where finished stages are kept (default: cache folder)")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no messages.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Train the shadow models of an audit ahead of it, for lira, rmia and gradient-norms to find in the store.

    Started on several machines with one store it shares the work: a model that another process is training is left to
    that one, and what is killed goes on where it was. The audited model itself is not needed.

    Examples:
      privbench shadow audit.toml --store /shared/store

      privbench shadow audit.toml --store /shared/store --index $SLURM_ARRAY_TASK_ID
    """
    from ..errors import BadInputError, SkippedError
    from ..outputs import load_spec
    from ..runner import train_shadows
    from .console import TerminalProgress

    try:
        for number, before in train_shadows(
            load_spec(audit), index, store=store, progress=TerminalProgress(quiet=quiet)
        ):
            typer.echo(f"shadow model {number}: {SAID[before]}")
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command continues where it was", err=True)
        raise typer.Exit(130) from None
    except SkippedError as error:
        raise BadInputError(f"no shadow models: {error}") from error
    except BadInputError:
        raise
    except Exception as error:
        if debug:
            raise
        typer.echo(f"error: training stopped: {type(error).__name__}: {error}\nrun again with --debug", err=True)
        raise typer.Exit(4) from error
