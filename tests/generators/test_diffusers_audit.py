"""A whole audit of a pipeline that privbench did not train."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image

import privbench
from privbench.audit.context import Context
from privbench.audit.types import TrainingData
from privbench.generators.diffusers import Diffusers
from privbench.generators.pipelines import overfit as pipeline_overfit
from privbench.testing import World

from .made_pipelines import SIZE, ddpm, dit, unet  # isort: skip  # after the generator, which repairs torchvision
import diffusers  # isort: skip

STEPS = 220
PEOPLE = World(patients=10, reference=10, reserve=0, public=0, images=1, side=SIZE, noise=0.15)


def learned(images, folder):
    """A pixel DDPM trained on ``images`` by diffusers' own means, with nothing of privbench."""
    with Context(seed=2).torch_scope("weights"):
        model = unet(block_out_channels=(16, 32), norm_num_groups=8)
    scheduler = diffusers.DDPMScheduler(prediction_type="v_prediction")
    optimizer = torch.optim.Adam(model.parameters(), 4e-3)
    rng = torch.Generator().manual_seed(0)
    pixels = 2 * torch.tensor(images.pixels) - 1
    for _ in range(STEPS):
        clean = pixels[torch.randint(len(pixels), (16,), generator=rng)]
        t, noise = torch.randint(1000, (16,), generator=rng), torch.randn(clean.shape, generator=rng)
        predicted = model(scheduler.add_noise(clean, noise, t), t).sample
        loss = torch.nn.functional.mse_loss(predicted, scheduler.get_velocity(clean, noise, t))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    diffusers.DDPMPipeline(model, scheduler).save_pretrained(folder)
    return folder


def written(split, folder):
    """The cohort as somebody would hand it over: pictures and a table."""
    folder.mkdir()
    with (folder / "metadata.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file_name", "patient", "split"])
        for part, images in split.parts():
            for i in range(len(images)):
                Image.fromarray(np.round(255 * images.pixels[i, 0]).astype(np.uint8)).save(folder / f"{part}{i}.png")
                table.writerow([f"{part}{i}.png", images.patient[i], part])
    return folder


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    """Audits of a pipeline that was trained on the members."""
    home = tmp_path_factory.mktemp("audit")
    split = PEOPLE.split(0)
    cohort, trained = written(split, home / "cohort"), learned(split.members, home / "trained")

    def run(path=trained, **changes):
        options = {"path": str(path), "sampler": "ddim", "sampling_steps": 3}
        spec = {"cohort": {"name": "folder", "options": {"path": str(cohort)}}, "attacks": ["loss"]}
        spec |= {"generator": {"name": "diffusers", "options": options}, "metrics": ["none"], "certificate": "none"}
        name = "-".join([path.name, *changes])
        return privbench.run(spec | changes, out=home / name, store=home / "store")

    return run


def auc(record):
    return record.finding("loss").estimate("auc").value


def test_members_of_a_pipeline_that_somebody_else_trained_are_found(audit, tmp_path):
    record = audit()
    assert record.access == "WEIGHTS"
    assert auc(record) > 0.8
    assert abs(auc(audit(ddpm(tmp_path / "random"))) - 0.5) < abs(auc(record) - 0.5) - 0.1
    said = "\n".join(record.declaration.notes)
    assert "DDPMPipeline" in said
    assert "predicts v_prediction" in said


def test_who_sees_samples_only_cannot_query_the_denoiser(audit):
    record = audit(access="samples")
    assert record.access == "SAMPLES"
    assert record.finding("loss").status == "skipped"
    assert record.finding("loss").reason == "needs DENOISER, diffusers grants SAMPLES"


def test_the_power_certificate_trains_the_pipeline_on_and_never_takes_it_for_an_overfitted_one(audit, tmp_path):
    found = audit(ddpm(tmp_path / "random"), certificate="thorough").finding("loss")
    assert any("overfitted to" in note for note in found.notes)
    assert found.estimate("auc").detectable is not None


@pytest.mark.parametrize("kind", ["pixels", "classes"])
def test_overfitting_lowers_the_loss_of_whom_it_knows(tmp_path, make_images, monkeypatch, kind):
    monkeypatch.setattr(pipeline_overfit, "STEPS", 100)
    people = make_images("person", 4, per_patient=1, size=SIZE)
    path = dit(tmp_path / "p", num_embeds_ada_norm=4) if kind == "classes" else ddpm(tmp_path / "p")
    folders = [tmp_path / name for name in ("fitted", "overfitted")]
    fitted, overfitted = (Context(seed=1, folder=folder) for folder in folders)
    for folder in folders:
        folder.mkdir()
    generator = Diffusers(path=path)
    generator.fit(TrainingData(people), fitted)
    one = TrainingData(people.take(people.label == 1))
    generator.overfit(one, folders[0], overfitted)
    assert not list(folders[1].rglob("*checkpoint*"))

    def loss(folder, images):
        denoiser = generator.denoiser(one, folder, fitted)
        queries = denoiser.prepare(images)
        total = 0.0
        for t in (300, 500, 700):
            noise = torch.randn(queries.latents.shape, generator=torch.Generator().manual_seed(t))
            abar = float(denoiser.alphas_cumprod[t])
            x_t = abar**0.5 * queries.latents + (1 - abar) ** 0.5 * noise
            predicted = denoiser.predict_noise(x_t, torch.full((len(images),), t), queries.condition)
            total += float((predicted - noise).square().mean())
        return total

    assert loss(folders[1], one.members) < 0.8 * loss(folders[0], one.members)
    # What class a label is was settled with all members; two of them alone do not change it.
    queries = generator.denoiser(one, folders[1], fitted).prepare(people)
    if kind == "classes":
        np.testing.assert_array_equal(queries.condition[0], people.label)
