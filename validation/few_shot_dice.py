"""Are a few patients a centre worth more with synthetic images beside them? Dice of lesion segmenters, arm by arm.

Every seed is another world: scanners, patients and trainings. In each, centres have few patients; a U-Net is trained on
these alone, or with images that a generator made of them, always for as many steps, and tested on patients of its own.
"""

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from scipy.stats import t
from tables import CACHE, ROOT, Row, write_table

from privbench.audit.context import Context
from privbench.audit.types import ImageSet, Split, TrainingData, concatenate
from privbench.audit.whole import write_text_whole
from privbench.cohorts.brain_sim import brain_sim
from privbench.generators import blending, dfgm, ldm
from privbench.generators.blending import Blending
from privbench.generators.dfgm import Dfgm
from privbench.generators.ldm import Ldm
from privbench.generators.lesions import centres, colours, foreground, procedural, windows
from privbench.generators.lesions.few_shot import few_shot, trained
from privbench.metrics.segmenter import segment, train_segmenter
from privbench.metrics.training import Recipe

PAGE = ROOT / "docs" / "few-shot.md"
ARMS = ("real", "blending", "dfgm", "ldm")
SEEDS = (0, 1, 2)
PATIENTS = (16, 4)  # of each centre
EACH = 4  # synthetic images for every real one
SEGMENTER = Recipe(steps=1000, batch=16, rate=4e-3)
COHORT = {"members": 132, "holdout": 132, "reference": 1, "public": 80, "reserve": 1}
GENERATORS: dict[str, dict[str, object]] = {"blending": {}, "dfgm": {}, "ldm": {"lesion": "mask"}}
DEPENDS = {
    "blending": (blending, foreground, windows),
    "dfgm": (dfgm, centres, colours, foreground, procedural, windows),
    "ldm": (ldm,),
}
"""Modules whose change starts an arm anew."""
PUBLIC_PARTS = ("autoencoder", "shared")  # of dfgm: the same for any number of patients
CONFIDENCE = 0.95


@cache
def world(seed: int) -> tuple[Split, "tempfile.TemporaryDirectory[str]"]:
    """A cohort, and a folder of this run for what its arms share."""
    home = tempfile.TemporaryDirectory(prefix="few-shot-", ignore_cleanup_errors=True)
    return brain_sim(Context(seed=seed, path=("cohort", "brain-sim"), folder=Path(home.name)), **COHORT), home


def dice(seed: int, patients: int, arm: str) -> Row:
    """Dice by centre of a segmenter trained on ``patients`` of each centre and, beside them, on the arm's images."""
    split, home = world(seed)
    real = trained(split.members, few_shot(split.members, patients, seed))
    images = real if arm == "real" else concatenate(real, synthetic(arm, seed, patients, split, real, Path(home.name)))
    context = Context(seed=seed, path=("dice",))  # one for all arms: the same initial weights, batches, augmentation
    with context.progress.task("training segmenter", SEGMENTER.steps) as step:
        model = train_segmenter(images, SEGMENTER, context, step)
    scores = segment(model, split.holdout, "cpu")
    assert split.holdout.center is not None
    return {c: float(scores[split.holdout.center == c].mean()) for c in np.unique(split.holdout.center).tolist()}


def synthetic(arm: str, seed: int, patients: int, split: Split, real: ImageSet, home: Path) -> ImageSet:
    """What the arm's generator, with its defaults at quick, makes of the few patients."""
    options = GENERATORS[arm]
    folder = home / f"{arm}-{patients}"
    folder.mkdir(exist_ok=True)
    context = Context(seed=seed, path=("generator", arm), folder=folder)
    data = TrainingData(real, split.public)
    if arm == "ldm":
        generator: Ldm | Dfgm | Blending = Ldm(**options)  # type: ignore[arg-type]
    elif arm == "dfgm":
        for file in (f for part in PUBLIC_PARTS for f in home.glob(f"dfgm-*/{part}.*")):
            if not (folder / file.name).exists():
                shutil.copy(file, folder)
        generator = Dfgm(patients=patients, **options)  # type: ignore[arg-type]
    else:
        generator = Blending(patients=patients, **options)  # type: ignore[arg-type]
    generator.fit(data, context)
    return generator.sample(EACH * len(real), data, folder, context.under("sample"))


def finished(seed: int, patients: int, arm: str, *, resume: bool) -> Row:
    """``dice``, read where it was computed before by the same code."""
    digest = hashlib.sha256(repr((SEGMENTER, EACH, COHORT, GENERATORS.get(arm))).encode())
    for module in DEPENDS.get(arm, ()):
        digest.update(Path(str(module.__file__)).read_bytes())
    file = CACHE / "few-shot-dice" / f"{patients}-{arm}-{seed}-{digest.hexdigest()[:12]}.json"
    if not (resume and file.exists()):
        write_text_whole(file, json.dumps(dice(seed, patients, arm)))
    row: Row = json.loads(file.read_text(encoding="utf-8"))
    sys.stderr.write(f"{patients} patients, {arm}, seed {seed}: {np.mean(list(row.values())):.3f}\n")
    return row


def measures(row: Row) -> np.ndarray:
    """Mean over the centres, the worst of them, and their standard deviation."""
    values = np.array(list(row.values()))
    return np.array([values.mean(), values.min(), values.std(ddof=1)])


def interval(values: np.ndarray) -> tuple[float, float]:
    """Of the mean over seeds: Student's t, for a seed has patients, scanners and trainings of its own."""
    half = t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def table(rows: dict[tuple[int, str], Sequence[Row]]) -> list[list[str]]:
    """One line an arm: Dice, worst centre and spread, and how far each is from the real patients alone."""
    lines = []
    for (patients, arm), of_arm in rows.items():
        found = np.array([measures(row) for row in of_arm])
        cells = [str(patients), arm if arm == "real" else f"real + {arm}"]
        change = found - np.array([measures(row) for row in rows[patients, "real"]])
        for k in range(found.shape[1]):
            cell = f"{found[:, k].mean():.3f}"
            if arm != "real":
                cell += " ({:+.3f}: {:+.3f} to {:+.3f})".format(change[:, k].mean(), *interval(change[:, k]))
            cells.append(cell)
        lines.append(cells)
    return lines


def differences(rows: dict[tuple[int, str], Sequence[Row]]) -> list[list[str]]:
    """What ``dfgm`` has over each other generator, on the same patients and seeds."""
    lines = []
    for (patients, arm), of_arm in rows.items():
        if arm in {"real", "dfgm"} or (patients, "dfgm") not in rows:
            continue
        pairs = zip(rows[patients, "dfgm"], of_arm, strict=True)
        change = np.array([measures(mine) - measures(other) for mine, other in pairs])
        cells = ["{:+.3f} ({:+.3f} to {:+.3f})".format(c.mean(), *interval(c)) for c in change.T]
        lines.append([str(patients), f"dfgm - {arm}", *cells])
    return lines


def main() -> None:
    """Train, and write both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="worlds (default: 0 1 2)")
    parser.add_argument("--patients", type=int, nargs="+", default=PATIENTS, help="of each centre (default: 16 4)")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS, help="beside real (default: all)")
    parser.add_argument(
        "--resume", action=argparse.BooleanOptionalAction, default=True, help="use what validation/.cache/ has"
    )
    options = parser.parse_args()
    if len(set(options.seeds)) < 2:
        parser.error("--seeds: give two or more, for an interval over them")
    arms = ("real", *(arm for arm in ARMS if arm in options.arms and arm != "real"))
    cells = {(patients, arm): [] for patients in options.patients for arm in arms}
    for seed in options.seeds:
        for (patients, arm), rows in cells.items():
            rows.append(finished(seed, patients, arm, resume=options.resume))
    command = " ".join(["python validation/few_shot_dice.py", *sys.argv[1:]])
    named = ["Dice", "worst centre", "spread of centres"]
    write_table("few-shot-dice", ["patients a centre", "trained on", *named], table(cells), command, PAGE)
    write_table("few-shot-differences", ["patients a centre", "difference", *named], differences(cells), command, PAGE)


if __name__ == "__main__":
    main()
