"""``privbench show``: one plugin's options, defaults and paper."""

import inspect
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

import typer


def show(name: Annotated[str, typer.Argument(metavar="PLUGIN", help="A name from: privbench list")]) -> None:
    """Show what a plugin does, what it needs, and its options with their defaults."""
    from rich.console import Console
    from rich.markup import escape
    from rich.padding import Padding

    from ..catalogue import everywhere
    from ..plugin import options_model
    from ..registry import SINGLE, load

    console = Console(highlight=False)
    for entry in everywhere(name):
        plugin = load(entry.kind, name)
        facts = plugin.facts
        console.print(f"[bold]{entry.kind} {entry.name}[/bold] ({entry.origin})")
        paragraphs = (inspect.getdoc(plugin.target) or "").split("\n\n")
        console.print("\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs), markup=False)
        lines = {
            "paper": facts.paper,
            "family": facts.family or "",
            "access": facts.access.name if entry.kind in {"attack", "generator"} else "",
            "needs": ", ".join(facts.needs),
            "least patients": ", ".join(f"{part} {least}" for part, least in facts.patients.items()),
        }
        console.print()
        for label, value in lines.items():
            if value:
                console.print(f"{label}: {value}", markup=False)
        models = {budget: options_model(plugin.target, budget) for budget in ("quick", "standard", "full")}
        if not models["quick"].model_fields:
            console.print("no options\n")
            continue
        flag = f"--{entry.kind}-opt {'' if entry.kind in SINGLE else entry.name + '.'}"
        console.print("" if entry.kind == "report" else f"options, each as {flag}NAME=VALUE:", markup=False)
        for option, field in models["quick"].model_fields.items():
            more = [models[budget].model_fields[option].default for budget in ("standard", "full")]
            facts_of_it = [_type(field.annotation)]
            if any(m != field.default for m in more):
                facts_of_it.append("at --budget standard {}, full {}".format(*more))
            default = "required" if field.is_required() else f"= {field.default}"
            console.print(
                f"  [bold]{escape(option)}[/bold] {escape(default)}  [dim]{escape('; '.join(facts_of_it))}[/dim]"
            )
            console.print(Padding(escape(field.description or ""), (0, 0, 0, 6)))
        console.print()


def _type(annotation: object) -> str:
    """A type in a user's words: the choices where there are some, else its name."""
    parts = get_args(annotation)
    if get_origin(annotation) is Literal:
        return ", ".join(str(part) for part in parts)
    if get_origin(annotation) in {Union, UnionType}:
        return " or ".join("nothing" if part is NoneType else _type(part) for part in parts)
    return annotation.__name__ if isinstance(annotation, type) and not parts else inspect.formatannotation(annotation)
