"""One audit from spec to record. Whatever is in the store is taken from there."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from .checks.fairness import invalidated
from .context import Progress, Silent
from .contract import check_needs
from .errors import BadInputError, SkippedError
from .gate import judge
from .measures.exposure import load_exposures, strongest_attacks
from .measures.measured import Truth
from .outputs import RunFolder
from .power.certificate import certified
from .provenance import provenance
from .record import AuditRecord, AuditSpec, Finding, Fingerprint
from .registry import load
from .retraining import train_shadow
from .spec import make_spec, resolve
from .stages import FLAGGED, SCORES, NotMeasuredError, Stages, load_certificate, load_finding, load_truth
from .store import Progressed, Store, default_store
from .target import Access, Target
from .types import FloatArray, ImageSet, Split

GALLERY = 24


def run(
    spec: AuditSpec | dict[str, object],
    *,
    out: Path | str | None = None,
    store: Path | str | None = None,
    progress: Progress | None = None,
    command: str = "privbench.run(spec)",
) -> AuditRecord:
    """Run an audit and leave record, report, samples and confidential scores in a folder.

    Args:
        spec: what to audit and how; a plugin may be given by name alone: ``{"generator": "dfgm"}``.
        out: the run folder, by default ``runs/<cohort>-<generator>-<key of the spec>``; the same spec continues there.
        store: where finished stages stand; by default ``$PRIVBENCH_STORE`` or the user's cache folder.
        progress: where to show long work; by default nowhere.
        command: what the user typed, for the record.

    Returns:
        The record, also written to ``<out>/record.json``.

    Raises:
        BadInputError: for anything the user can mend, before training starts.
    """
    began, clock = datetime.now(UTC), time.perf_counter()
    progress = progress or Silent()
    stages = _stages(spec, store, progress)
    resolved, plugins = stages.spec, stages.plugins
    with RunFolder.open(out, resolved) as folder:
        progress.message(f"cohort {resolved.cohort.name}")
        split, marks, cohort_key = _cohort(stages)
        candidates = stages.candidates(split, cohort_key)
        progress.message("is the comparison fair?")
        checks, pairs, crash = stages.checks(split, load_truth(candidates), cohort_key)
        folder.write_confidential("checks", pairs)
        folder.write_traceback("checks", crash)
        fair = not any(check.status == "invalid" for check in checks)
        if not fair:
            progress.message("a check failed: no attack's finding will be valid, see the report")
        guard = f" behind {resolved.guard.name}" if resolved.guard else ""
        progress.message(f"generator {resolved.generator.name}{guard}")
        target, samples_key = stages.samples(split, cohort_key)
        truth = load_truth(candidates, target.samples)
        declaration, guarded = stages.stated(samples_key)
        keys: dict[str, object] = {"cohort": cohort_key, "samples": samples_key, "access": target.access.name}

        findings: list[Finding] = []
        flagged = np.zeros(len(target.samples), dtype=bool)
        pointed: dict[str, dict[str, FloatArray]] = {}
        for finding, done in _results(_work(stages, target, split, keys, truth), folder, progress):
            findings.append(finding)
            if done and (done / FLAGGED).is_file():
                flagged |= np.load(done / FLAGGED, allow_pickle=False)
            if done and finding.kind == "attack" and finding.status == "ok":
                pointed.setdefault(finding.family, {}).update(load_exposures(done, finding.plugin))
        for i, finding in enumerate(findings):
            certifiable = finding.kind == "attack" and finding.family != "canary"  # whose ceiling says what it can find
            if fair and certifiable and finding.status == "ok" and resolved.certificate != "none":
                asked = next(a for a in resolved.attacks if a.name == finding.plugin)
                progress.message(f"power of {asked.name}")
                findings[i] = _certified(finding, partial(stages.power, asked, target, split, keys, truth), folder)

        judged = (*checks, *invalidated(tuple(findings), checks))
        record = AuditRecord(
            spec=resolved,
            simulated=plugins["cohort", resolved.cohort.name].facts.simulated,
            releases_real=plugins["generator", resolved.generator.name].facts.releases_real,
            access=target.access.name,
            data=marks,
            declaration=declaration,
            guard=guarded,
            findings=judged,
            strongest=strongest_attacks(pointed if fair else {}, truth, stages.context("attack", "", Path())),
            verdict=judge(judged),
            provenance=provenance(resolved.device, command, began, time.perf_counter() - clock),
        )
        shown = record.simulated or not record.releases_real
        gallery = pick_gallery(target.samples, flagged) if shown else None
        folder.write_samples(target.samples, samples_key, shown=shown)
        folder.write_guard(guarded)
        folder.write_gallery(gallery)
        write_html = cast("Callable[[AuditRecord, ImageSet | None], str]", load("report", "html").target)
        folder.write_report(write_html(record, gallery), "report.html")
        folder.write_record(record)
    return record


def settle(spec: AuditSpec, *, store: Path | str | None = None) -> AuditSpec:
    """The spec as it would run: every option filled in and checked, the device chosen. Nothing is computed.

    Raises:
        BadInputError: as ``run``.
    """
    return _stages(spec, store, Silent()).spec


def check(spec: AuditSpec, *, store: Path | str | None = None, progress: Progress | None = None) -> None:
    """All that ``run`` refuses before training starts; leaves the cohort in the store.

    Raises:
        BadInputError: as ``run``.
    """
    _cohort(_stages(spec, store, progress or Silent()))


def assist(spec: AuditSpec, *, store: Path | str | None = None) -> None:
    """Help another process' ``run`` of the same spec to train its generator, and do nothing else.

    For every process but the first that ``accelerate launch`` or ``torchrun`` started; they share one store.

    Raises:
        BadInputError: as ``run``.
    """
    stages = _stages(spec, store, Silent())
    split, _, cohort_key = stages.cohort()
    check_needs(split, list(stages.plugins.values()))
    stages.train_along(split, cohort_key)


def train_shadows(
    spec: AuditSpec, indices: list[int] | None, *, store: Path | str | None = None, progress: Progress | None = None
) -> Iterator[tuple[int, Progressed]]:
    """Train shadow models of an audit, for a ``run`` of the same spec to find in the same store.

    Args:
        spec: of the audit.
        indices: which, from 0; None: as many as the attack that asks for most.
        store: as for ``run``.
        progress: as for ``run``.

    Yields:
        Each index, and how far its model was before; one that another process is training is left to it.

    Raises:
        BadInputError: as ``run``; if none are asked for.
        SkippedError: if the generator cannot be trained again.
    """
    stages = _stages(spec, store, progress or Silent())
    if indices is None:
        asked = [attack.options.get("shadows") for attack in stages.spec.attacks]
        indices = list(range(max((n for n in asked if isinstance(n, int)), default=0)))
    if not indices:
        raise BadInputError(
            "no attack of this audit asks for shadow models\n"
            "give attacks the option shadows, or say which to train with --index"
        )
    generator = stages.plugins["generator", stages.spec.generator.name]
    if generator.facts.access < Access.DENOISER:
        raise SkippedError(f"{generator.label} grants SAMPLES only, and attacks with shadow models need its denoiser")
    split, _, _ = stages.cohort()
    check_needs(split, [generator])
    for index in indices:
        yield index, train_shadow(stages, split, index)


def _cohort(stages: Stages) -> tuple[Split, tuple[Fingerprint, ...], str]:
    """The cohort, if it has what every plugin needs."""
    split, marks, key = stages.cohort()
    check_needs(split, list(stages.plugins.values()))
    stages.check_guard(split)
    return split, marks, key


def _stages(spec: AuditSpec | dict[str, object], store: Path | str | None, progress: Progress) -> Stages:
    """The stages of ``spec``, resolved, with options that do not contradict each other."""
    resolved, plugins = resolve(spec if isinstance(spec, AuditSpec) else make_spec(spec))
    resolved = resolved.model_copy(update={"device": settle_device(resolved.device)})
    stages = Stages(resolved, plugins, Store(Path(store) if store else default_store(), progress), progress)
    stages.check_options()
    return stages


def _work(
    stages: Stages, target: Target, split: Split, keys: dict[str, object], truth: Truth
) -> list[tuple[str, str, Callable[[], Path]]]:
    """What is to be found out about the release: whether its guard's certificate holds, attacks, metrics."""
    proofs = [partial(stages.proof, target, split, keys)] if stages.spec.guard else []
    return [
        *(("proof of the", "certificate", proof) for proof in proofs),
        *(("attack", a.name, partial(stages.attack, a, target, split, keys, truth)) for a in stages.spec.attacks),
        *(("metric", m.name, partial(stages.metric, m, target, split, keys)) for m in stages.spec.metrics),
    ]


def _results(
    work: list[tuple[str, str, Callable[[], Path]]], folder: RunFolder, progress: Progress
) -> Iterator[tuple[Finding, Path | None]]:
    """Each finding, with the folder of its stage if it has one."""
    for kind, name, stage in work:
        progress.message(f"{kind} {name}")
        try:
            done = stage()
        except NotMeasuredError as missing:
            folder.write_traceback(name, missing.details)
            yield missing.finding, None
            continue
        folder.copy_confidential(name, done / SCORES)
        yield load_finding(done), done


def _certified(finding: Finding, stage: Callable[[], Path], folder: RunFolder) -> Finding:
    """The finding with its power certificate, or with a note why there is none: then it cannot pass."""
    try:
        return certified(finding, load_certificate(stage()))
    except NotMeasuredError as missing:
        folder.write_traceback(f"{finding.plugin}.power", missing.details)
        note = f"how small a leak it would have found was not measured: {missing.finding.reason}"
        return finding.model_copy(update={"notes": (*finding.notes, note)})


def settle_device(asked: str) -> str:
    """``cpu`` or ``cuda``.

    Raises:
        BadInputError: if cuda is asked for and torch sees none.
    """
    if asked == "cpu":
        return "cpu"
    import torch

    there = torch.cuda.is_available()
    if asked == "cuda" and not there:
        raise BadInputError("device 'cuda': torch sees no GPU here\nuse --device cpu, or install a CUDA build of torch")
    return "cuda" if there else "cpu"


def pick_gallery(samples: ImageSet, flagged: NDArray[np.bool_]) -> ImageSet | None:
    """Up to 24 released images, evenly spread, without those that look like copies of real ones."""
    clean = np.flatnonzero(~flagged)
    if not len(clean):
        return None
    chosen = clean[np.unique(np.linspace(0, len(clean) - 1, min(GALLERY, len(clean))).astype(int))]
    return samples.take(chosen)
