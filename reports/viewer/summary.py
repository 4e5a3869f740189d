"""What the viewer keeps of a record: a summary for the list, and every number for the trend."""

from array import array
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from math import isnan, nan

from ...audit.errors import BadInputError
from ...audit.record import Outcome, PluginSpec
from ...audit.runs import parse_record
from .headlines import Headline, headlines_of
from .light import Light, LightEstimate, LightRecord

FORMAT = 1
"""Of what is kept; a store of another format is written anew."""

FIELDS = 5
"""Numbers kept of each estimate: value, low, high, null, detectable; NaN where there is none."""

SEPARATOR = " / "
"""Between plugin, estimate and group in a key."""

STRONGEST = "strongest"
"""Stands for the plugin where an estimate is that of the strongest attack of a family."""


class Summary(Light):
    """What the list shows of one finished run.

    Attributes:
        generator: with all its options.
        guard: what stood before the release; empty where nothing did.
        cohort: with all its options.
        seed: of the audit.
        budget: of the audit.
        started: in UTC; None where the record holds no date.
        outcome: of the verdict.
        broken: plugins that failed.
        invalid: plugins and checks whose findings mean nothing.
        headlines: by key of the column; where nothing was measured there is none.
    """

    generator: PluginSpec
    guard: str
    cohort: PluginSpec
    seed: int
    budget: str
    started: datetime | None
    outcome: Outcome
    broken: tuple[str, ...]
    invalid: tuple[str, ...]
    headlines: dict[str, Headline]


@dataclass(frozen=True, slots=True)
class Number:
    """One estimate of one run."""

    value: float
    low: float | None
    high: float | None
    null: float | None
    detectable: float | None


@dataclass(frozen=True, slots=True)
class Digest:
    """A record as the viewer keeps it.

    Attributes:
        summary: for the list.
        keys: of every estimate of a valid finding. Equal for most runs, and then one object.
        numbers: ``FIELDS`` doubles a key, in the same order: 2,000 runs of 400 estimates in 32 MB.
    """

    summary: Summary
    keys: tuple[str, ...]
    numbers: bytes

    def number(self, key: str) -> Number | None:
        """The estimate of that key; None where the run has none, or could not measure it."""
        at = _places(self.keys).get(key)
        if at is None:
            return None
        value, *others = memoryview(self.numbers).cast("d")[FIELDS * at : FIELDS * (at + 1)]
        return None if isnan(value) else Number(value, *(None if isnan(other) else other for other in others))


def digest(text: bytes, name: str) -> Digest:
    """What the viewer keeps of a record.

    Args:
        text: the record.
        name: what errors call it.

    Raises:
        BadInputError: if it is truncated, of a newer schema, or no record.
    """
    try:
        record = LightRecord.model_validate_json(text)
    except ValueError:
        parse_record(text.decode("utf-8", errors="replace"), name)
        raise BadInputError(f"'{name}' cannot be listed: it lacks what every record has") from None
    keys, numbers = _numbers(record)
    return Digest(summary=_summary(record), keys=interned(keys), numbers=numbers.tobytes())


@lru_cache(maxsize=512)
def interned(keys: tuple[str, ...]) -> tuple[str, ...]:
    """The first tuple that was equal to ``keys``."""
    return keys


@lru_cache(maxsize=512)
def _places(keys: tuple[str, ...]) -> dict[str, int]:
    return {key: at for at, key in enumerate(keys)}


def _summary(record: LightRecord) -> Summary:
    spec = record.spec
    return Summary(
        generator=spec.generator,
        guard=spec.guard.name if spec.guard else "",
        cohort=spec.cohort,
        seed=spec.seed,
        budget=spec.budget,
        started=_moment(record.provenance.started),
        outcome=record.verdict.outcome,
        broken=tuple(f.plugin for f in record.findings if f.status == "error"),
        invalid=tuple(f.plugin for f in record.findings if f.status == "invalid"),
        headlines=headlines_of(record),
    )


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _numbers(record: LightRecord) -> tuple[tuple[str, ...], "array[float]"]:
    """Every estimate of a valid finding by key; a key that comes twice counts once."""
    found: dict[str, LightEstimate] = {
        SEPARATOR.join((STRONGEST, chosen.family, chosen.auc.name)): chosen.auc for chosen in record.strongest
    }
    for finding in record.findings:
        if finding.status == "ok":
            for estimate in finding.estimates:
                parts = (finding.plugin, estimate.name, estimate.group)
                found.setdefault(SEPARATOR.join(part for part in parts if part), estimate)
    numbers = array("d")
    for e in found.values():
        numbers.extend(nan if x is None else x for x in (e.value, e.low, e.high, e.null, e.detectable))
    return tuple(found), numbers
