"""``privbench show``: one plugin's options, defaults and paper."""

import inspect
from typing import Annotated

import typer


def show(name: Annotated[str, typer.Argument(metavar="PLUGIN", help="A name from: privbench list")]) -> None:
    """Show what a plugin does, what it needs, and its options with their defaults."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from ..catalogue import everywhere
    from ..plugin import options_model
    from ..registry import load

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
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for title in ("option", "type", "default", "at --budget standard, full", "meaning"):
            table.add_column(title, overflow="fold")
        for option, field in models["quick"].model_fields.items():
            more = [models[budget].model_fields[option].default for budget in ("standard", "full")]
            default = "required" if field.is_required() else str(field.default)
            table.add_row(
                escape(option),
                escape(inspect.formatannotation(field.annotation).replace("typing.", "").replace("pathlib.", "")),
                escape(default),
                "" if all(m == field.default for m in more) else escape(", ".join(str(m) for m in more)),
                escape(field.description or ""),
            )
        console.print(table)
