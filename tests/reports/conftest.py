"""A record as a real audit of dfgm on brain-sim would leave it, and hostile and broken variants."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from privbench.audit.record import (
    AuditRecord,
    AuditSpec,
    Estimate,
    Finding,
    Fingerprint,
    Plot,
    PluginSpec,
    Provenance,
    Rule,
    Series,
    Verdict,
)
from privbench.audit.types import ImageSet

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE = (
    "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=2><!-- {{ 7*7 }} \"'& | `@all` " + "W" * 90
)


def estimate(name: str, value: float | None, *rest: float | None, **known: Any) -> Estimate:
    low, high, null = (*rest, None, None, None)[:3]
    fields = {"n": 200, "unit": "image", "worse": "higher", "method": "Newcombe interval; 999 permutations"} | known
    return Estimate(name=name, value=value, low=low, high=high, null=null, **fields)


def histogram(space: str, seed: int) -> Plot:
    rng = np.random.default_rng(seed)
    edges = np.linspace(0, 0.3, 41)
    names = {
        "synthetic to nearest member": 0.14,
        "synthetic to nearest holdout": 0.16,
        "real to nearest stranger": 0.165,
    }
    series = []
    for label, middle in names.items():
        counts, _ = np.histogram(rng.normal(middle, 0.025, 400), edges)
        series.append(Series(label=label, x=tuple(edges.tolist()), y=tuple((counts / 400).tolist())))
    return Plot(name=space, kind="histogram", x_label=f"distance ({space})", y_label="share", series=tuple(series))


def roc(seed: int, shift: float) -> Plot:
    rng = np.random.default_rng(seed)
    members, others = rng.normal(shift, 1, 100), rng.normal(0, 1, 100)
    cuts = np.sort(np.concatenate([members, others, [np.inf]]))[::-1]
    x = tuple(float((others >= c).mean()) for c in cuts)
    y = tuple(float((members >= c).mean()) for c in cuts)
    return Plot(
        name="ROC by patient",
        kind="roc",
        x_label="false positive rate (holdout patients called members)",
        y_label="true positive rate (members recognised)",
        series=(Series(label="attack", x=x, y=y),),
    )


def _nearest() -> Finding:
    spaces = ("pixels", "aligned", "embedding", "foreground")
    estimates = [
        estimate(
            "copied_share",
            0.203,
            0.171,
            0.239,
            0.0,
            n=600,
            detectable=0.018,
            p_value=0.001,
            note="128 of 600 released images closer to a member than 99% of strangers, 8 to holdout",
        ),
        estimate(
            "exposed_patients",
            0.34,
            0.24,
            0.44,
            0.0,
            n=100,
            unit="patient",
            note="36 of 100 member patients, 2 of 100 holdout patients",
        ),
        estimate(
            "exact_copies",
            0.0,
            0.0,
            0.0061,
            0.0,
            n=600,
            group="pixels",
            note="0 of 600 released images, 0 against holdout",
        ),
    ]
    for i, space in enumerate(spaces):
        low = 0.02 * i
        estimates += [
            estimate(
                "copied_share",
                0.05 + low,
                0.01 + low,
                0.09 + low,
                0.0,
                n=600,
                group=space,
                detectable=0.021,
                p_value=0.04,
            ),
            estimate("dcr_share", 0.56, 0.52, 0.60, 0.5, n=600, group=space, p_value=0.012),
            estimate("nndr", 0.91, 0.90, 0.92, 0.93, n=600, group=space, worse="lower"),
        ]
    return Finding(
        plugin="nearest",
        kind="attack",
        family="memorization",
        summary="Distance from each released image to the nearest training patient.",
        paper="arXiv:2402.01054",
        access="SAMPLES",
        status="ok",
        estimates=tuple(estimates),
        plots=tuple(histogram(space, i) for i, space in enumerate(spaces)),
        notes=("Flips and shifts of up to 2 pixels are searched in the space 'aligned'.",),
        seconds=11.2,
    )


def _membership(plugin: str, access: str, auc: tuple[float, float, float], seed: int) -> Finding:
    patient: dict[str, Any] = {"unit": "patient", "n": 200}
    return Finding(
        plugin=plugin,
        kind="attack",
        family="membership",
        summary={"gan-leaks": "Distance to the nearest synthetic image.", "loss": "Denoising loss at shared noises."}[
            plugin
        ],
        paper={"gan-leaks": "arXiv:1909.03935", "loss": "arXiv:2302.03262"}[plugin],
        access=access,
        status="ok",
        estimates=(
            estimate("auc", *auc, 0.5, worse="both", detectable=0.611, p_value=0.21, **patient),
            estimate("auc", auc[0], auc[1], auc[2], 0.5, worse="both", group="images", n=800),
            estimate("tpr@fpr=0.1", 0.14, 0.08, 0.22, 0.1, n=100, unit="patient"),
            Estimate(
                name="tpr@fpr=0.01",
                value=None,
                null=0.01,
                n=100,
                unit="patient",
                worse="higher",
                note="not resolvable with 100 holdout patients",
            ),
        ),
        plots=(roc(seed, 0.2),),
        seconds=8.0,
    )


def _siamese() -> Finding:
    return Finding(
        plugin="siamese",
        kind="attack",
        family="reidentification",
        summary="A verifier trained on reference patients links released images to training patients.",
        paper="Packhaeuser et al. 2022, doi:10.1038/s41598-022-19045-3",
        access="SAMPLES",
        status="ok",
        estimates=(
            estimate(
                "linked_excess",
                0.012,
                -0.021,
                0.045,
                0.0,
                n=600,
                detectable=0.04,
                p_value=0.3,
                note="14 of 600 released images match a member, 7 a holdout patient",
            ),
            estimate(
                "linked_patients",
                0.03,
                -0.05,
                0.11,
                0.0,
                n=100,
                unit="patient",
                note="9 of 100 member patients, 6 of 100 holdout patients",
            ),
            estimate(
                "map@r",
                0.0124,
                0.0101,
                0.0150,
                0.0041,
                n=600,
                p_value=0.085,
                note="gallery of 400 member images, R = 4; sources shuffled within centres give 0.0099",
            ),
            estimate("map@r_lift", 1.09, 0.89, 1.32, 1.0, n=600),
            estimate(
                "verifier_auc", 0.962, 0.941, 0.978, 0.5, n=2400, unit="pair", worse="none", group="unseen patients"
            ),
        ),
        plots=(histogram("similarity", 9),),
        seconds=41.0,
    )


def _utility() -> tuple[Finding, ...]:
    def metric(plugin: str, summary: str, paper: str, **known: Any) -> Finding:
        fields = {"access": "SAMPLES", "status": "ok"} | known
        return Finding(plugin=plugin, kind="metric", family="utility", summary=summary, paper=paper, **fields)

    arms = (("real", 0.71), ("synthetic", 0.64), ("real+synthetic", 0.74))
    dice = [estimate("dice", v, v - 0.04, v + 0.04, group=g, n=100, unit="patient", worse="none") for g, v in arms]
    spread = [estimate("dice-spread", 0.03, 0.01, 0.09, group=g, n=100, unit="patient") for g, _ in arms]
    gains = [
        estimate("dice-gain", -0.09, -0.11, -0.07, 0.0, group=g, n=25 if g else 100, unit="patient", worse="lower")
        for g in ("", "center A", "center B", "center C", "center D")
    ]
    recall = {
        group: estimate(name, value, value - 0.04, value + 0.04, 0.936, group=group, worse="none" if group else "lower")
        for name, group, value in (("recall-randconv", "", 0.788), ("recall-randconv", "members (control)", 0.936))
    }
    return (
        metric(
            "dice",
            "Dice on real patients of a U-Net trained on real, synthetic, or both.",
            "",
            estimates=(*dice, *spread, *gains),
        ),
        metric(
            "roc-auc",
            "ROC-AUC on real patients of a classifier trained on synthetic images.",
            "",
            estimates=(
                estimate("roc_auc", 0.81, 0.72, 0.88, 0.86, n=100, unit="patient", worse="lower", group="synthetic"),
            ),
        ),
        metric(
            "frechet",
            "Frechet distance on features that are always there.",
            "arXiv:1706.08500",
            estimates=(
                estimate("fd-randconv", 12.43, 11.2, 14.0, 1.31, n=600),
                estimate("fd-randconv", 1.31, 0.4, 2.9, 1.31, n=600, group="members (control)", worse="none"),
                *recall.values(),
            ),
        ),
        metric(
            "fid",
            "Frechet inception distance.",
            "arXiv:1706.08500",
            status="skipped",
            reason="needs the extra 'fid': pip install 'privbench[fid]'",
        ),
    )


RULES = (
    Rule(
        name="memorization.nearest.copied_share", outcome="fail", reason="0.203 [0.171, 0.239], allowed: at most 0.02"
    ),
    Rule(
        name="memorization.nearest.exact_copies", outcome="pass", reason="0 of 600 released images, 0 against holdout"
    ),
    Rule(
        name="membership.gan-leaks.auc",
        outcome="inconclusive",
        reason="0.541 [0.462, 0.618], allowed: 0.4 to 0.6; the interval reaches beyond it",
    ),
    Rule(
        name="membership.loss.auc",
        outcome="inconclusive",
        reason="0.532 [0.470, 0.594]; but only 0.611 or more would have been found",
    ),
    Rule(
        name="reidentification.siamese.linked_excess",
        outcome="pass",
        reason="0.012 [-0.021, 0.045], allowed: at most 0.05; a leak of 0.040 would have been found",
    ),
    Rule(name="membership.domias", outcome="inconclusive", reason="error: LinAlgError: singular matrix"),
    Rule(
        name="reidentification.faces", outcome="inconclusive", reason="invalid: the verifier's AUC is 0.61, below 0.9"
    ),
)


def build(**changes: Any) -> AuditRecord:
    """The record of a realistic audit; keyword arguments replace its fields."""
    fields: dict[str, Any] = {
        "spec": AuditSpec(
            cohort=PluginSpec(name="brain-sim", options={"patients": 300, "size": 64}),
            generator=PluginSpec(name="dfgm", options={"steps": 2000}),
            attacks=tuple(PluginSpec(name=n) for n in ("nearest", "gan-leaks", "loss", "siamese")),
            metrics=tuple(PluginSpec(name=n) for n in ("dice", "roc-auc", "frechet", "fid")),
        ),
        "simulated": True,
        "releases_real": False,
        "access": "DENOISER",
        "data": tuple(
            Fingerprint(part=part, images=400, patients=100, shape=(1, 64, 64), centers=4, sha256=f"{i:x}" * 64)
            for i, part in enumerate(("members", "holdout", "reference", "public", "samples"), 10)
        ),
        "findings": (
            _nearest(),
            _membership("gan-leaks", "SAMPLES", (0.541, 0.462, 0.618), 1),
            _membership("loss", "DENOISER", (0.532, 0.470, 0.594), 2),
            Finding(
                plugin="domias",
                kind="attack",
                family="membership",
                summary="Density ratio against a reference.",
                paper="arXiv:2302.12580",
                access="SAMPLES",
                status="error",
                reason="LinAlgError: singular matrix",
            ),
            _siamese(),
            Finding(
                plugin="faces",
                kind="attack",
                family="reidentification",
                summary="Links rendered faces.",
                access="SAMPLES",
                status="invalid",
                reason="the verifier's AUC on real pairs is 0.61, below 0.9",
                estimates=(
                    estimate("verifier_auc", 0.61, 0.55, 0.67, 0.5, unit="pair", worse="none", group="unseen patients"),
                ),
            ),
            *_utility(),
        ),
        "verdict": Verdict(outcome="fail", rules=RULES),
        "provenance": Provenance(
            privbench="0.1.0",
            python="3.11.9",
            platform="Linux 6.1 x86_64",
            device="cpu",
            libraries={"torch": "2.13.0", "numpy": "2.4.6", "faiss-cpu": "1.15.1"},
            git_commit="4f2a" * 10,
            git_dirty=False,
            command="privbench run --generator dfgm --attack all",
            started="2026-02-28T09:30:00+00:00",
            seconds=251.0,
        ),
    }
    return AuditRecord(**(fields | changes))


def build_hostile() -> AuditRecord:
    """Every text that data or a plugin may bring, turned against the page."""
    finding = _membership("loss", "DENOISER", (0.5, 0.4, 0.6), 3)
    plot = finding.plots[0].model_copy(
        update={
            "name": HOSTILE,
            "x_label": HOSTILE,
            "series": tuple(s.model_copy(update={"label": HOSTILE}) for s in finding.plots[0].series),
        }
    )
    bad = estimate("auc", 0.5, 0.4, 0.6, 0.5, group=HOSTILE, method=HOSTILE, note=HOSTILE)
    base = build()
    evil = finding.model_copy(
        update={
            "plugin": HOSTILE,
            "summary": HOSTILE,
            "paper": HOSTILE,
            "notes": (HOSTILE,),
            "plots": (plot, histogram(HOSTILE, 4)),
            "estimates": (bad, bad.model_copy(update={"name": HOSTILE, "group": ""})),
        }
    )
    broken = Finding(
        plugin=HOSTILE, kind="metric", family="utility", summary=HOSTILE, access=HOSTILE, status="error", reason=HOSTILE
    )
    return build(
        spec=base.spec.model_copy(
            update={
                "cohort": PluginSpec(name=HOSTILE, options={"path": HOSTILE}),
                "generator": PluginSpec(name=HOSTILE),
            }
        ),
        access=HOSTILE,
        data=tuple(d.model_copy(update={"part": HOSTILE}) for d in base.data),
        findings=(evil, broken),
        verdict=Verdict(outcome="fail", rules=(Rule(name=f"membership.{HOSTILE}", outcome="fail", reason=HOSTILE),)),
        provenance=base.provenance.model_copy(
            update={"command": HOSTILE, "platform": HOSTILE, "libraries": {HOSTILE: HOSTILE}}
        ),
    )


def build_gallery(n: int = 40, size: int = 64, *, centre: str = "centre {}", masks: bool = True) -> ImageSet:
    """Blurred discs with a bright lesion, its mask, label and centre."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / size - 0.5
    pixels = np.empty((n, 1, size, size), np.float32)
    mask = np.zeros((n, size, size), np.uint8)
    for i in range(n):
        cy, cx = rng.uniform(-0.2, 0.2, 2)
        mask[i] = (x - cx) ** 2 + (y - cy) ** 2 < 0.012
        brain = (
            0.55 / (1 + np.exp(60 * (np.hypot(x, 1.15 * y) - 0.42))) * (1 + 0.15 * np.sin(9 * x + i) * np.cos(11 * y))
        )
        pixels[i, 0] = np.clip(brain + 0.35 * mask[i] + rng.normal(0, 0.02, x.shape), 0, 1)
    return ImageSet(
        pixels=pixels,
        patient=np.array([f"s{i}" for i in range(n)]),
        label=np.arange(n) % 2,
        mask=mask if masks else None,
        center=np.array([centre.format("ABCD"[i % 4]) for i in range(n)]),
    )


@pytest.fixture(scope="session")
def make_record() -> Callable[..., AuditRecord]:
    return build


@pytest.fixture(scope="session")
def record() -> AuditRecord:
    return build()


@pytest.fixture(scope="session")
def hostile() -> AuditRecord:
    return build_hostile()


@pytest.fixture(scope="session")
def hostile_text() -> str:
    return HOSTILE


@pytest.fixture(scope="session")
def make_gallery() -> Callable[..., ImageSet]:
    return build_gallery


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield chromium
        chromium.close()
