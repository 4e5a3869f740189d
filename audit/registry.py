"""Finding plugins by name: built-ins by file, third parties' by entry point, without importing any until it is used."""

import ast
import difflib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from pydantic import BaseModel, ValidationError

from .errors import BadInputError
from .plugin import KINDS, Facts, Kind, facts_of, options_model

PACKAGE = Path(__file__).resolve().parent.parent
PACKAGE_NAME = __name__.split(".", maxsplit=1)[0]


@dataclass(frozen=True)
class Entry:
    """Where a plugin is and what it says of itself, as far as is known without importing it.

    Attributes:
        kind: cohort, generator, attack, metric or report.
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


@dataclass(frozen=True)
class Plugin:
    """A loaded plugin."""

    entry: Entry
    target: Callable[..., object]
    facts: Facts

    @property
    def label(self) -> str:
        """How messages call it: ``generator 'dfgm'``."""
        return f"{self.entry.kind} '{self.entry.name}'"

    def options(self, given: Mapping[str, object], budget: str = "quick") -> BaseModel:
        """The plugin's options, checked, with defaults filled in.

        Raises:
            BadInputError: for an unknown option or a value of the wrong type or range.
        """
        model = options_model(self.target, budget)
        try:
            return model.model_validate(dict(given))
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else ""
            valid = list(model.model_fields)
            if first["type"] == "extra_forbidden":
                listed = f"options: {', '.join(valid)}" if valid else "it has no options"
                raise BadInputError(f"{self.label}: no option '{name}'{_did_you_mean(name, valid)}\n{listed}") from None
            if first["type"] == "missing":
                flag = f"--{self.entry.kind}-opt {'' if self.entry.kind in SINGLE else self.entry.name + '.'}{name}=..."
                raise BadInputError(f"{self.label}: option '{name}' is required\ngive it with {flag}") from None
            why = first["msg"][0].lower() + first["msg"][1:]
            raise BadInputError(
                f"{self.label}: option {name}={first['input']!r}: {why}\nsee: privbench show {self.entry.name}"
            ) from None


SINGLE = ("cohort", "generator")


def available(kind: Kind) -> dict[str, Entry]:
    """Every plugin of one kind by name, sorted.

    Raises:
        BadInputError: if two plugins have one name.
    """
    found: dict[str, Entry] = {}
    for entry in (*_built_ins(kind), *_third_party(kind)):
        if entry.name in found:
            raise BadInputError(
                f"two {kind}s are called '{entry.name}': {found[entry.name].origin} and {entry.origin}\n"
                "uninstall one of them, or rename its entry point"
            )
        found[entry.name] = entry
    return dict(sorted(found.items()))


def find(kind: Kind, name: str) -> Entry:
    """The plugin of that name.

    Raises:
        BadInputError: if there is none; the message suggests the nearest name.
    """
    entries = available(kind)
    if name not in entries:
        close = _did_you_mean(name, list(entries))
        raise BadInputError(f"unknown {kind} '{name}'{close}; available: {', '.join(entries)}")
    return entries[name]


def load(kind: Kind, name: str) -> Plugin:
    """Import the plugin of that name.

    Raises:
        BadInputError: if there is none, if it cannot be imported, or if it is not a plugin of that kind.
    """
    entry = find(kind, name)
    try:
        target = getattr(importlib.import_module(entry.module), entry.attribute)
    except (ImportError, AttributeError) as error:
        if entry.origin == "built-in":
            raise
        raise BadInputError(f"{kind} '{name}' from {entry.origin} cannot be imported: {error}") from error
    facts = facts_of(target)
    if facts is None or facts.kind != kind:
        raise BadInputError(
            f"{kind} '{name}' from {entry.origin}: {entry.module}:{entry.attribute} is not a plugin of kind {kind}\n"
            f"decorate it with privbench.{kind}"
        )
    return Plugin(entry, target, facts)


def everywhere(name: str) -> list[Entry]:
    """The plugins of that name in all kinds (``folder`` is a cohort and a generator).

    Raises:
        BadInputError: if there is none.
    """
    every = {kind: available(kind) for kind in KINDS}
    found = [entries[name] for entries in every.values() if name in entries]
    if not found:
        names = sorted({n for entries in every.values() for n in entries})
        close = _did_you_mean(name, names)
        raise BadInputError(f"unknown plugin '{name}'{close}\nsee: privbench list")
    return found


def _did_you_mean(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


def _built_ins(kind: Kind) -> list[Entry]:
    entries = []
    for path in sorted((PACKAGE / f"{kind}s").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if f"@{kind}(" not in text:
            continue
        for node in ast.parse(text).body:
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


def _third_party(kind: Kind) -> list[Entry]:
    entries = []
    for point in entry_points(group=f"{PACKAGE_NAME}.{kind}s"):
        summary = point.dist.metadata["Summary"] if point.dist else ""
        origin = point.dist.name if point.dist else "unknown"
        entries.append(Entry(kind, point.name, point.module, point.attr, summary or "", origin))
    return entries
