"""Attacks with access to the denoiser on models overtrained on few patients: the tables of docs/denoiser-attacks.md."""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from tables import ROOT, write_table

from privbench.attacks.conditional_gap import conditional_gap
from privbench.attacks.loss import loss
from privbench.attacks.pfami import pfami
from privbench.attacks.pia import pia
from privbench.attacks.pian import pian
from privbench.attacks.secmi import secmi
from privbench.audit.context import Auxiliary, Context
from privbench.audit.errors import SkippedError
from privbench.audit.measures.measured import Truth
from privbench.audit.measures.membership import measure_membership
from privbench.audit.record import Estimate
from privbench.audit.target import Access, Target
from privbench.audit.types import FloatArray, ImageSet, MembershipScores, Split, TrainingData, concatenate
from privbench.cohorts.brain_sim import brain_sim
from privbench.generators.diffusers import Diffusers
from privbench.generators.dp_ldm import DpLdm
from privbench.generators.ldm import Ldm

import diffusers  # isort: skip  # after the generator, which repairs torchvision

PAGE = ROOT / "docs" / "denoiser-attacks.md"
ATTACKS: dict[str, Callable[..., MembershipScores]] = {
    "loss": loss,
    "secmi": secmi,
    "pia": pia,
    "pian": pian,
    "pfami": pfami,
    "conditional-gap": conditional_gap,
}
MEMBERS, HOLDOUT = 20, 300
STEPS, BATCH, RATE, DROP = 900, 20, 4e-3, 0.2
PRIVATE = 100


def cohort(size: int, members: int, holdout: int, public: int, folder: Path) -> Split:
    """One slice of each patient."""
    folder.mkdir(parents=True)
    counts = {"members": members, "holdout": holdout, "reference": 4, "public": public, "reserve": 1}
    return brain_sim(Context(seed=0, folder=folder), size=size, visits=1, slices=1, **counts)


def pixel_model(members: ImageSet, folder: Path) -> Diffusers:
    """A DDPM of 160,000 weights on pixels, told the label of four images in five, trained by diffusers' own means."""
    size, labels = members.spatial[0], int(members.label.max()) + 1 if members.label is not None else 0
    with Context(seed=3).torch_scope("weights"):
        unet = diffusers.UNet2DModel(
            sample_size=size,
            in_channels=1,
            out_channels=1,
            block_out_channels=(16, 32),
            down_block_types=("DownBlock2D",) * 2,
            up_block_types=("UpBlock2D",) * 2,
            norm_num_groups=8,
            layers_per_block=1,
            add_attention=False,
            num_class_embeds=labels + 1,
        )
    scheduler = diffusers.DDPMScheduler()
    optimizer = torch.optim.Adam(unet.parameters(), RATE)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS)
    rng = torch.Generator().manual_seed(0)
    pixels, label = 2 * torch.tensor(members.pixels) - 1, torch.tensor(members.label)
    for _ in range(STEPS):
        chosen, t = torch.randint(len(pixels), (BATCH,), generator=rng), torch.randint(1000, (BATCH,), generator=rng)
        noise = torch.randn((BATCH, 1, size, size), generator=rng)
        told = label[chosen].where(torch.rand(BATCH, generator=rng) > DROP, torch.tensor(labels))
        predicted = unet(scheduler.add_noise(pixels[chosen], noise, t), t, class_labels=told).sample
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(predicted, noise).backward()
        optimizer.step()
        rates.step()
    diffusers.DDPMPipeline(unet, scheduler).save_pretrained(folder / "pipeline")
    return Diffusers(path=folder / "pipeline", batch=512, null_class=labels)


def overtrained_pixels(home: Path) -> tuple[Split, Diffusers]:
    """The pixel model, and whom it was trained on."""
    split = cohort(16, MEMBERS, HOLDOUT, 1, home / "cohort")
    return split, pixel_model(split.members, home)


def overtrained_latents(home: Path) -> tuple[Split, Ldm]:
    """A latent model with too many steps for so few patients, told label, centre and mask as by default."""
    split = cohort(32, MEMBERS, HOLDOUT, 1, home / "cohort")
    return split, Ldm(autoencoder_steps=150, steps=STEPS, channels=16, autoencoder_channels=16, batch=BATCH)


def private(home: Path) -> tuple[Split, DpLdm]:
    """dp-ldm at epsilon 3, on more patients: with few there is nobody to hide among."""
    split = cohort(32, PRIVATE, PRIVATE, 40, home / "cohort")
    return split, DpLdm(
        epsilon=3, autoencoder_steps=100, public_steps=300, steps=24, channels=16, autoencoder_channels=16
    )


MODELS: dict[str, Callable[[Path], tuple[Split, Diffusers | Ldm | DpLdm]]] = {
    "pixels": overtrained_pixels,
    "latents": overtrained_latents,
    "private": private,
}


def study(make: Callable[[Path], tuple[Split, Diffusers | Ldm | DpLdm]]) -> list[list[str]]:
    """A row an attack: its AUC, TPR at 1% FPR as the paper has the score, and turned around."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        split, model = make(home)
        context, data = Context(seed=1, folder=home), TrainingData(split.members, split.public)
        model.fit(data, context)
        denoiser = model.denoiser(data, home, context)
        candidates = concatenate(split.members, split.holdout)
        truth = Truth(candidates, np.isin(candidates.patient, split.members.patient), candidates.patient, candidates)
        target = Target(candidates.take(slice(0, 0)), Access.DENOISER, "model", lambda: denoiser)
        aux = Auxiliary(split.reference, None, Context(seed=2))
        for name, attack in ATTACKS.items():
            started = time.process_time()
            try:
                score = attack(target, candidates, aux).score
            except SkippedError as error:
                rows.append([f"`{name}`", f"skipped: {error}", "", "", ""])
                continue
            seconds = time.process_time() - started
            auc, tpr = estimates(score, truth)
            _, turned = estimates(-score, truth)
            rows.append([f"`{name}`", shown(auc), shown(tpr), shown(turned), f"{seconds:.1f}"])
    return rows


def estimates(score: FloatArray, truth: Truth) -> tuple[Estimate, Estimate]:
    """The engine's AUC and TPR at 1% FPR, by patient."""
    found = measure_membership(MembershipScores(score), truth, Context(seed=3)).estimates
    auc, tpr = (next(e for e in found if e.name == name and not e.group) for name in ("auc", "tpr@fpr=0.01"))
    return auc, tpr


def shown(estimate: Estimate) -> str:
    """Value and interval."""
    if estimate.value is None:
        return estimate.note
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def main(chosen: Sequence[str] = tuple(MODELS)) -> None:
    """Train each model, attack it, and write its table."""
    header = ["attack", "AUC", "TPR at 1% FPR", "the same, score turned around", "CPU-s"]
    for name in chosen:
        write_table(name, header, study(MODELS[name]), "python validation/denoiser_attacks.py", PAGE)


if __name__ == "__main__":
    main()
