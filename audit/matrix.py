"""Several audits from one request: generators by guards by seeds."""

import re
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Literal, TypeGuard

from pydantic import ValidationError

from .catalogue import did_you_mean
from .errors import BadInputError
from .record import AuditSpec, PluginSpec
from .spec import make_spec, parse_options

Axis = Literal["generator", "guard"]
AXES: tuple[Axis, ...] = ("generator", "guard")
KEYS = (*AuditSpec.model_fields, "generators", "guards", "seeds", "repeat")
MOST = 1000
_BEFORE_OPTION = re.compile(r",(?=\s*[A-Za-z_][\w-]*=)")


def parse_plugin(text: str, kind: Axis) -> PluginSpec:
    """``"dp-ldm:epsilon=3,steps=10"`` as a name with options; a comma that no ``NAME=`` follows is part of a value.

    Raises:
        BadInputError: if there is no name, or an option without a value.
    """
    name, colon, rest = text.partition(":")
    if not name:
        raise BadInputError(f"--{kind} '{text}' names no {kind}\ngive it as NAME or NAME:option=value,option=value")
    options: dict[str, object] = {}
    for pair in _BEFORE_OPTION.split(rest) if colon else ():
        option, equals, _ = pair.partition("=")
        if not equals or not option.strip():
            raise BadInputError(
                f"--{kind} '{text}': '{pair}' has no value\ngive it as {name}:option=value,option=value"
            )
        (key, value), *_ = parse_options([pair], f"--{kind}").items()
        if key in options:
            raise BadInputError(f"--{kind} '{text}': option '{key}' is given twice\nkeep one of them")
        options[key] = value
    return PluginSpec(name=name, options=options)


def with_axis(
    content: Mapping[str, object], kind: Axis, named: list[str] | None, options: list[str]
) -> dict[str, object]:
    """``content`` with the flags for generators, or for guards, laid over it.

    Args:
        content: of the spec file; may be empty.
        kind: which.
        named: as ``parse_plugin`` reads them; they replace the file's. One that the file names exactly once, too, keeps
            the file's options beneath its own.
        options: ``name=value``, where all entries are of one plugin, or ``PLUGIN.name=value`` for all entries of it.

    Raises:
        BadInputError: if it is unclear, or clear twice, whom an option is meant for.
    """
    before = _listed(content, kind)
    flagged = [PluginSpec(name=entry.name) for entry in before]
    if named is not None:
        flagged = [parse_plugin(text, kind) for text in named]
        before = [_only(before, entry.name) for entry in flagged]
    if not flagged and not options:
        return dict(content)
    flag = f"--{kind}-opt"
    laid: list[dict[str, object]] = [{} for _ in flagged]
    for pair in options:
        owner, _, _ = pair.partition("=")[0].rpartition(".")
        given = parse_options([pair.removeprefix(f"{owner}.") if owner else pair], flag)
        for i in _meant(pair, owner, flagged, kind):
            if twice := given.keys() & flagged[i].options:
                raise BadInputError(
                    f"{flag} '{pair}': --{kind} {flagged[i].name} gives '{min(twice)}' as well\nkeep one of them"
                )
            laid[i] |= given
    entries = [
        {"name": e.name, "options": b.options | e.options | o} for b, e, o in zip(before, flagged, laid, strict=True)
    ]
    rest = {key: value for key, value in content.items() if key not in {kind, f"{kind}s"}}
    return rest | ({kind: entries[0]} if len(entries) == 1 else {f"{kind}s": entries})


def with_seeds(content: Mapping[str, object], seed: int | None, repeat: int | None) -> dict[str, object]:
    """``content`` with the flags for seeds laid over it: either replaces a list of seeds."""
    given = {key: value for key, value in (("seed", seed), ("repeat", repeat)) if value is not None}
    return {key: value for key, value in content.items() if not (given and key == "seeds")} | given


def expand(content: Mapping[str, object]) -> tuple[AuditSpec, ...]:
    """One spec an audit: seed by seed every generator, and of every generator all guards.

    A run that is interrupted so leaves whole comparisons behind.

    Raises:
        BadInputError: for an unknown key, a value of the wrong type, a list that is empty or names a seed twice.
    """
    for key in content:
        if key not in KEYS:
            raise BadInputError(f"spec: no key '{key}'{did_you_mean(key, list(KEYS))}\nkeys: {', '.join(KEYS)}")
    common = {key: value for key, value in content.items() if key in AuditSpec.model_fields and key not in AXES}
    lists = {axis: _listed(content, axis) for axis in AXES}
    listed = {axis: [{axis: entry.model_dump()} for entry in entries] or [{}] for axis, entries in lists.items()}
    seeds = [{"seed": seed} for seed in _seeds(content)]
    if (count := len(seeds) * len(listed["generator"]) * len(listed["guard"])) > MOST:
        raise BadInputError(f"spec: {count} audits are asked for\nask for at most {MOST} at a time")
    return tuple(
        make_spec(common | seed | generator | guard)
        for seed, generator, guard in product(seeds, listed["generator"], listed["guard"])
    )


def refuse_repeats(specs: Sequence[AuditSpec]) -> None:
    """Refuse two audits that are the same once their defaults are filled in.

    Args:
        specs: resolved.

    Raises:
        BadInputError: naming the one that is asked for twice.
    """
    for i, spec in enumerate(specs):
        if spec in specs[:i]:
            raise BadInputError(
                f"generator '{spec.generator.name}' with seed {spec.seed} is asked for twice with the same options\n"
                "drop one of the two, or give it other options"
            )


def labels_of(specs: Sequence[AuditSpec]) -> tuple[str, ...]:
    """What tells each audit from the others: ``dp-ldm (epsilon=3) behind min-distance, seed 1``.

    Args:
        specs: resolved; options are named only where they differ between audits of one plugin.
    """
    generators, guards = [spec.generator for spec in specs], [spec.guard or PluginSpec(name="none") for spec in specs]
    guarded = len({guard.model_dump_json() for guard in guards}) > 1
    return tuple(
        _told(spec.generator, generators)
        + (f" behind {_told(spec.guard, guards)}" if spec.guard and guarded else "")
        + f", seed {spec.seed}"
        for spec in specs
    )


def _listed(content: Mapping[str, object], kind: Axis) -> list[PluginSpec]:
    """The file's entries of one axis; none where it names none."""
    plural = f"{kind}s"
    if plural not in content:
        return [_entry(content[kind], kind)] if content.get(kind) is not None else []
    if content.get(kind) is not None:
        raise BadInputError(f"spec: both '{kind}' and '{plural}' are given\nkeep one of them")
    entries = content[plural]
    if not isinstance(entries, list) or not entries:
        raise BadInputError(f'spec: {plural}={entries!r} is not a list with an entry or more\nwrite {plural} = ["..."]')
    return [_entry(entry, kind) for entry in entries]


def _entry(value: object, kind: Axis) -> PluginSpec:
    if isinstance(value, str):
        return parse_plugin(value, kind)
    known = list(PluginSpec.model_fields)
    if isinstance(value, Mapping):
        for key in value:
            if key not in known:
                raise BadInputError(
                    f"spec: a {kind} has no key '{key}'{did_you_mean(str(key), known)}; keys: {', '.join(known)}\n"
                    f"what the {kind} itself is told goes under options = {{...}}"
                )
    try:
        return PluginSpec.model_validate(value)
    except ValidationError:
        raise BadInputError(f"spec: {value!r} is neither a {kind}'s name nor a table with name and options") from None


def _only(entries: list[PluginSpec], name: str) -> PluginSpec:
    """The one entry of that name, or the name without options where there are none or several."""
    own = [entry for entry in entries if entry.name == name]
    return own[0] if len(own) == 1 else PluginSpec(name=name)


def _meant(pair: str, owner: str, entries: list[PluginSpec], kind: Axis) -> list[int]:
    """Which entries an option is meant for."""
    names = list(dict.fromkeys(entry.name for entry in entries))
    if not names:
        raise BadInputError(f"options for a {kind} are given, but no {kind}\nname it with --{kind} NAME")
    if owner and owner not in names:
        raise BadInputError(
            f"--{kind}-opt '{pair}': {kind} '{owner}' is not asked for{did_you_mean(owner, names)}\n"
            f"asked for: {', '.join(names)}"
        )
    if not owner and len(names) > 1:
        raise BadInputError(
            f"--{kind}-opt '{pair}' could be meant for {' or '.join(names)}\n"
            f"say for which: --{kind}-opt {names[0]}.{pair}"
        )
    return [i for i, entry in enumerate(entries) if entry.name == (owner or names[0])]


def _seeds(content: Mapping[str, object]) -> list[object]:
    """The seeds asked for, in order; what is no seed is left for the spec to refuse."""
    if "seeds" in content:
        if also := [key for key in ("seed", "repeat") if key in content]:
            raise BadInputError(f"spec: both 'seeds' and '{also[0]}' are given\nkeep one of them")
        seeds = content["seeds"]
        if not isinstance(seeds, list) or not seeds:
            raise BadInputError(f"spec: seeds={seeds!r} is not a list with a seed or more\nwrite seeds = [0, 1, 2]")
        for i, seed in enumerate(seeds):
            if seed in seeds[:i]:
                raise BadInputError(f"spec: seeds={seeds!r} has {seed!r} twice\nlist each seed once")
        return seeds
    first, repeat = content.get("seed", AuditSpec.model_fields["seed"].default), content.get("repeat", 1)
    if not _whole(repeat) or repeat < 1:
        raise BadInputError(f"repeat={repeat!r} is not a number of seeds\ngive 1 or more")
    if repeat > MOST:
        raise BadInputError(f"repeat={repeat!r} is too often\nask for at most {MOST} audits at a time")
    return [first + i if i else first for i in range(repeat)] if _whole(first) else [first]


def _whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _told(plugin: PluginSpec, others: Sequence[PluginSpec]) -> str:
    """The name, with the options in which others of that name differ."""
    alike = [other.options for other in others if other.name == plugin.name]
    told = [f"{k}={v}" for k, v in plugin.options.items() if any(other.get(k) != v for other in alike)]
    return f"{plugin.name} ({', '.join(told)})" if told else plugin.name
