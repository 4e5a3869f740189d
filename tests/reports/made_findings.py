"""Findings as a real audit of dfgm on brain-sim would leave them."""

from typing import Any

import numpy as np

from privbench.audit.record import Estimate, Finding, Plot, Series


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


def exact_copies(found: int) -> Estimate:
    return estimate(
        "exact_copies",
        found / 600,
        0.0,
        0.0061 + found / 300,
        0.0,
        n=600,
        group="pixels",
        note=f"{found} of 600 released images, 0 against holdout",
    )


def by_group(name: str, *groups: str, leaks: bool = False) -> list[Estimate]:
    """Exposed patients of groups of 20 a side, more in each than in the one before; the third is too small to show."""
    found = [
        estimate(
            name,
            (0.1 * i if leaks else 0.0),
            0.1 * i - 0.15,
            0.1 * i + 0.2,
            0.0,
            n=20,
            unit="patient",
            group=group,
            note=f"{2 * i + 1 if leaks else 1} of 20 member patients, 1 of 20 holdout patients",
        )
        for i, group in enumerate(groups)
    ]
    if len(found) > 2:
        note = "too few to show: fewer than 5 member or holdout patients"
        found[2] = Estimate(name=name, value=None, n=3, unit="patient", worse="higher", group=groups[2], note=note)
    return found


def nearest(*, leaks: bool = True) -> Finding:
    spaces = ("pixels", "aligned", "embedding", "foreground")
    share, caught, control = ((0.203, 0.171, 0.239), 128, 8) if leaks else ((-0.0017, -0.0121, 0.0087), 6, 7)
    exposed, members, others = ((0.34, 0.24, 0.44), 36, 2) if leaks else ((-0.01, -0.075, 0.055), 3, 4)
    estimates = [
        estimate(
            "copied_share",
            *share,
            0.0,
            n=600,
            detectable=0.018,
            p_value=0.001 if leaks else 0.62,
            note=f"{caught} of 600 released images closer to a member than 99% of strangers, {control} to holdout",
        ),
        estimate(
            "exposed_patients",
            *exposed,
            0.0,
            n=100,
            unit="patient",
            note=f"{members} of 100 member patients, {others} of 100 holdout patients",
        ),
        exact_copies(0),
        *by_group("exposed_patients", "center A", "center B", "center C", "label 0", "label 1", leaks=leaks),
    ]
    for i, space in enumerate(spaces):
        low = 0.02 * i if leaks else -0.05
        close = 0.06 if leaks else 0.01
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
                p_value=0.04 if leaks else 0.7,
            ),
            estimate(
                "dcr_share", 0.5 + close, 0.46 + close, 0.54 + close, 0.5, n=600, group=space, p_value=0.62 - 10 * close
            ),
            estimate("nndr", 0.91, 0.90, 0.92, 0.93 if leaks else 0.915, n=600, group=space, worse="lower"),
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


def membership(plugin: str, access: str, auc: tuple[float, float, float], seed: int) -> Finding:
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


def siamese() -> Finding:
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


def utility() -> tuple[Finding, ...]:
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
