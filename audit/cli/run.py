"""``privbench run``: one audit from spec to report."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .auditing import audit
from .several import audit_several


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


class TrackedBy(StrEnum):
    """What keeps a log of experiments."""

    MLFLOW = "mlflow"


Options = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Option of the plugin; repeatable.")]
PerPlugin = Annotated[
    list[str] | None,
    typer.Option(metavar="[PLUGIN.]NAME=VALUE", help="Option of the plugin; PLUGIN where there are several."),
]
NamedOptions = Annotated[
    list[str] | None, typer.Option(metavar="PLUGIN.NAME=VALUE", help="Option of one plugin; repeatable.")
]


def run(
    generator: Annotated[
        list[str] | None,
        typer.Option(
            "--generator",
            "-g",
            metavar="NAME[:OPTION=VALUE,...]",
            help="What to audit, see: privbench list generator; several are audited in turn and compared.",
        ),
    ] = None,
    attack: Annotated[
        list[str] | None,
        typer.Option("--attack", "-a", help="all, memorization, membership, reidentification or a name; repeatable."),
    ] = None,
    metric: Annotated[list[str] | None, typer.Option("--metric", "-m", help="all, none or a name; repeatable.")] = None,
    cohort: Annotated[str | None, typer.Option("--cohort", "-c", help="Where the real images come from.")] = None,
    guard: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:OPTION=VALUE,...]",
            help="What withholds samples too close to a member, e.g. min-distance; none: nothing.",
        ),
    ] = None,
    generator_opt: PerPlugin = None,
    guard_opt: PerPlugin = None,
    cohort_opt: Options = None,
    attack_opt: NamedOptions = None,
    metric_opt: NamedOptions = None,
    spec: Annotated[Path | None, typer.Option(help="A TOML file with the same things; flags win over it.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Run folder (default: runs/COHORT-GENERATOR-KEY); of several, the folder around them."),
    ] = None,
    store: Annotated[Path | None, typer.Option(help="Where finished stages are kept (default: cache folder)")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of everything random (default: 0)")] = None,
    repeat: Annotated[int | None, typer.Option(help="Audit with that many seeds, from --seed on (default: 1)")] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Number of synthetic images released.")] = None,
    access: Annotated[Granted | None, typer.Option(help="What the attacker is granted (default: all there is)")] = None,
    budget: Annotated[Budget | None, typer.Option(help="How much computing it may cost (default: quick)")] = None,
    certificate: Annotated[
        Certificate | None,
        typer.Option(help="How closely to measure how small a leak would be found (default: light at quick)"),
    ] = None,
    device: Annotated[Device | None, typer.Option(help="Where to compute (default: auto)")] = None,
    track: Annotated[TrackedBy | None, typer.Option(help="Log parameters, estimates, record and report.")] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the record as JSON instead of tables; of several, an array.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no messages.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Audit a generator: train or wrap it, attack it, measure its images, write a report.

    The same command continues a run that was interrupted, and takes what is finished from the store. Several generators
    or seeds are all checked before the first trains; then each leaves a run of its own, and a comparison.

    Examples:
      privbench run --generator dfgm --attack all

      privbench run -g folder --generator-opt path=synthetic/ --cohort folder --cohort-opt path=real/

      privbench run -g dfgm -g ldm:steps=4000 -g dp-ldm:epsilon=3 --repeat 3

      privbench run -g ldm --guard min-distance:quantile=0.05 --attack membership --budget standard --seed 1
    """
    from ..matrix import expand, with_axis, with_seeds
    from ..processes import rank
    from ..spec import parse_options, parse_plugin_options, read_toml, with_flags
    from ..tracking import open_tracker

    content = with_flags(
        read_toml(spec) if spec else {},
        single={"cohort": (cohort, parse_options(cohort_opt or [], "--cohort-opt"))},
        several={
            "attacks": (attack, parse_plugin_options(attack_opt or [], "--attack-opt")),
            "metrics": (metric, parse_plugin_options(metric_opt or [], "--metric-opt")),
        },
        plain={"samples": samples, "access": access, "budget": budget, "device": device, "certificate": certificate},
    )
    content = with_axis(content, "generator", generator, generator_opt or [])
    content = with_axis(content, "guard", guard, guard_opt or [])
    specs = expand(with_seeds(content, seed, repeat))
    tracker = open_tracker() if track and not rank() else None
    if len(specs) == 1:
        audit(specs[0], out=out, store=store, json=json, quiet=quiet, debug=debug, tracker=tracker)
    else:
        audit_several(specs, out=out, store=store, json=json, quiet=quiet, debug=debug, tracker=tracker)
