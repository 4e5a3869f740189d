"""What the entrants of a comparison are called: their generator, and no more than tells them apart."""

from collections.abc import Sequence
from itertools import combinations

from ..printable import printable
from ..record import AuditRecord, PluginSpec

LONGEST = 48
"""Characters of a name or a value that a label shows."""
AT_ONCE = 3
"""Facts that are tried together before all that differ are named."""


def labels_of(records: Sequence[AuditRecord]) -> list[str]:
    """A label for each of several audits of different generators, or of one generator in different ways.

    ``dp-ldm`` alone where no other is called so, else ``dp-ldm (epsilon=3)``: as few facts as tell apart those of one
    name, the generator's options before others.
    """
    names = [_short(record.spec.generator.name) for record in records]
    labels = list(names)
    for name in dict.fromkeys(names):
        same = [i for i, other in enumerate(names) if other == name]
        if len(same) > 1:
            for i, words in zip(same, _told_apart([_facts(records[i]) for i in same]), strict=True):
                labels[i] = f"{name} ({words})"
    return labels


def _facts(record: AuditRecord) -> dict[str, str]:
    """What may tell an audit from another of the same generator, in words."""
    spec = record.spec
    facts = {name: f"{name}={_said(value)}" for name, value in _shown(spec.generator)}
    facts["guard"] = "no guard" if spec.guard is None else f"guard={_short(spec.guard.name)}"
    if spec.guard is not None:
        facts |= {f"guard.{name}": f"guard.{name}={_said(value)}" for name, value in _shown(spec.guard)}
    facts["access"] = f"access={_short(record.access.lower())}"
    facts["budget"] = f"budget={spec.budget}"
    facts["samples"] = "samples by default" if spec.samples is None else f"samples={spec.samples}"
    return facts


def _shown(plugin: PluginSpec) -> list[tuple[str, object]]:
    return [(_short(name), value) for name, value in plugin.options.items()]


def _told_apart(facts: list[dict[str, str]]) -> list[str]:
    """The words of the fewest facts that differ between all; numbered where no fact does."""
    names = list(dict.fromkeys(name for own in facts for name in own))
    differing = [name for name in names if len({own.get(name) for own in facts}) > 1]

    def words(some: Sequence[str]) -> list[str]:
        return [", ".join(own[name] for name in some if name in own) for own in facts]

    for count in range(1, min(AT_ONCE, len(differing)) + 1):
        for some in combinations(differing, count):
            said = words(some)
            if len(set(said)) == len(said) and all(said):
                return said
    said = words(differing)
    return said if len(set(said)) == len(said) else [f"{i}: {text}".rstrip(": ") for i, text in enumerate(said, 1)]


def _said(value: object) -> str:
    """A value as a label shows it; of a long one, a path say, the end tells most."""
    text = printable("none" if value is None else str(value))
    return text if len(text) <= LONGEST else f"…{text[1 - LONGEST :]}"


def _short(text: str) -> str:
    plain = printable(text)
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1]}…"
