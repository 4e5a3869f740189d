"""``privbench policy``: the rules that a gate judges by."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The rules that privbench gate judges by.", rich_markup_mode="rich")


@app.command("init")
def init(
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("policy.toml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write the default policy, with its reasons, for you to edit.

    Examples:
      privbench policy init

      privbench policy init --out strict.toml
    """
    from ..errors import BadInputError
    from ..policy import DEFAULT
    from .whole import write_or_say

    if out.exists() and not force:
        raise BadInputError(f"'{out}' exists already\nchoose another name with --out, or overwrite it with --force")
    write_or_say(out, DEFAULT.read_text(encoding="utf-8"))
    typer.echo(f"wrote {out}\njudge a run by it: privbench gate RUN --policy {out}", err=True)


@app.command("check")
def check(
    policy: Annotated[Path, typer.Argument(metavar="FILE", help="A policy.")],
    run: Annotated[
        Path | None, typer.Option(help="A run whose plugins and estimates it must fit, with installed plugins' own.")
    ] = None,
) -> None:
    """Look for mistakes in a policy, without judging anything.

    Examples:
      privbench policy check policy.toml

      privbench policy check policy.toml --run runs/mine
    """
    from ..estimates import check_names
    from ..policy import load_policy
    from ..runs import load_record

    rules = load_policy(policy)
    check_names(rules, load_record(run) if run else None, str(policy))
    limits = sum(rule.max_regression is None for rule in rules.rule)
    typer.echo(f"{policy}: {limits} limits, {len(rules.rule) - limits} on regressions, no mistake found")
