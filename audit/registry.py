"""Loading plugins by name, on use, and checking their options."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from .catalogue import Entry, Kind, did_you_mean, find
from .errors import BadInputError
from .plugin import Facts, facts_of, options_model

SINGLE = ("cohort", "generator", "guard")


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
                raise BadInputError(f"{self.label}: no option '{name}'{did_you_mean(name, valid)}\n{listed}") from None
            if first["type"] == "missing":
                flag = f"--{self.entry.kind}-opt {'' if self.entry.kind in SINGLE else self.entry.name + '.'}{name}=..."
                raise BadInputError(f"{self.label}: option '{name}' is required\ngive it with {flag}") from None
            why = first["msg"][0].lower() + first["msg"][1:]
            raise BadInputError(
                f"{self.label}: option {name}={first['input']!r}: {why}\nsee: privbench show {self.entry.name}"
            ) from None


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
