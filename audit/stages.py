"""The stages of an audit, each keyed by all it depends on: cohort, candidates, model, samples, findings."""

import json
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from .candidates import load_candidates, write_candidates, write_truth
from .catalogue import PACKAGE
from .certificate import DEPTHS, Depth, depth_of
from .certify import certify_on_denoiser, certify_on_samples
from .confidential import confidential_csv
from .context import Auxiliary, Context, Progress
from .contract import check_samples, check_scores
from .errors import AccessError, BadInputError, InvalidError, SkippedError
from .keeping import StoreKeeper
from .measure_linkage import measure_linkage
from .measure_membership import measure_membership
from .measure_memorization import measure_memorization
from .measured import Measured, Truth
from .persist import fingerprint, load_images, load_split, save_images, save_split
from .plugin import Generator, Overfits
from .provenance import code_hash, libraries, plugin_code
from .record import AuditSpec, Finding, Fingerprint, Measurement, PluginSpec, Status
from .registry import Plugin
from .store import Store, with_contents
from .target import Access, Denoiser, Target
from .types import AttackScores, ImageSet, MembershipScores, MemorizationScores, Split, TrainingData
from .validity import Checked, check_comparison
from .whole import write_text_whole

FINDING, SCORES, FLAGGED = "finding.json", "confidential.csv", "flagged.npy"


@dataclass(frozen=True)
class Stages:
    """An audit's stages, computed on first use and taken from the store after that.

    Attributes:
        spec: resolved, with the device settled.
        plugins: loaded, by (kind, name).
        store: where finished stages stand.
        progress: where long work is shown.
    """

    spec: AuditSpec
    plugins: dict[tuple[str, str], Plugin]
    store: Store
    progress: Progress

    def cohort(self) -> tuple[Split, tuple[Fingerprint, ...], str]:
        """The split, its fingerprints and the key of its stage."""
        plugin, inputs = self._plugin("cohort", self.spec.cohort)
        inputs["seed"] = self.spec.seed
        folder = self.store.stage("cohort", inputs, lambda f: self._write_cohort(plugin, f))
        split, marks = load_split(folder)
        return split, marks, folder.name

    def candidates(self, split: Split, cohort_key: str) -> tuple[Path, Path]:
        """The folder of the candidates, and, apart from it, that of the truth about them."""
        code = code_hash(PACKAGE / "audit")
        inputs: dict[str, object] = {"cohort": cohort_key, "seed": self.spec.seed, "code": code}

        def written(kind: str, write: Callable[[Split, Context], None]) -> Path:
            return self.store.stage(kind, inputs, lambda folder: write(split, self._context("candidates", "", folder)))

        return written("candidates", write_candidates), written("truth", write_truth)

    def checks(self, split: Split, truth: Truth, cohort_key: str) -> tuple[tuple[Finding, ...], str, str]:
        """The findings on the comparison's fairness, what only the owner of the data may see, and tracebacks."""
        code = code_hash(PACKAGE / "audit")
        inputs: dict[str, object] = {"cohort": cohort_key, "seed": self.spec.seed, "code": code}
        inputs |= {"libraries": libraries(), "confidence": self.spec.confidence}
        crashed: list[Checked] = []

        def compute(folder: Path) -> None:
            checked = check_comparison(split, truth, self._context("check", "", folder))
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

    def samples(self, split: Split, cohort_key: str) -> tuple[Target, str]:
        """The fitted generator behind the granted access, and the key of its samples."""
        name = self.spec.generator.name
        plugin = self.plugins["generator", name]
        data = TrainingData(split.members, split.public, split.reserve)
        model = self._model(data, cohort_key)

        def sample(folder: Path) -> None:
            context = self._context("generator", name, folder).under("sample")
            images = self._generator().sample(self.spec.samples, data, model, context)
            check_samples(images, split.members, plugin.label)
            save_images(images, folder, "samples")

        folder = self.store.stage("samples", {"model": model.name, "samples": self.spec.samples}, sample)
        granted = min(plugin.facts.access, Access[self.spec.access.upper()] if self.spec.access else Access.WEIGHTS)
        return Target(load_images(folder, "samples"), granted, name, self._denoiser(data, model)), folder.name

    def attack(self, asked: PluginSpec, target: Target, split: Split, keys: dict[str, object], truth: Truth) -> Path:
        """The folder of one attack's finding and confidential scores.

        Raises:
            NotMeasuredError: where there is nothing to store; it carries the finding.
        """
        plugin, inputs = self._plugin("attack", asked)
        if plugin.facts.access > target.access:
            reason = f"needs {plugin.facts.access.name}, {target.generator} grants {target.access.name}"
            raise NotMeasuredError(self._finding(plugin, "skipped", reason))

        def compute(folder: Path) -> None:
            context = self._context("attack", asked.name, folder)
            auxiliary = Auxiliary(split.reference, split.public, context)
            options = _keywords(plugin, asked, self.spec.budget)
            started = time.perf_counter()
            scores = cast("AttackScores", plugin.target(target, truth.candidates, auxiliary, **options))
            check_scores(scores, truth, plugin.label, plugin.facts.family)
            measured = measure(scores, truth, context.under("statistics"))
            finding = self._finding(plugin, "invalid" if measured.invalid else "ok", measured.invalid).model_copy(
                update={
                    "estimates": measured.estimates,
                    "plots": measured.plots,
                    "notes": measured.notes,
                    "seconds": time.perf_counter() - started,
                }
            )
            write_text_whole(folder / SCORES, confidential_csv(scores, truth))
            if measured.flagged is not None:
                np.save(folder / FLAGGED, measured.flagged, allow_pickle=False)
            write_text_whole(folder / FINDING, finding.model_dump_json(indent=1))

        return self._judged(plugin, "attack", inputs | keys, compute)

    def power(self, asked: PluginSpec, target: Target, split: Split, keys: dict[str, object], truth: Truth) -> Path:
        """The folder of one attack's power certificate.

        Raises:
            NotMeasuredError: where there is nothing to store; it carries the finding.
        """
        plugin, inputs = self._plugin("attack", asked)
        certificate = depth_of(self.spec.certificate, self.spec.budget)
        depth = DEPTHS[certificate]

        def compute(folder: Path) -> None:
            context = self._context("attack", asked.name, folder)
            auxiliary = Auxiliary(split.reference, split.public, context)
            options = _keywords(plugin, asked, self.spec.budget)

            def attack(images: ImageSet, candidates: ImageSet, denoiser: Callable[[], Denoiser] | None) -> AttackScores:
                access = Access.SAMPLES if denoiser is None else target.access
                planted = Target(images, access, target.generator, denoiser)
                return cast("AttackScores", plugin.target(planted, candidates, auxiliary, **options))

            if plugin.facts.access > Access.SAMPLES:
                overfit = partial(self._overfitted, split, str(keys["cohort"]), depth)
                found = certify_on_denoiser(attack, overfit, truth, depth, context)
            else:
                found = certify_on_samples(attack, plugin.facts.family, truth, split, depth, context)
            write_text_whole(folder / FINDING, found.model_dump_json(indent=1))

        return self._judged(plugin, "power", inputs | keys | {"certificate": certificate}, compute)

    def metric(self, asked: PluginSpec, target: Target, split: Split, keys: dict[str, object]) -> Path:
        """The folder of one metric's finding.

        Raises:
            NotMeasuredError: where there is nothing to store; it carries the finding.
        """
        plugin, inputs = self._plugin("metric", asked)

        def compute(folder: Path) -> None:
            context = self._context("metric", asked.name, folder)
            options = _keywords(plugin, asked, self.spec.budget)
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

    def _generator(self) -> Generator:
        plugin = self.plugins["generator", self.spec.generator.name]
        return cast("Generator", plugin.target(**_keywords(plugin, self.spec.generator, self.spec.budget)))

    def _model(self, data: TrainingData, trained_on: str) -> Path:
        """The folder of the generator fitted to ``data``, which ``trained_on`` identifies."""
        name = self.spec.generator.name
        _, inputs = self._plugin("generator", self.spec.generator)
        inputs |= {"cohort": trained_on, "seed": self.spec.seed, "device": self.spec.device}
        return self.store.stage(
            "model", inputs, lambda folder: self._generator().fit(data, self._context("generator", name, folder))
        )

    def _denoiser(self, data: TrainingData, model: Path) -> Callable[[], Denoiser]:
        context = self._context("generator", self.spec.generator.name, model).under("denoiser")
        return lambda: self._generator().denoiser(data, model, context)

    def _overfitted(self, split: Split, cohort_key: str, depth: Depth, known: ImageSet) -> Callable[[], Denoiser]:
        """How to open the denoiser of the audited generator, overfitted to ``known`` patients.

        Raises:
            SkippedError: where that would cost a whole training and ``depth`` has no time for it.
        """
        data = TrainingData(known, split.public, split.reserve)
        mark = fingerprint("known", known).sha256
        generator = self._generator()
        if depth.overfitted:
            model = self._model(data, mark)
        elif hasattr(generator, "overfit"):
            base = self._model(TrainingData(split.members, split.public, split.reserve), cohort_key)
            context = self._context("generator", self.spec.generator.name, Path()).under("overfit")
            model = self.store.stage(
                "model",
                {"overfitted": base.name, "known": mark},
                lambda folder: cast("Overfits", generator).overfit(data, base, replace(context, folder=folder)),
            )
        else:
            raise SkippedError(
                "a model must be overfitted for it, which for this generator means to train one anew; "
                "privbench certify does so, and run does from --budget standard on"
            )
        return self._denoiser(data, model)

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

    def _plugin(self, kind: str, asked: PluginSpec) -> tuple[Plugin, dict[str, object]]:
        plugin = self.plugins[kind, asked.name]
        options = plugin.options(asked.options, self.spec.budget)
        return plugin, {
            "plugin": f"{kind} {asked.name}",
            "options": with_contents(options),
            "code": plugin_code(plugin),
            "libraries": libraries(),
        }

    def _context(self, kind: str, name: str, folder: Path) -> Context:
        seeded: dict[str, object] = {"seed": self.spec.seed, "device": self.spec.device, "libraries": libraries()}
        plugin = self.plugins.get((kind, name))
        code = plugin_code(plugin) if plugin else code_hash(PACKAGE / "audit")
        return Context(
            seed=self.spec.seed,
            path=(kind, name),
            device=self.spec.device,
            budget=self.spec.budget,
            confidence=self.spec.confidence,
            progress=self.progress,
            folder=folder,
            keeper=StoreKeeper(self.store, seeded | {"code": code}),
        )

    def _write_cohort(self, plugin: Plugin, folder: Path) -> None:
        context = self._context("cohort", self.spec.cohort.name, folder)
        save_split(
            cast("Split", plugin.target(context, **_keywords(plugin, self.spec.cohort, self.spec.budget))), folder
        )

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
    """Join scores with the truth and measure."""
    if isinstance(scores, MembershipScores):
        return measure_membership(scores, truth, context)
    if isinstance(scores, MemorizationScores):
        return measure_memorization(scores, truth, context)
    return measure_linkage(scores, truth, context)


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


def _keywords(plugin: Plugin, asked: PluginSpec, budget: str) -> dict[str, object]:
    options = plugin.options(asked.options, budget)
    return {name: getattr(options, name) for name in type(options).model_fields}
