"""``privbench run``: one audit from spec to report."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .auditing import audit


class Budget(StrEnum):
    """How much computing an audit may cost."""

    QUICK = "quick"
    STANDARD = "standard"
    FULL = "full"


class Device(StrEnum):
    """Where to compute."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Certificate(StrEnum):
    """How closely to measure the power of the attacks with planted leaks."""

    NONE = "none"
    LIGHT = "light"
    THOROUGH = "thorough"


class Granted(StrEnum):
    """How far the attacker gets."""

    SAMPLES = "samples"
    DENOISER = "denoiser"
    WEIGHTS = "weights"


Options = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Option of the plugin; repeatable.")]
NamedOptions = Annotated[
    list[str] | None, typer.Option(metavar="PLUGIN.NAME=VALUE", help="Option of one plugin; repeatable.")
]


def run(
    generator: Annotated[
        str | None, typer.Option("--generator", "-g", help="What to audit, see: privbench list generator")
    ] = None,
    attack: Annotated[
        list[str] | None,
        typer.Option("--attack", "-a", help="all, memorization, membership, reidentification or a name; repeatable."),
    ] = None,
    metric: Annotated[list[str] | None, typer.Option("--metric", "-m", help="all, none or a name; repeatable.")] = None,
    cohort: Annotated[str | None, typer.Option("--cohort", "-c", help="Where the real images come from.")] = None,
    guard: Annotated[
        str | None, typer.Option(help="What withholds samples too close to a member, e.g. min-distance; none: nothing.")
    ] = None,
    generator_opt: Options = None,
    guard_opt: Options = None,
    cohort_opt: Options = None,
    attack_opt: NamedOptions = None,
    metric_opt: NamedOptions = None,
    spec: Annotated[Path | None, typer.Option(help="A TOML file with the same things; flags win over it.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder (default: runs/COHORT-GENERATOR-KEY)")] = None,
    store: Annotated[Path | None, typer.Option(help="Where finished stages are kept (default: cache folder)")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of everything random (default: 0)")] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Number of synthetic images released.")] = None,
    access: Annotated[Granted | None, typer.Option(help="What the attacker is granted (default: all there is)")] = None,
    budget: Annotated[Budget | None, typer.Option(help="How much computing it may cost (default: quick)")] = None,
    certificate: Annotated[
        Certificate | None,
        typer.Option(help="How closely to measure how small a leak would be found (default: light at quick)"),
    ] = None,
    device: Annotated[Device | None, typer.Option(help="Where to compute (default: auto)")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the record as JSON instead of tables.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no messages.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Audit a generator: train or wrap it, attack it, measure its images, write a report.

    The same command continues a run that was interrupted, and takes what is finished from the store.

    Examples:
      privbench run --generator dfgm --attack all

      privbench run -g folder --generator-opt path=synthetic/ --cohort folder --cohort-opt path=real/

      privbench run -g ldm --guard min-distance --guard-opt quantile=0.05

      privbench run -g ldm --generator-opt steps=4000 --attack membership --budget standard --seed 1
    """
    from ..spec import make_spec, parse_options, parse_plugin_options, read_toml, with_flags

    content = with_flags(
        read_toml(spec) if spec else {},
        single={
            "generator": (generator, parse_options(generator_opt or [], "--generator-opt")),
            "guard": (guard, parse_options(guard_opt or [], "--guard-opt")),
            "cohort": (cohort, parse_options(cohort_opt or [], "--cohort-opt")),
        },
        several={
            "attacks": (attack, parse_plugin_options(attack_opt or [], "--attack-opt")),
            "metrics": (metric, parse_plugin_options(metric_opt or [], "--metric-opt")),
        },
        plain={
            "seed": seed,
            "samples": samples,
            "access": access,
            "budget": budget,
            "device": device,
            "certificate": certificate,
        },
    )
    audit(make_spec(content), out=out, store=store, json=json, quiet=quiet, debug=debug)
