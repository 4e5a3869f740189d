"""How a function or class becomes a plugin: one decorator a kind.

A decorated object stays what it was: call it directly in a test. The decorator only attaches its facts. Its
keyword-only parameters are its options: annotate each with ``Annotated[type, Field(description=..., ge=...)]``.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, create_model

from .catalogue import Kind
from .context import Context
from .record import Declaration, GuardCertificate
from .target import Access, Denoiser
from .types import FloatArray, ImageSet, Names, TrainingData

Family = Literal["memorization", "membership", "reidentification", "attribute", "canary"]
Need = Literal["public", "reserve", "mask", "label", "center", "visit"]

T = TypeVar("T", bound=Callable[..., object])
FACTS = "__privbench__"


@dataclass(frozen=True)
class Facts:
    """What a plugin says of itself.

    Attributes:
        kind: which of the six kinds it is.
        family: attacks only: the criterion it tests.
        access: attacks: what it needs; generators: the most it grants.
        paper: where it is defined.
        needs: what the cohort must have for it to run.
        patients: the fewest patients it can work with, by part of the split, e.g. ``{"reference": 8}``.
        simulated: cohorts only: its images show no real person.
        releases_real: generators only: its samples are real images (known answers), so no report shows them.
        suffix: reports only: file name ending.
        of: reports only: whether one audit is reported or a comparison of several.
        budgets: defaults that replace the signature's at a larger budget.
    """

    kind: Kind
    family: Family | None = None
    access: Access = Access.SAMPLES
    paper: str = ""
    needs: tuple[Need, ...] = ()
    patients: Mapping[str, int] = field(default_factory=dict)
    simulated: bool = False
    releases_real: bool = False
    suffix: str = ""
    of: Literal["audit", "comparison"] = "audit"
    budgets: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


class Generator(Protocol):
    """What a generator class offers. Its state is on disk, so that a killed run continues.

    ``__init__`` takes the options (keyword-only) and does no work. A class may also have
    ``overfit(data, model, context)``: train the fitted ``model`` on, for a short while and on ``data.members`` alone,
    until it knows them by heart, and leave it under ``context.folder``. Without it, how small a leak an attack on the
    denoiser would find is measured only where there is time to train a model anew (see ``Overfits``). And it may have
    ``declare`` (see ``Declares``), ``trains_on`` (see ``Chooses``) and ``refit`` (see ``Refits``).
    """

    def fit(self, data: TrainingData, context: Context) -> None:
        """Learn from ``data.members`` and leave the model under ``context.folder`` (no pickles)."""
        ...

    def sample(self, n: int | None, data: TrainingData, model: Path, context: Context) -> ImageSet:
        """Draw ``n`` images (None: the generator's own choice, usually one per member image) from ``model``."""
        ...

    def denoiser(self, data: TrainingData, model: Path, context: Context) -> Denoiser:
        """The noise predictor; only called where ``access`` is at least ``DENOISER``."""
        ...


class Overfits(Protocol):
    """A generator that a known leak can be put into cheaply.

    One that was trained elsewhere, whose ``fit`` therefore learns nothing, has an attribute ``pretrained = True``:
    fitting it anew on a few patients would plant no leak, so it is trained on in the deepest certificates too.
    """

    def overfit(self, data: TrainingData, model: Path, context: Context) -> None:
        """Train ``model`` on, on ``data.members`` alone, until it knows them by heart; leave it in the folder."""
        ...


class Refits(Protocol):
    """A generator that learns from public images first, and need not learn that again for other members."""

    def refit(self, data: TrainingData, model: Path, context: Context) -> None:
        """As ``fit``, from what ``model``, fitted with the same options and public images, learnt of these alone."""
        ...


class Declares(Protocol):
    """A generator that states something of itself: a claim of differential privacy, what crossed a centre's border."""

    def declare(self, samples: ImageSet, data: TrainingData, model: Path, context: Context) -> Declaration:
        """What a reader must know of ``samples``, the release, and of ``model``."""
        ...


class Chooses(Protocol):
    """A generator that trains on some of the members only.

    The others leave the audit: a member is who was trained on.
    """

    def trains_on(self, members: ImageSet, context: Context) -> Names:
        """The patients among ``members`` that ``fit`` will be given.

        Raises:
            BadInputError: if it cannot train on these members.
        """
        ...


Draw = Callable[[int | None], ImageSet]
"""Draws images from a generator as they would be released, other ones at each call; None: its own choice of number."""


class Guard(Protocol):
    """What a guard class offers: it stands between a generator and its release. ``__init__`` takes the options."""

    def check(self, data: TrainingData) -> None:
        """Refuse what it cannot guard, before anything is trained.

        Raises:
            BadInputError: naming what is missing.
        """
        ...

    def release(
        self, draw: Draw, n: int | None, data: TrainingData, context: Context
    ) -> tuple[ImageSet, GuardCertificate]:
        """Draw until there are ``n`` images that may be released (None: as many as a first draw gives); certify them.

        Raises:
            BadInputError: if there are too few in the tries allowed.
        """
        ...

    def prove(self, images: ImageSet, members: ImageSet, context: Context) -> FloatArray:
        """The distance ``(n,)`` of each released image to the closest member image, by brute force in float64."""
        ...


def _attach(facts: Facts) -> Callable[[T], T]:
    def decorate(target: T) -> T:
        setattr(target, FACTS, facts)
        return target

    return decorate


def _budgets(standard: Mapping[str, object] | None, full: Mapping[str, object] | None) -> dict[str, Any]:
    standard = standard or {}
    return {"standard": dict(standard), "full": {**standard, **(full or {})}}


def cohort(
    *,
    simulated: bool = False,
    standard: Mapping[str, object] | None = None,
    full: Mapping[str, object] | None = None,
) -> Callable[[T], T]:
    """A cohort: ``fn(context, *, options) -> Split``. Large pixel arrays go into memory maps in ``context.folder``."""
    return _attach(Facts("cohort", simulated=simulated, budgets=_budgets(standard, full)))


def generator(
    *,
    access: Access = Access.SAMPLES,
    paper: str = "",
    needs: tuple[Need, ...] = (),
    releases_real: bool = False,
    standard: Mapping[str, object] | None = None,
    full: Mapping[str, object] | None = None,
) -> Callable[[T], T]:
    """A generator: a class with ``fit``, ``sample`` and perhaps ``denoiser``; see ``Generator``."""
    return _attach(
        Facts(
            "generator",
            access=access,
            paper=paper,
            needs=needs,
            releases_real=releases_real,
            budgets=_budgets(standard, full),
        )
    )


def guard(*, paper: str = "", needs: tuple[Need, ...] = ()) -> Callable[[T], T]:
    """A guard: a class with ``release`` and ``prove``; see ``Guard``."""
    return _attach(Facts("guard", paper=paper, needs=needs))


def attack(
    *,
    family: Family,
    access: Access = Access.SAMPLES,
    paper: str = "",
    needs: tuple[Need, ...] = (),
    patients: Mapping[str, int] | None = None,
    standard: Mapping[str, object] | None = None,
    full: Mapping[str, object] | None = None,
) -> Callable[[T], T]:
    """An attack: ``fn(target, candidates, aux, *, options) -> MembershipScores | MemorizationScores | LinkageScores``.

    Candidates are members and holdout, shuffled, without labels of membership.
    """
    return _attach(
        Facts(
            "attack",
            family=family,
            access=access,
            paper=paper,
            needs=needs,
            patients=patients or {},
            budgets=_budgets(standard, full),
        )
    )


def metric(
    *,
    paper: str = "",
    needs: tuple[Need, ...] = (),
    patients: Mapping[str, int] | None = None,
    standard: Mapping[str, object] | None = None,
    full: Mapping[str, object] | None = None,
) -> Callable[[T], T]:
    """A utility metric: ``fn(samples: ImageSet, split: Split, context, *, options) -> Measurement``."""
    return _attach(Facts("metric", paper=paper, needs=needs, patients=patients or {}, budgets=_budgets(standard, full)))


def report(*, suffix: str, of: Literal["audit", "comparison"] = "audit") -> Callable[[T], T]:
    """A report: ``fn(record: AuditRecord, gallery: ImageSet | None) -> str``; see ``Facts.of``."""
    return _attach(Facts("report", suffix=suffix, of=of))


def facts_of(target: object) -> Facts | None:
    """The facts a decorator attached, or None for an ordinary object."""
    found = getattr(target, FACTS, None)
    return found if isinstance(found, Facts) else None


def options_model(target: Callable[..., object], budget: str = "quick") -> type[BaseModel]:
    """The pydantic model of a plugin's options: its keyword-only parameters, with the defaults of ``budget``."""
    facts = facts_of(target)
    better = facts.budgets.get(budget, {}) if facts else {}
    parameters = {
        p.name: (
            p.annotation,
            better.get(p.name, ... if p.default is inspect.Parameter.empty else p.default),
        )
        for p in inspect.signature(target).parameters.values()
        if p.kind is inspect.Parameter.KEYWORD_ONLY
    }
    model: type[BaseModel] = create_model(  # type: ignore[call-overload]
        f"{getattr(target, '__name__', 'plugin')}_options",
        __config__=ConfigDict(
            extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False, protected_namespaces=()
        ),
        **parameters,
    )
    return model
