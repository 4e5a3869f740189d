"""What whoever answers for a release tolerates: rules on estimates, in TOML."""

import re
import tomllib
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple, Self

from pydantic import Field, ValidationError, model_validator

from .catalogue import did_you_mean
from .errors import BadInputError
from .record import Estimate, Finding, Model

DEFAULT = Path(__file__).with_name("policy.toml")
LIMITS = ("max", "min", "max_regression")
SHAPE = r"^[^.\[\]\s]+\.[^\[\]\s]+(\[[^\[\]]+\])?$"

Deciding = Literal["required", "reported"]


class Pattern(NamedTuple):
    """What a rule is about; each part may hold ``*``.

    Attributes:
        family: validity, guard, utility, or an attack's.
        plugin: of the family; "" for whichever reports the estimate.
        name: of the estimate.
        group: a space, centre or arm; "" for the overall figure.
    """

    family: str
    plugin: str
    name: str
    group: str

    @classmethod
    def of(cls, path: str) -> Self:
        """From ``family.plugin.estimate`` or ``family.estimate``, with ``[group]`` or without."""
        stem, _, group = path.partition("[")
        family, _, rest = stem.partition(".")
        plugin, dot, name = rest.partition(".")
        if not dot or not re.fullmatch(r"[\w*-]+", plugin):
            plugin, name = "", rest  # the dot of tpr@fpr=0.1 is one within a name
        return cls(family, plugin, name, group.rstrip("]"))

    def asks(self, finding: Finding) -> bool:
        """Whether it is about what this plugin finds."""
        return fnmatchcase(finding.family, self.family) and fnmatchcase(finding.plugin, self.plugin or "*")

    def demands(self, finding: Finding) -> bool:
        """Whether the plugin must report the estimate: it is named, or the rule says that all attacks must."""
        return self.asks(finding) and ("*" not in self.plugin or finding.kind == "attack") and bool(self.plugin)

    def fits(self, estimate: Estimate) -> bool:
        """Whether it means this estimate of a plugin that it asks."""
        return fnmatchcase(estimate.name, self.name) and fnmatchcase(estimate.group, self.group)


def path_of(finding: Finding, estimate: Estimate) -> str:
    """What names one estimate of a record in full: ``utility.dice.dice[synthetic]``."""
    group = f"[{estimate.group}]" if estimate.group else ""
    return f"{finding.family}.{finding.plugin}.{estimate.name}{group}"


class PolicyRule(Model):
    """How much of one estimate is tolerated.

    Attributes:
        estimate: what is meant, see ``Pattern``.
        max: the largest value tolerated; of one that leaks on both sides of its null, also as far below it.
        min: the smallest value tolerated.
        max_regression: how much worse than the baseline's it may be.
        by: what decides: the whole interval, its end that is nearest to the limit or beyond, or the value alone.
        power: whether what an attack measured passes only if a leak at the limit would have been seen.
        missing: what it comes to if there is nothing to judge.
        why: the rationale.
    """

    estimate: str = Field(pattern=SHAPE)
    max: float | None = Field(default=None, strict=True)
    min: float | None = Field(default=None, strict=True)
    max_regression: float | None = Field(default=None, ge=0, strict=True)
    by: Literal["interval", "upper", "lower", "value"] = "interval"
    power: bool = Field(default=True, strict=True)
    missing: Literal["inconclusive", "ignore"] = "inconclusive"
    why: str = ""

    @model_validator(mode="after")
    def _has_one_limit(self) -> Self:
        given = [name for name in LIMITS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a rule has one of {', '.join(LIMITS)}; this one has {' and '.join(given) or 'none'}")
        if (self.by, given[0]) in {("upper", "min"), ("lower", "max"), ("lower", "max_regression")}:
            raise ValueError(f'by = "{self.by}" says nothing about a {given[0]}; its other end decides')
        return self

    def means(self, line: str) -> bool:
        """Whether a verdict's line, ``membership.loss.auc[images]``, may have come from it."""
        stem, _, group = line.partition("[")
        family, plugin, name = (*stem.split(".", 2), "", "")[:3]
        found = (family, plugin, name, group.partition("]")[0])
        asked = (*self.pattern[:1], self.pattern.plugin or "*", *self.pattern[2:])
        return all(fnmatchcase(part, pattern) for part, pattern in zip(found, asked, strict=True))

    @property
    def pattern(self) -> Pattern:
        """What it is about, in parts."""
        return Pattern.of(self.estimate)


class Policy(Model):
    """All rules together: fail if one fails, pass only if all pass.

    Attributes:
        version: of this format.
        comparison: the checks that members and holdout can fairly be compared.
        guard: the certificate of a guard.
        claim: a claim of differential privacy.
        exact_copies: that no member's image is released.
        tested: families of which at least one attack must have run.
        rule: limits on estimates.
    """

    version: Literal[1]
    comparison: Deciding = "required"
    guard: Deciding = "required"
    claim: Deciding = "required"
    exact_copies: Deciding = "required"
    tested: tuple[Literal["memorization", "membership", "reidentification", "attribute"], ...] = (
        "memorization",
        "membership",
        "reidentification",
    )
    rule: tuple[PolicyRule, ...] = Field(min_length=1)


@lru_cache(maxsize=1)
def default_policy() -> Policy:
    """The one that ships, by which every run is judged at its end."""
    return parse_policy(DEFAULT.read_text(encoding="utf-8"), DEFAULT.name)


def load_policy(path: Path | None) -> Policy:
    """The policy of a file, or the default.

    Raises:
        BadInputError: if it cannot be read, or is no policy.
    """
    if path is None:
        return default_policy()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadInputError(f"policy '{path}' cannot be read: {why}\nwrite one with: privbench policy init") from None
    return parse_policy(text, str(path))


def parse_policy(text: str, file: str) -> Policy:
    """The policy that ``text`` holds; ``file`` is what errors call it.

    Raises:
        BadInputError: naming the rule, the key and the fix.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(f"policy '{file}' is not valid TOML: {error}") from None
    if not content:
        raise BadInputError(f"policy '{file}' is empty\nwrite one with: privbench policy init")
    version = content.get("version")
    if version != 1 or isinstance(version, bool):
        said = "states no version" if version is None else f"has version {version!r}"
        raise BadInputError(f"policy '{file}' {said}; this privbench reads version 1\nput at its top: version = 1")
    try:
        return Policy.model_validate(content)
    except ValidationError as error:
        raise BadInputError(f"policy '{file}': {_said(error, content)}") from None


def _said(error: ValidationError, content: dict[str, object]) -> str:
    """The first thing that is wrong, where it stands, and what would be right."""
    first = error.errors()[0]
    where = [str(part) for part in first["loc"]]
    model: type[Model] = Policy
    place = ""
    rules = content.get("rule")
    if len(first["loc"]) > 1 and where[0] == "rule" and isinstance(rules, list):
        number = int(where[1])
        named = rules[number].get("estimate", "") if isinstance(rules[number], dict) else ""
        model, place, where = PolicyRule, f"rule {number + 1}" + (f" ({named})" if named else ""), where[2:]
    key = ".".join(where)
    if first["type"] == "model_type":
        return f"{place} is {first['input']!r}, not a table"
    start = f"{place}: " if place else ""
    if first["type"] == "extra_forbidden":
        if model is PolicyRule and key in {"upper", "lower"}:
            return f"{start}no key '{key}'\nwrite: by = \"{key}\""
        keys = list(model.model_fields)
        return f"{start}no key '{key}'{did_you_mean(key, keys)}\nkeys: {', '.join(keys)}"
    if first["type"] == "missing":
        return f"{start}'{key}' is missing"
    if first["type"] == "value_error":
        return f"{start}{first['ctx']['error']}"
    return start + _wrong(key, first["input"], first["msg"])


def _wrong(key: str, given: object, message: str) -> str:
    """What is wrong with a value."""
    if key == "rule":
        return "it has no [[rule]]\nwrite one with: privbench policy init"
    if key == "estimate":
        return (
            f"estimate={given!r} is not of the form FAMILY.PLUGIN.ESTIMATE or FAMILY.ESTIMATE, "
            'with [GROUP] or without\nfor example: estimate = "membership.*.auc", and below it: max = 0.60'
        )
    return f"{key}={given!r}: {message[0].lower()}{message[1:]}"
