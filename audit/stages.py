"""The stages of an audit that look at the release: candidates, checks, findings, power; each keyed by all it needs."""

import json
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from .candidates import load_candidates, without_attributes, write_candidates, write_truth
from .catalogue import PACKAGE
from .checks.guard import FAMILY, NAME, check_guard
from .checks.validity import Checked, check_comparison
from .context import Auxiliary, Context
from .contract import check_scores
from .errors import AccessError, BadInputError, InvalidError, SkippedError
from .keeping import StoreKeeper
from .making import Making, Opened
from .measures.attribute import measure_attribute
from .measures.canaries import measure_canaries
from .measures.confidential import confidential_csv
from .measures.exposure import save_exposures
from .measures.linkage import measure_linkage
from .measures.measured import Measured, Truth
from .measures.membership import measure_membership
from .measures.memorization import measure_memorization
from .persist import fingerprint
from .power.certificate import DEPTHS, depth_of
from .power.certify import certify_on_denoiser, certify_on_samples
from .power.simulated_guards import Guarded
from .provenance import code_hash, libraries
from .record import Finding, Measurement, PluginSpec, Status
from .registry import Plugin
from .retraining import Retraining, coins
from .target import Access, Target
from .types import (
    AttackScores,
    AttributeScores,
    CanaryScores,
    FloatArray,
    ImageSet,
    LinkageScores,
    MembershipScores,
    MemorizationScores,
    Split,
)
from .whole import write_text_whole

FINDING, SCORES, FLAGGED = "finding.json", "confidential.csv", "flagged.npy"


class Stages(Making):
    """An audit's stages after the cohort, computed on first use and taken from the store after that."""

    def candidates(self, split: Split, cohort_key: str) -> tuple[Path, Path]:
        """The folder of the candidates, and, apart from it, that of the truth about them."""
        code = code_hash(PACKAGE / "audit")
        inputs: dict[str, object] = {"cohort": cohort_key, "seed": self.spec.seed, "code": code}

        def written(kind: str, write: Callable[[Split, Context], None]) -> Path:
            return self.store.stage(kind, inputs, lambda folder: write(split, self.context("candidates", "", folder)))

        return written("candidates", write_candidates), written("truth", write_truth)

    def checks(self, split: Split, truth: Truth, cohort_key: str) -> tuple[tuple[Finding, ...], str, str]:
        """The findings on the comparison's fairness, what only the owner of the data may see, and tracebacks."""
        code = code_hash(PACKAGE / "audit")
        inputs: dict[str, object] = {"cohort": cohort_key, "seed": self.spec.seed, "code": code}
        inputs |= {"libraries": libraries(), "confidence": self.spec.confidence}
        crashed: list[Checked] = []

        def compute(folder: Path) -> None:
            checked = check_comparison(split, truth, self.context("check", "", folder))
            if checked.tracebacks:
                crashed.append(checked)
                raise _CrashedError
            write_text_whole(folder / SCORES, checked.confidential)
            content = [finding.model_dump(mode="json") for finding in checked.findings]
            write_text_whole(folder / FINDING, json.dumps(content, indent=1))

        try:
            folder = self.store.stage("checks", inputs, compute)
        except _CrashedError:
            details = "\n".join(f"{name}\n{text}" for name, text in crashed[0].tracebacks)
            return crashed[0].findings, crashed[0].confidential, details
        found = json.loads((folder / FINDING).read_text(encoding="utf-8"))
        return (
            tuple(Finding.model_validate(content) for content in found),
            (folder / SCORES).read_text(encoding="utf-8"),
            "",
        )

    def proof(self, target: Target, split: Split, keys: dict[str, object]) -> Path:
        """The folder of the finding on a guard's certificate, every distance computed anew.

        Raises:
            NotMeasuredError: where there is nothing to store; it carries the finding.
        """
        asked, certificate = self.spec.guard, target.guarded
        assert asked is not None
        assert certificate is not None
        plugin, inputs = self.plugin("guard", asked)

        def compute(folder: Path) -> None:
            started = time.perf_counter()
            distances = self.proved(target.samples, split.members)
            members = fingerprint("members", split.members).sha256
            finding = check_guard(certificate, distances, members, time.perf_counter() - started)
            write_text_whole(folder / FINDING, finding.model_dump_json(indent=1))

        try:
            return self._judged(plugin, "proof", inputs | keys, compute)
        except NotMeasuredError as missing:
            known = {"plugin": NAME, "kind": "check", "family": FAMILY, "access": "SAMPLES"}
            raise NotMeasuredError(missing.finding.model_copy(update=known), missing.details) from missing

    def attack(self, asked: PluginSpec, target: Target, split: Split, keys: dict[str, object], truth: Truth) -> Path:
        """The folder of one attack's finding and confidential scores.

        Raises:
            NotMeasuredError: where there is nothing to store; it carries the finding.
        """
        plugin, inputs = self.plugin("attack", asked)
        if plugin.facts.access > target.access:
            reason = f"needs {plugin.facts.access.name}, {target.generator} grants {target.access.name}"
            raise NotMeasuredError(self._finding(plugin, "skipped", reason))

        def compute(folder: Path) -> None:
            context = self.context("attack", asked.name, folder)
            auxiliary = self._auxiliary(target, split, context)
            options, family = self.keywords(plugin, asked), plugin.facts.family
            started = time.perf_counter()
            asked_about = without_attributes(truth.candidates) if family == "attribute" else truth.candidates
            scores = cast("AttackScores", plugin.target(target, asked_about, auxiliary, **options))
            check_scores(scores, truth, plugin.label, family)
            measured = measure(scores, truth, context)
            finding = self._finding(plugin, "invalid" if measured.invalid else "ok", measured.invalid).model_copy(
                update={
                    "estimates": measured.estimates,
                    "plots": measured.plots,
                    "notes": measured.notes,
                    "seconds": time.perf_counter() - started,
                }
            )
            write_text_whole(folder / SCORES, confidential_csv(scores, truth))
            save_exposures(scores, truth, folder)
            if measured.flagged is not None:
                np.save(folder / FLAGGED, measured.flagged, allow_pickle=False)
            write_text_whole(folder / FINDING, finding.model_dump_json(indent=1))

        return self._judged(plugin, "attack", inputs | keys, compute)

    def power(self, asked: PluginSpec, target: Target, split: Split, keys: dict[str, object], truth: Truth) -> Path:
        """The folder of one attack's power certificate.

        Raises:
            NotMeasuredError: where there is nothing to store; it carries the finding.
        """
        plugin, inputs = self.plugin("attack", asked)
        certificate = depth_of(self.spec.certificate, self.spec.budget)
        depth = DEPTHS[certificate]

        def compute(folder: Path) -> None:
            context = self.context("attack", asked.name, folder)
            auxiliary = self._auxiliary(target, split, context)
            options = self.keywords(plugin, asked)

            def attack(images: ImageSet, candidates: ImageSet, opened: Opened | None) -> AttackScores:
                # The key is the planted model's own: what is kept of the audited one must not be taken for its.
                key, denoiser = opened or ("", None)
                access = Access.SAMPLES if denoiser is None else target.access
                planted = Target(images, access, target.generator, denoiser, key)
                return cast("AttackScores", plugin.target(planted, candidates, auxiliary, **options))

            def behind_guard(images: ImageSet) -> FloatArray:
                withheld = replace(target, samples=images, access=Access.SAMPLES)
                return cast("MembershipScores", plugin.target(withheld, truth.candidates, auxiliary, **options)).score

            if plugin.facts.access > Access.SAMPLES:
                overfit = partial(self._overfitted, split, str(keys["cohort"]), depth)
                found = certify_on_denoiser(attack, overfit, truth, depth, context)
            else:
                guarded = Guarded(target.guarded, behind_guard) if target.guarded else None
                found = certify_on_samples(attack, plugin.facts.family, truth, split, depth, context, guarded)
            write_text_whole(folder / FINDING, found.model_dump_json(indent=1))

        return self._judged(plugin, "power", inputs | keys | {"certificate": certificate}, compute)

    def metric(self, asked: PluginSpec, target: Target, split: Split, keys: dict[str, object]) -> Path:
        """The folder of one metric's finding.

        Raises:
            NotMeasuredError: where there is nothing to store; it carries the finding.
        """
        plugin, inputs = self.plugin("metric", asked)

        def compute(folder: Path) -> None:
            context = self.context("metric", asked.name, folder)
            options = self.keywords(plugin, asked)
            started = time.perf_counter()
            found = cast("Measurement", plugin.target(target.samples, split, context, **options))
            finding = self._finding(plugin, "ok", "").model_copy(
                update={
                    "estimates": found.estimates,
                    "plots": found.plots,
                    "notes": found.notes,
                    "seconds": time.perf_counter() - started,
                }
            )
            write_text_whole(folder / FINDING, finding.model_dump_json(indent=1))

        return self._judged(plugin, "metric", inputs | keys, compute)

    def _auxiliary(self, target: Target, split: Split, context: Context) -> Auxiliary:
        """What an attacker has besides the target."""
        common: dict[str, object] = {"seed": self.spec.seed, "device": self.spec.device, "libraries": libraries()}
        commons = StoreKeeper(self.store, common | {"code": code_hash(PACKAGE / "audit", PACKAGE / "attacks")})
        trainer = Retraining(self, split, target, context)
        return Auxiliary(split.reference, split.public, context, commons, trainer)

    def _judged(self, plugin: Plugin, kind: str, inputs: dict[str, object], compute: Callable[[Path], None]) -> Path:
        """Run a plugin's stage; whatever goes wrong inside it is a finding, not the end of the audit."""
        inputs = inputs | {"seed": self.spec.seed, "device": self.spec.device, "confidence": self.spec.confidence}
        try:
            return self.store.stage(kind, inputs, compute)
        except BadInputError:
            raise
        except (SkippedError, AccessError) as error:
            raise NotMeasuredError(self._finding(plugin, "skipped", str(error))) from error
        except InvalidError as error:
            raise NotMeasuredError(self._finding(plugin, "invalid", str(error))) from error
        except Exception as error:
            finding = self._finding(plugin, "error", f"{type(error).__name__}: {error}".split("\n", 1)[0])
            raise NotMeasuredError(finding, "".join(traceback.format_exception(error))) from error

    def _finding(self, plugin: Plugin, status: Status, reason: str) -> Finding:
        return Finding(
            plugin=plugin.entry.name,
            kind="attack" if plugin.facts.kind == "attack" else "metric",
            family=plugin.facts.family or "utility",
            summary=plugin.entry.summary,
            paper=plugin.facts.paper,
            access=plugin.facts.access.name,
            status=status,
            reason=reason,
        )


class _CrashedError(Exception):
    """A check crashed: what was found is not stored, so that the next run asks again."""


class NotMeasuredError(Exception):
    """A plugin left no result to store; ``finding`` says why, ``details`` holds the traceback of a crash."""

    def __init__(self, finding: Finding, details: str = "") -> None:
        super().__init__(finding.reason)
        self.finding = finding
        self.details = details


def measure(scores: AttackScores, truth: Truth, context: Context) -> Measured:
    """Join scores with the truth and measure; ``context`` is the attack's."""
    statistics = context.under("statistics")
    match scores:
        case MembershipScores():
            return measure_membership(scores, truth, statistics)
        case MemorizationScores():
            return measure_memorization(scores, truth, statistics)
        case LinkageScores():
            return measure_linkage(scores, truth, statistics)
        case AttributeScores():
            return measure_attribute(scores, truth, statistics)
        case CanaryScores():
            return measure_canaries(scores, coins(scores.canaries, context), statistics)
        case _:
            raise TypeError(f"nobody measures {type(scores).__name__}")


def load_truth(folders: tuple[Path, Path], samples: ImageSet | None = None) -> Truth:
    """Candidates and truth as ``Stages.candidates`` left them; without ``samples``, before any are drawn, with none."""
    candidates, member, patient = load_candidates(*folders)
    return Truth(candidates, member, patient, candidates.take(slice(0, 0)) if samples is None else samples)


def load_finding(folder: Path) -> Finding:
    """The finding that a stage left."""
    return Finding.model_validate_json((folder / FINDING).read_text(encoding="utf-8"))


def load_certificate(folder: Path) -> Measurement:
    """The power certificate that a stage left."""
    return Measurement.model_validate_json((folder / FINDING).read_text(encoding="utf-8"))
