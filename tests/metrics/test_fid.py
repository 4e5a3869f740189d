from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from privbench.audit import inception
from privbench.audit.context import Context
from privbench.audit.errors import SkippedError
from privbench.audit.types import Split
from privbench.metrics.fid import fid


def test_without_the_extra_the_finding_says_how_to_get_it(split, fresh, monkeypatch):
    monkeypatch.setattr(inception.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SkippedError, match=r"pip install privbench\[fid\]"):
        fid(fresh, split, Context())


def test_without_the_weights_the_finding_says_where_they_must_lie(split, fresh, monkeypatch, tmp_path):
    monkeypatch.setattr(inception.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(SkippedError) as error:
        fid(fresh, split, Context())
    assert f"$TORCH_HOME/hub/checkpoints; get them from {inception.URL}" in str(error.value)
    assert str(tmp_path) not in str(error.value)  # a report names no home folder
    assert inception.URL in str(error.value)


def test_volumes_and_two_channels_are_skipped(split, fresh):
    double = [
        replace(p, pixels=np.repeat(p.pixels, 2, axis=1)) for p in (split.members, split.holdout, split.reference)
    ]
    with pytest.raises(SkippedError, match="1 or 3 channels"):
        fid(fresh, Split(*double), Context())


@pytest.fixture
def random_weights(tmp_path, monkeypatch):
    """A file of random weights where the published ones would lie."""
    if any(inception.importlib.util.find_spec(name) is None for name in ("pytorch_fid", "torchvision")):
        pytest.skip("extra fid is not installed")
    from pytorch_fid import inception as network

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with torch.random.fork_rng(), monkeypatch.context() as patch:
        torch.manual_seed(0)
        taken = {}

        def keep(*_, **__):
            raise LookupError

        patch.setattr(network, "load_state_dict_from_url", keep)
        original = network._inception_v3
        patch.setattr(network, "_inception_v3", lambda *a, **k: taken.setdefault("model", original(*a, **k)))
        with pytest.raises(LookupError):
            network.fid_inception_v3()
        for parameter in taken["model"].parameters():
            if parameter.ndim == 4:
                torch.nn.init.kaiming_normal_(parameter)
    path = tmp_path / "hub" / "checkpoints" / inception.WEIGHTS
    path.parent.mkdir(parents=True)
    torch.save(taken["model"].state_dict(), path)
    return path


def test_fid_agrees_with_pytorch_fid_itself(split, fresh, random_weights, tmp_path):
    from pytorch_fid.fid_score import calculate_fid_given_paths

    parts = []
    for name, images in (("s", fresh), ("m", split.members), ("h", split.holdout)):
        eight_bit = np.round(images.pixels[:12] * 255).astype(np.uint8)
        (tmp_path / name).mkdir()
        for i, picture in enumerate(eight_bit):
            Image.fromarray(picture[0]).save(tmp_path / name / f"{i:02}.png")
        parts.append(replace(images.take(slice(12)), pixels=(eight_bit / 255).astype(np.float32)))
    samples, members, holdout = parts
    paths = [str(tmp_path / "s"), str(tmp_path / "h")]
    expected = calculate_fid_given_paths(paths, 12, "cpu", 2048, num_workers=0)
    reduced = Split(members=members, holdout=holdout, reference=split.reference)
    m = fid(samples, reduced, Context(), resamples=20)
    overall, control = m.estimates
    assert overall.name == "fid"
    assert overall.value == pytest.approx(expected, rel=1e-3)
    assert overall.low <= overall.value <= overall.high
    assert overall.null == control.value


def test_a_file_of_other_weights_is_refused(split, fresh, random_weights):
    torch.save({"other": torch.zeros(1)}, random_weights)
    with pytest.raises(SkippedError, match="does not hold"):
        fid(fresh, split, Context(), weights=random_weights)
