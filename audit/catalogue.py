"""Which plugins there are: built-ins by file, third parties' by entry point. Imports none of them, and no numpy."""

import ast
from dataclasses import dataclass
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from typing import Literal

from .errors import BadInputError

Kind = Literal["cohort", "generator", "guard", "attack", "metric", "report"]
KINDS: tuple[Kind, ...] = ("cohort", "generator", "guard", "attack", "metric", "report")
PACKAGE = Path(__file__).resolve().parent.parent
PACKAGE_NAME = __name__.split(".", maxsplit=1)[0]


@dataclass(frozen=True)
class Entry:
    """Where a plugin is and what it says of itself, as far as is known without importing it.

    Attributes:
        kind: cohort, generator, guard, attack, metric or report.
        name: its name on the command line.
        module: the module that holds it.
        attribute: the function or class in that module.
        summary: the first line of its docstring.
        origin: ``built-in`` or the distribution that brings it.
        family: of a built-in attack; empty elsewhere.
    """

    kind: Kind
    name: str
    module: str
    attribute: str
    summary: str
    origin: str
    family: str = ""


def available(kind: Kind) -> dict[str, Entry]:
    """Every plugin of one kind by name, sorted.

    Raises:
        BadInputError: if two plugins have one name.
    """
    return everything((kind,))[kind]


def everything(kinds: tuple[Kind, ...] = KINDS) -> dict[Kind, dict[str, Entry]]:
    """Every plugin of some kinds; the installed distributions are searched once for all of them.

    Raises:
        BadInputError: if two plugins of one kind have one name.
    """
    points = entry_points()
    every: dict[Kind, dict[str, Entry]] = {}
    for kind in kinds:
        found: dict[str, Entry] = {}
        for entry in (*_built_ins(kind), *_third_party(kind, points.select(group=f"{PACKAGE_NAME}.{kind}s"))):
            if entry.name in found:
                raise BadInputError(
                    f"two {kind}s are called '{entry.name}': {found[entry.name].origin} and {entry.origin}\n"
                    "uninstall one of them, or rename its entry point"
                )
            found[entry.name] = entry
        every[kind] = dict(sorted(found.items()))
    return every


def find(kind: Kind, name: str) -> Entry:
    """The plugin of that name.

    Raises:
        BadInputError: if there is none; the message suggests the nearest name.
    """
    entries = available(kind)
    if name not in entries:
        close = did_you_mean(name, list(entries))
        raise BadInputError(f"unknown {kind} '{name}'{close}; available: {', '.join(entries)}")
    return entries[name]


def everywhere(name: str) -> list[Entry]:
    """The plugins of that name in all kinds (``folder`` is a cohort and a generator).

    Raises:
        BadInputError: if there is none.
    """
    every = everything()
    found = [entries[name] for entries in every.values() if name in entries]
    if not found:
        names = sorted({n for entries in every.values() for n in entries})
        close = did_you_mean(name, names)
        raise BadInputError(f"unknown plugin '{name}'{close}\nsee: privbench list")
    return found


def did_you_mean(name: str, names: list[str]) -> str:
    """A suggestion to append to a message about an unknown ``name``; empty where nothing is near."""
    import difflib

    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


def _built_ins(kind: Kind) -> list[Entry]:
    entries = []
    for path in sorted((PACKAGE / f"{kind}s").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        start = text.find(f"\n@{kind}(")
        if start < 0:
            continue
        for node in ast.parse(text[start:]).body:  # what stands before it is not worth parsing
            if not isinstance(node, ast.FunctionDef | ast.ClassDef):
                continue
            decorators = [d for d in node.decorator_list if isinstance(d, ast.Call) and ast.unparse(d.func) == kind]
            if decorators:
                family = next((str(ast.literal_eval(k.value)) for k in decorators[0].keywords if k.arg == "family"), "")
                summary = (ast.get_docstring(node) or "").split("\n", 1)[0]
                module = f"{PACKAGE_NAME}.{kind}s.{path.stem}"
                name = path.stem.replace("_", "-")
                entries.append(Entry(kind, name, module, node.name, summary, "built-in", family))
    return entries


def _third_party(kind: Kind, points: EntryPoints) -> list[Entry]:
    entries = []
    for point in points:
        summary = point.dist.metadata["Summary"] if point.dist else ""
        origin = point.dist.name if point.dist else "unknown"
        entries.append(Entry(kind, point.name, point.module, point.attr, summary or "", origin))
    return entries
