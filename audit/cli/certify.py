"""``privbench certify``: how small a leak a finished audit would have found, measured closely."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .auditing import audit


class Depth(StrEnum):
    """How closely power is measured."""

    LIGHT = "light"
    THOROUGH = "thorough"


def certify(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder that privbench run has written.")],
    depth: Annotated[Depth, typer.Option(help="How closely to measure.")] = Depth.THOROUGH,
    store: Annotated[Path | None, typer.Option(help="Where finished stages are kept (default: cache folder)")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the record as JSON instead of tables.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no messages.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Measure how small a leak each attack of a finished run would have found, and write it into the run's report.

    Leaks of known kind and share are planted among the released images - exact copies, noisy, shifted, recoloured,
    turned, deformed ones, lesions pasted on other backgrounds, mixtures of two patients - and, for attacks on the
    denoiser, in a model overfitted to a few patients. Each attack's own test is asked whether it notices. What the
    run has computed is taken from the store; privbench run does the same, lightly at --budget quick.

    Example:
      privbench certify runs/brain-sim-dfgm-1a2b3c4d
    """
    from ..runs import load_record

    spec = load_record(run).spec.model_copy(update={"certificate": depth.value})
    folder = run if run.is_dir() else run.parent
    audit(spec, out=folder, store=store, json=json, quiet=quiet, debug=debug)
