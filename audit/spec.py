"""From what the user asked for (TOML and flags, flags win) to a spec with every option resolved and checked."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import get_args

from pydantic import ValidationError

from .catalogue import Kind, available
from .errors import BadInputError
from .plugin import Family
from .power.certificate import depth_of
from .record import AuditSpec, PluginSpec
from .registry import Plugin, load

FAMILIES = get_args(Family)


def read_toml(path: Path) -> dict[str, object]:
    """The content of a spec file.

    Raises:
        BadInputError: if it cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"spec '{path}' cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(f"spec '{path}' is not valid TOML: {error}") from None


def parse_options(pairs: Iterable[str], flag: str) -> dict[str, object]:
    """``["steps=2000"]`` as ``{"steps": "2000"}``; dashes in names count as underscores.

    Raises:
        BadInputError: if a pair has no ``=``.
    """
    options: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise BadInputError(f"{flag} '{pair}' is not of the form name=value")
        options[name.strip().replace("-", "_")] = value
    return options


def parse_plugin_options(pairs: Iterable[str], flag: str) -> dict[str, dict[str, object]]:
    """``["nearest.alpha=0.01"]`` as ``{"nearest": {"alpha": "0.01"}}``.

    Raises:
        BadInputError: if a pair names no plugin.
    """
    options: dict[str, dict[str, object]] = {}
    for pair in pairs:
        name, dot, rest = pair.partition(".")
        if not dot or "=" in name:
            raise BadInputError(f"{flag} '{pair}' is not of the form plugin.name=value")
        options.setdefault(name, {}).update(parse_options([rest], flag))
    return options


def with_flags(
    content: Mapping[str, object],
    single: Mapping[str, tuple[str | None, dict[str, object]]],
    several: Mapping[str, tuple[list[str] | None, dict[str, dict[str, object]]]],
    plain: Mapping[str, object],
) -> dict[str, object]:
    """The content of a spec file with the flags laid over it.

    Args:
        content: of the spec file; may be empty.
        single: cohort, generator and guard: a name, or None, and options; the file's for another name are dropped.
        several: attacks and metrics: names, or None, and options by plugin.
        plain: other keys; None where no flag was given.

    Raises:
        BadInputError: if options are given for a generator that nobody named.
    """
    merged = dict(content) | {key: value for key, value in plain.items() if value is not None}
    for key, (name, options) in single.items():
        before = _as_plugin(content.get(key))
        if name is not None and before.name != name:
            before = PluginSpec(name=name)
        if before.name:
            merged[key] = {"name": before.name, "options": before.options | options}
        elif options:
            default = AuditSpec.model_fields[key].default
            if not isinstance(default, PluginSpec):
                raise BadInputError(f"options for a {key} are given, but no {key}\nname it with --{key} NAME")
            merged[key] = {"name": default.name, "options": options}
    for key, (names, by_plugin) in several.items():
        asked = content.get(key, ["all"]) if names is None else names
        listed = [_as_plugin(a) for a in asked] if isinstance(asked, list) else []
        listed += [PluginSpec(name=name, options=options) for name, options in by_plugin.items()]
        merged[key] = [plugin.model_dump() for plugin in listed]
    return merged


def _as_plugin(value: object) -> PluginSpec:
    if value is None:
        return PluginSpec(name="")
    try:
        return PluginSpec.model_validate(value)
    except ValidationError:
        raise BadInputError(f"spec: {value!r} is neither a plugin's name nor a table with name and options") from None


def make_spec(content: Mapping[str, object]) -> AuditSpec:
    """A spec from plain values, as a TOML file or the flags give them.

    Raises:
        BadInputError: for an unknown key or a value of the wrong type; the message names it.
    """
    try:
        return AuditSpec.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise BadInputError(f"spec: no key '{where}'; keys: {', '.join(AuditSpec.model_fields)}") from None
        if first["type"] == "missing":
            raise BadInputError(f"spec: '{where}' is missing; for a generator: --generator NAME") from None
        raise BadInputError(f"spec: {where}={first['input']!r}: {first['msg']}") from None


def resolve(spec: AuditSpec) -> tuple[AuditSpec, dict[tuple[str, str], Plugin]]:
    """Expand families, fill in every default and check every option, before anything runs.

    Returns:
        The spec with all options as they will be used, and the loaded plugins by (kind, name).

    Raises:
        BadInputError: for an unknown plugin or option.
    """
    plugins: dict[tuple[str, str], Plugin] = {}

    if spec.guard and spec.guard.name == "none" and spec.guard.options:
        name = next(iter(spec.guard.options))
        raise BadInputError(f"guard 'none' has no option '{name}'\ndrop the option, or name a guard")

    def settle(kind: Kind, asked: PluginSpec) -> PluginSpec:
        plugin = plugins[kind, asked.name] = load(kind, asked.name)
        options = plugin.options(asked.options, spec.budget)
        return PluginSpec(name=asked.name, options=options.model_dump(mode="json"))

    resolved = spec.model_copy(
        update={
            "cohort": settle("cohort", spec.cohort),
            "generator": settle("generator", spec.generator),
            "guard": settle("guard", spec.guard) if spec.guard and spec.guard.name != "none" else None,
            "attacks": tuple(settle("attack", a) for a in _expand("attack", spec.attacks)),
            "metrics": tuple(settle("metric", m) for m in _expand("metric", spec.metrics)),
            "certificate": depth_of(spec.certificate, spec.budget),
        }
    )
    return resolved, plugins


def _expand(kind: Kind, asked: tuple[PluginSpec, ...]) -> list[PluginSpec]:
    """Replace ``all`` and families by names, drop ``none``, join options given to one name."""
    entries = available(kind)
    names: dict[str, dict[str, object]] = {}
    for plugin in asked:
        if plugin.name == "none":
            continue
        if plugin.name == "all":
            meant = list(entries)
        elif kind == "attack" and plugin.name in FAMILIES:
            meant = [n for n, e in entries.items() if (e.family or load(kind, n).facts.family) == plugin.name]
        else:
            meant = [plugin.name]
        for name in meant:
            names.setdefault(name, {}).update(plugin.options if len(meant) == 1 else {})
    return [PluginSpec(name=name, options=options) for name, options in names.items()]
