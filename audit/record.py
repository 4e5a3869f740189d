"""What an audit leaves on disk: one frozen, versioned JSON document. Reports see nothing else."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION: Literal[5] = 5


class Model(BaseModel):
    """A frozen value that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PluginSpec(Model):
    """A plugin as asked for: its name and all its options, resolved."""

    name: str
    options: dict[str, object] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value


class AuditSpec(Model):
    """Everything that determines an audit's result. A plugin may be given by name alone."""

    cohort: PluginSpec = PluginSpec(name="brain-sim")
    generator: PluginSpec
    guard: PluginSpec | None = Field(default=None, description="what withholds samples too close to a member")
    attacks: tuple[PluginSpec, ...] = (PluginSpec(name="all"),)
    metrics: tuple[PluginSpec, ...] = (PluginSpec(name="all"),)
    samples: int | None = Field(
        default=None, ge=1, description="synthetic images released; None: the generator's choice"
    )
    access: Literal["samples", "denoiser", "weights"] | None = Field(
        default=None, description="what the attacker is granted; None: all that the generator can grant"
    )
    budget: Literal["quick", "standard", "full"] = "quick"
    seed: int = Field(default=0, ge=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    certificate: Literal["none", "light", "thorough"] | None = Field(
        default=None,
        description="how closely power is measured with planted leaks; None: light at quick, else thorough",
    )


class Estimate(Model):
    """A number that can be trusted: with its interval, its null and the leak it could have missed.

    ``value`` None means "could not be measured"; ``note`` says why.
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    null: float | None = Field(default=None, description="what a generator without leakage would give")
    n: int = Field(ge=0, description="how many units the value rests on")
    unit: Literal["patient", "image", "pair"]
    worse: Literal["higher", "lower", "both", "none"] = Field(
        description="which side of the null is a leak (or a loss of utility)"
    )
    detectable: float | None = Field(
        default=None, description="the smallest value found with 80% power at 5% false alarms"
    )
    p_value: float | None = Field(default=None, description="against the null")
    group: str = Field(default="", description="a space, centre or arm; empty for the overall figure")
    method: str = Field(default="", description="how interval and p-value were computed")
    note: str = ""
    blocks: tuple[float, ...] = Field(
        default=(),
        description="the value without each block of patients in turn: how far two audits of the same patients vary "
        "together; empty where it rests on other than patients, or on too few",
    )


class Series(Model):
    """One line or set of bars of a plot."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]


class Plot(Model):
    """Aggregated data for one figure; never one point a patient.

    For ``roc`` x is the false and y the true positive rate; for ``histogram`` x are bin edges (one more than y) and y
    shares of the whole; for ``power`` x is the planted share and y the share of audits that detect it; for ``curve``
    they are what the labels say.
    """

    name: str
    kind: Literal["roc", "histogram", "power", "curve"]
    x_label: str
    y_label: str
    series: tuple[Series, ...]


class Measurement(Model):
    """What a metric returns."""

    estimates: tuple[Estimate, ...]
    plots: tuple[Plot, ...] = ()
    notes: tuple[str, ...] = ()


Status = Literal["ok", "skipped", "invalid", "error"]


class Finding(Model):
    """What one plugin, or one check of the comparison's fairness, found, or why it did not.

    A check (kind ``check``, family ``validity``) that fails has status ``invalid``; so have the attacks' findings that
    depend on it.
    """

    plugin: str
    kind: Literal["check", "attack", "metric"]
    family: str = Field(description="validity, guard, utility, or an attack's family")
    summary: str = Field(description="the plugin's one-line description")
    paper: str = ""
    access: str
    status: Status
    reason: str = ""
    estimates: tuple[Estimate, ...] = ()
    plots: tuple[Plot, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = Field(default=0.0, ge=0)

    def estimate(self, name: str, group: str = "") -> Estimate | None:
        """The estimate of that name and group, if there is one."""
        return next((e for e in self.estimates if e.name == name and e.group == group), None)


class StrongestAttack(Model):
    """The strongest of a family's attacks: chosen on half of the patients, measured on the other half.

    Attributes:
        family: of the attacks.
        attack: the chosen one, with the space that it compares in where it has several: ``nearest (aligned)``.
        inverted: whether it recognises members by what speaks against membership.
        tried: what was chosen from.
        auc: on the patients that had no part in the choice.
    """

    family: str
    attack: str
    inverted: bool
    tried: tuple[str, ...]
    auc: Estimate


class Privacy(Model):
    """A claim of differential privacy: an upper bound, for its unit and nothing else.

    Attributes:
        epsilon: for one ``unit`` more or less in the training set.
        delta: for the same.
        unit: what is one record: all images of a patient, or one image.
        patient_epsilon: for one patient more or less; by group privacy where the unit is an image.
        patient_delta: for the same.
        images_per_patient: the most that any patient has.
        accountant: how epsilon was computed, e.g. ``prv``.
        noise_multiplier: standard deviation of the noise over ``max_grad_norm``.
        sample_rate: probability of a unit to be in a step.
        steps: optimiser steps on private data.
        max_grad_norm: that each unit's gradient was clipped to.
        multiplicity: draws of time and noise per image averaged before clipping.
        secure_noise: whether the noise came from a cryptographic source.
        public: what was learnt from public images only and so costs nothing.
    """

    epsilon: float = Field(ge=0)
    delta: float = Field(ge=0, le=1)
    unit: Literal["patient", "image"]
    patient_epsilon: float = Field(ge=0)
    patient_delta: float = Field(ge=0, le=1)
    images_per_patient: int = Field(ge=1)
    accountant: str
    noise_multiplier: float = Field(ge=0)
    sample_rate: float = Field(gt=0, le=1)
    steps: int = Field(ge=0)
    max_grad_norm: float = Field(gt=0)
    multiplicity: int = Field(ge=1)
    secure_noise: bool
    public: tuple[str, ...] = ()


class Crossing(Model):
    """What crossed the border of one centre of a decentralised training.

    Attributes:
        center: whose border.
        direction: seen from the centre.
        what: in words, e.g. ``synthetic images``.
        count: how many.
        size: in bytes.
        sha256: of the content.
    """

    center: str
    direction: Literal["in", "out"]
    what: str
    count: int = Field(ge=0)
    size: int = Field(ge=0)
    sha256: str


class Declaration(Model):
    """What a generator states of itself. Attacks do not rest on it; a reader may want to hold it against them.

    Attributes:
        privacy: its claim of differential privacy, if it makes one.
        crossings: what crossed the centres' borders.
        notes: what a reader must know, e.g. what could not be tested.
    """

    privacy: Privacy | None = None
    crossings: tuple[Crossing, ...] = ()
    notes: tuple[str, ...] = ()


class GuardCertificate(Model):
    """What a guard states of the released images; ``privbench verify-guard`` proves it again.

    Attributes:
        guard: the plugin.
        metric: the distance, in words.
        tau: no released image is closer to a member's than this.
        tau_from: where tau comes from.
        closest: the smallest distance of a released to a member image, in float64.
        members: member images compared with.
        members_sha256: their fingerprint.
        decoys: images of others that it keeps as clear of.
        released: images released.
        drawn: images drawn from the generator in all.
        rejected: of these, how many were too close.
        rounds: how often was drawn.
    """

    guard: str
    metric: str
    tau: float = Field(ge=0)
    tau_from: str
    closest: float = Field(ge=0)
    members: int = Field(ge=1)
    members_sha256: str
    decoys: int = Field(default=0, ge=0)
    released: int = Field(ge=1)
    drawn: int = Field(ge=1)
    rejected: int = Field(ge=0)
    rounds: int = Field(ge=1)


Outcome = Literal["pass", "fail", "inconclusive"]


class Rule(Model):
    """One line of the verdict.

    Attributes:
        name: what was judged: ``membership.loss.auc``.
        outcome: what came of it.
        reason: why, in words.
        value: what was measured, where the rule is about a number.
        low: end of its interval.
        high: end of its interval.
        threshold: what it was held against, on the side that decided or would have.
        detectable: the smallest value that would have been found.
        baseline: the value that a regression is measured from.
    """

    name: str
    outcome: Outcome
    reason: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    threshold: float | None = None
    detectable: float | None = None
    baseline: float | None = None


class Verdict(Model):
    """What the rules say together: fail if one fails, pass only if all pass."""

    outcome: Outcome
    rules: tuple[Rule, ...]


class Fingerprint(Model):
    """Which data an audit rested on, without showing any.

    ``part`` is one of the split's; ``members`` are those trained on, ``all members`` the whole part where a generator
    trains on some of them only.
    """

    part: str
    images: int
    patients: int
    shape: tuple[int, ...]
    centers: int
    sha256: str


class Provenance(Model):
    """What would be needed to run the same audit again."""

    privbench: str
    python: str
    platform: str
    device: str
    libraries: dict[str, str]
    git_commit: str | None = None
    git_dirty: bool | None = None
    command: str
    started: str = Field(description="ISO 8601, UTC")
    seconds: float


class AuditRecord(Model):
    """One audit: what was asked, what it rested on, what came out, what it means."""

    schema_version: Literal[1, 2, 3, 4, 5] = SCHEMA_VERSION
    spec: AuditSpec
    simulated: bool = Field(description="the cohort shows no real person")
    releases_real: bool = Field(description="the samples are real images: a known-answer generator")
    access: str = Field(description="what the attacker was granted")
    data: tuple[Fingerprint, ...]
    declaration: Declaration = Declaration()
    guard: GuardCertificate | None = None
    findings: tuple[Finding, ...]
    strongest: tuple[StrongestAttack, ...] = Field(default=(), description="one a family of attacks on patients")
    verdict: Verdict
    provenance: Provenance

    def finding(self, plugin: str) -> Finding | None:
        """What that attack, metric or check found, if it was asked."""
        return next((f for f in self.findings if f.plugin == plugin), None)
