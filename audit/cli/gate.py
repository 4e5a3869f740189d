"""``privbench gate``: a finished run judged by a policy, for CI."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

if TYPE_CHECKING:
    from ..gated import Gated


class Form(StrEnum):
    """How the verdict is written."""

    TERMINAL = "terminal"
    MD = "md"
    JUNIT = "junit"
    JSON = "json"


def gate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a record.json.")],
    policy: Annotated[
        Path | None, typer.Option(help="Rules in TOML, see: privbench policy init (default: the one that ships)")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="The record of the last release, see: privbench baseline update")
    ] = None,
    form: Annotated[Form, typer.Option("--format", "-f", help="How to write the verdict.")] = Form.TERMINAL,
    out: Annotated[Path | None, typer.Option(help="File to write (default: standard output)")] = None,
) -> None:
    """Judge a finished run by a policy, and say so in the exit code.

    Every rule passes, fails or is inconclusive, with value, interval, limit and the smallest leak that would have been
    found. What could not be measured is no pass, and nothing passes where a plugin failed.

    Exit codes: 0 every rule passes, 1 a rule failed, 2 bad input, 3 inconclusive, 4 a plugin failed.

    Examples:
      privbench gate runs/brain-sim-dfgm-f85d6086

      privbench policy init && privbench gate runs/mine --policy policy.toml

      privbench gate runs/mine --policy policy.toml --baseline baseline.json

      privbench gate runs/mine --format md >> "$GITHUB_STEP_SUMMARY"

      privbench gate runs/mine --format junit --out gate.xml
    """
    from ..gated import SAID, judged

    gated = judged(run, policy, baseline)
    if form is Form.TERMINAL and out is None:
        from .verdict import print_gated

        print_gated(gated)
        raise typer.Exit(gated.exit_code)
    text = _written(gated, form)
    if out is None:
        typer.echo(text, nl=False)
    else:
        from .whole import write_or_say

        write_or_say(out, text, [file for file in (run, policy, baseline) if file])
        typer.echo(f"{gated.verdict.outcome.upper()}: {SAID[gated.exit_code]}; wrote {out}", err=True)
    raise typer.Exit(gated.exit_code)


def _written(gated: "Gated", form: Form) -> str:
    from collections.abc import Callable
    from importlib import import_module

    from ..catalogue import PACKAGE_NAME

    if form is Form.JSON:
        return gated.model_dump_json(indent=2) + "\n"
    if form is Form.TERMINAL:
        from .verdict import plain

        return plain(gated)
    module = import_module(f"{PACKAGE_NAME}.reports.gating.{form.value}")  # by name, for audit knows no report
    write = cast("Callable[[Gated], str]", getattr(module, form.value))
    return write(gated)
