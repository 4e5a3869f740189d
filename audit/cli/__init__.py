"""The command line: one file a command. Starts without torch or scipy; a command imports what it needs."""

import os
import sys

import typer

from ..errors import BadInputError
from ..printable import printable
from . import (
    baseline,
    certify,
    compare,
    doctor,
    gate,
    list_,
    policy,
    report,
    run,
    shadow,
    show,
    track,
    verify_guard,
    view,
)

app = typer.Typer(
    name="privbench",
    help="Privacy audit and benchmark for generative models of medical images.\n\n"
    "Start with:  privbench run --generator dfgm --attack all",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, pass, 1 fail, refuted, 2 bad input, 3 inconclusive, 4 finished with failed plugins.",
)
app.command("run")(run.run)
app.command("certify")(certify.certify)
app.command("shadow")(shadow.shadow)
app.command("verify-guard")(verify_guard.verify_guard)
app.command("list")(list_.list_plugins)
app.command("show")(show.show)
app.command("compare")(compare.compare)
app.command("gate")(gate.gate)
app.add_typer(policy.app, name="policy")
app.add_typer(baseline.app, name="baseline")
app.command("report")(report.report)
app.command("track")(track.track)
app.command("view")(view.view)
app.command("doctor")(doctor.doctor)

BAD_INPUT, FAILED_PLUGINS, INTERRUPTED = 2, 4, 130


@app.callback(invoke_without_command=True)
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and stop.", is_eager=True),
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(installed("privbench"))
        raise typer.Exit


def main() -> None:
    """Run the command line; every foreseeable error is one or two lines and an exit code."""
    # Read by OpenMP when torch is first imported: two processes on few cores otherwise spin against each other.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app()
    except BadInputError as error:
        if "--debug" in sys.argv:
            raise
        typer.echo("\n".join(map(printable, f"error: {error}".split("\n"))), err=True)
        sys.exit(BAD_INPUT)
