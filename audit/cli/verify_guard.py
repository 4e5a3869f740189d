"""``privbench verify-guard``: a guard's certificate proved again from the released files."""

from pathlib import Path
from typing import Annotated

import typer

REFUTED = 1


def verify_guard(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder that privbench run has written.")],
    store: Annotated[Path | None, typer.Option(help="Where finished stages are kept (default: cache folder)")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no messages.")] = False,
) -> None:
    """Prove again, from the released files, that none is closer to a member than the guard's certificate says.

    Every released image is read from its file and compared with every member image, in every pose, in float64 and
    without any shortcut; the files are held against the certificate's hashes, and the members against its fingerprint.
    Exit code 0: proved; 1: refuted; 2: there is no certificate to prove.

    Example:
      privbench run -g ldm --guard min-distance && privbench verify-guard runs/brain-sim-ldm-1a2b3c4d
    """
    from ..guarding import verify
    from .console import TerminalProgress

    proof = verify(run, store=store, progress=TerminalProgress(quiet=quiet))
    if json:
        typer.echo(proof.model_dump_json(indent=1))
    else:
        typer.echo("proved" if proof.holds else "refuted")
        for line in proof.lines:
            typer.echo(f"  {line}")
    if not proof.holds:
        raise typer.Exit(REFUTED)
