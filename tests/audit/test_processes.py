"""Several processes train one generator together, and one audit comes out."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("accelerate")

AUDIT = ("run", "-c", "brain-sim", "--cohort-opt", "members=10", "--cohort-opt", "holdout=10", "--cohort-opt")
AUDIT += ("reference=10", "--cohort-opt", "reserve=8", "--cohort-opt", "size=32", "-g", "ldm", "-q", "--json")
AUDIT += ("-a", "none", "-m", "none", "--certificate", "none", "--samples", "4", "--device", "cpu")
for option in ("autoencoder_steps=3", "steps=4", "batch=4", "channels=16", "autoencoder_channels=16", "ema=0"):
    AUDIT += ("--generator-opt", option)


def run(where, *launcher):
    done = subprocess.run(
        [sys.executable, *launcher, "-m", "privbench", *AUDIT, "--store", where / "store", "--out", where / "run"],
        cwd=where,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_two_processes_make_the_audit_that_one_makes(tmp_path):
    import numpy as np

    images = {}
    for name, launcher in (
        ("one", ()),
        (
            "two",
            ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python", sys.executable),
        ),
    ):
        where = tmp_path / name
        where.mkdir()
        record = run(where, *launcher)
        assert record["provenance"]["device"] == "cpu"
        (stage,) = (where / "store" / "samples").glob("*/samples.pixels.npy")
        images[name] = np.load(stage)
        assert not list((where / "store").glob("*/*.partial"))
    np.testing.assert_allclose(images["one"], images["two"], atol=1e-4)
