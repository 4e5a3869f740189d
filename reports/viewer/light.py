"""The parts of a record that the list needs; the parser skips the rest, which is most of it."""

from pydantic import BaseModel, ConfigDict, Field

from ...audit.record import SCHEMA_VERSION, Outcome, PluginSpec, Status


class Light(BaseModel):
    """A part of a record; what it does not name is skipped while parsing."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class LightEstimate(Light):
    """See ``Estimate``."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    null: float | None = None
    detectable: float | None = None
    group: str = ""


class LightFinding(Light):
    """See ``Finding``."""

    plugin: str
    family: str
    status: Status
    estimates: tuple[LightEstimate, ...] = ()


class LightStrongest(Light):
    """See ``StrongestAttack``."""

    family: str
    attack: str
    auc: LightEstimate


class LightSpec(Light):
    """See ``AuditSpec``."""

    cohort: PluginSpec
    generator: PluginSpec
    guard: PluginSpec | None = None
    budget: str
    seed: int


class LightVerdict(Light):
    """See ``Verdict``."""

    outcome: Outcome


class LightProvenance(Light):
    """See ``Provenance``."""

    started: str


class LightRecord(Light):
    """See ``AuditRecord``."""

    schema_version: int = Field(ge=1, le=SCHEMA_VERSION)
    spec: LightSpec
    findings: tuple[LightFinding, ...]
    strongest: tuple[LightStrongest, ...] = ()
    verdict: LightVerdict
    provenance: LightProvenance
