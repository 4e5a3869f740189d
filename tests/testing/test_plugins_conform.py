"""Every built-in, the example package and the page on plugins keep the contract that the kit checks."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import diffusers
import nibabel
import numpy as np
import pytest
from PIL import Image

from privbench.audit import registry
from privbench.audit.catalogue import available
from privbench.audit.context import Context
from privbench.testing import World, check_attack, check_cohort, check_generator, check_guard, check_metric

PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"

# Trainings of a few steps: what they can show is the contract, not the strength of an attack.
ATTACKS = {
    "conditional-gap": {"seeds": 12, "noises": 2},
    "pfami": {"seeds": 12, "noises": 2, "copies": 2},
    "pia": {"seeds": 12},
    "pian": {"seeds": 12},
    "secmi": {"seeds": 12, "stride": 0.05},
    "attribute-inference": {"seeds": 12, "steps": 20, "world": World(visible=False)},
    "dp-canary": {"seeds": 8, "canaries": 40, "timesteps": 3, "noises": 1},
    "domias": {"seeds": 20},
    "gan-leaks": {"seeds": 40},
    "gradient-norms": {"seeds": 6, "shadows": 2, "timesteps": 2},
    "lira": {"seeds": 12, "shadows": 4, "timesteps": 2, "noises": 1},
    "logan": {"seeds": 20, "space": "pca"},
    "loss": {"seeds": 12, "timesteps": 3, "noises": 2},
    "monte-carlo": {"seeds": 20, "space": "pca"},
    "nearest": {"seeds": 5, "steps": 20},
    "rmia": {"seeds": 12, "shadows": 4, "timesteps": 2, "noises": 1},
    "siamese": {"seeds": 6, "steps": 20},
}
TINY = {"batch": 4, "channels": 16, "autoencoder_channels": 16, "sampling_steps": 2, "autoencoder_steps": 3, "steps": 3}
GENERATORS = {
    "augment": {},
    "gaussian": {},
    "copycat": {},
    "fresh": {},
    "blending": {},
    "ldm": TINY,
    "dfgm": TINY | {"shared_steps": 3, "blends": 1},
    "dp-ldm": TINY | {"public_steps": 3},
}
GUARDS = {"min-distance": {"tau": 0.04}}
METRICS = {
    "fid": {},
    "frechet": {"resamples": 20},
    "dice": {
        "steps": 2,
        "batch": 2,
        "resamples": 100,
        "world": World(patients=4, reserve=8),
        "leave_out": {"does not prefer noise to real images": "two steps teach a segmenter nothing of either"},
    },
    "roc-auc": {"steps": 4, "batch": 4, "resamples": 100},
}


def built_in(kind, name):
    return registry.load(kind, name).target


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_keeps_the_contract(name):
    check_attack(built_in("attack", name), **ATTACKS[name])


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_keeps_the_contract(name):
    check_generator(built_in("generator", name), **GENERATORS[name])


def test_a_folder_of_synthetic_images_keeps_the_contract(tmp_path):
    for i in range(8):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (32, 32), np.uint8)).save(tmp_path / f"{i}.png")
    check_generator(built_in("generator", "folder"), path=tmp_path)


def test_a_pipeline_of_diffusers_keeps_the_contract(tmp_path):
    generator = built_in("generator", "diffusers")  # loaded first: it repairs torchvision, which diffusers imports
    with Context(seed=1).torch_scope("weights"):
        unet = diffusers.UNet2DModel(
            sample_size=32,
            in_channels=1,
            out_channels=1,
            down_block_types=("DownBlock2D",) * 2,
            up_block_types=("UpBlock2D",) * 2,
            block_out_channels=(8, 16),
            norm_num_groups=4,
            num_class_embeds=2,
        )
    diffusers.DDPMPipeline(unet, diffusers.DDPMScheduler()).save_pretrained(tmp_path)
    check_generator(generator, path=tmp_path, sampling_steps=2)


@pytest.mark.parametrize("name", GUARDS)
def test_a_guard_keeps_the_contract(name):
    check_guard(built_in("guard", name), **GUARDS[name])


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_keeps_the_contract(name):
    check_metric(built_in("metric", name), **METRICS[name])


def test_the_simulated_cohort_keeps_the_contract():
    check_cohort(built_in("cohort", "brain-sim"), size=16, members=4, holdout=4, reference=2, public=2, reserve=2)


def test_a_cohort_of_volumes_keeps_the_contract(tmp_path):
    for i in range(14):
        rng = np.random.default_rng(i)
        mask = np.zeros((20, 24, 6), np.uint8)
        mask[2:8, 10:16, 2:5] = 1
        for folder, array in (("images", rng.integers(0, 900, mask.shape, np.int16)), ("labels", mask)):
            (tmp_path / folder).mkdir(exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(array, np.diag([1.0, 1, 3, 1])), tmp_path / folder / f"{i}.nii.gz")
    check_cohort(built_in("cohort", "nifti"), path=tmp_path, size=16, slices=2)


def test_a_cohort_of_pictures_keeps_the_contract(tmp_path):
    with (tmp_path / "metadata.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file_name", "patient", "label", "center"])
        for i in range(32):
            Image.fromarray(np.random.default_rng(i).integers(0, 256, (24, 24), np.uint8)).save(tmp_path / f"{i}.png")
            writer.writerow([f"{i}.png", f"person{i // 2}", "ab"[i // 2 % 2], "XY"[i // 4 % 2]])
    check_cohort(built_in("cohort", "folder"), path=tmp_path)


def test_no_built_in_is_forgotten():
    tested = {
        "attack": {*ATTACKS, "guard-hole"},  # behind a guard: tests/attacks/test_guard_hole.py
        "generator": {*GENERATORS, "folder", "diffusers"},
        "guard": set(GUARDS),
        "metric": set(METRICS),
        "cohort": {"brain-sim", "nifti", "folder"},
    }
    for kind, names in tested.items():
        there = {entry.name for entry in available(kind).values() if entry.origin == "built-in"}
        assert there == names, kind


def test_the_example_package_keeps_the_contract(example):
    check_attack(built_in("attack", "example-distance"), seeds=6)
    check_attack(built_in("attack", "example-membership"), seeds=6, power=1.5)
    check_generator(built_in("generator", "example-mixture"), leak=0.5)
    check_metric(built_in("metric", "example-mean"))
    check_cohort(built_in("cohort", "example-blobs"), patients=4)


def test_the_page_on_plugins_works_as_it_stands(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks[-1].startswith("# test_my_plugins.py")
    (tmp_path / "my_plugins.py").write_text("\n\n".join(blocks[:-1]))
    (tmp_path / "test_my_plugins.py").write_text(blocks[-1])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_my_plugins.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "skipped" not in done.stdout.splitlines()[-1]
