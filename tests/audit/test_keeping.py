"""What is costly and serves more than one audit is made once."""

import json

import numpy as np
import pytest

from privbench.audit.context import Context, Silent
from privbench.audit.keeping import StoreKeeper
from privbench.audit.store import Store
from privbench.audit.types import ImageSet


def images(value):
    return ImageSet(np.full((3, 1, 4, 4), value, np.float32), np.array(["a", "b", "c"]))


@pytest.fixture
def context(tmp_path):
    keeper = StoreKeeper(Store(tmp_path, Silent()), {"code": "1", "seed": 0})
    return Context(path=("attack", "toy"), keeper=keeper)


@pytest.fixture
def counted():
    def make():
        make.calls += 1
        return {"weight": np.arange(6, dtype=np.float32).reshape(2, 3), "steps": np.array(7)}

    make.calls = 0
    return make


def test_the_same_inputs_are_made_once_and_come_back_to_the_bit(context, counted):
    first, again = (context.kept("net", counted, images(0.5), 16, "wide") for _ in range(2))
    assert counted.calls == 1
    assert set(first) == {"weight", "steps"}
    for name, value in counted().items():
        assert (again[name] == value).all()
        assert (again[name].dtype, again[name].shape) == (value.dtype, value.shape)


@pytest.mark.parametrize("inputs", [(images(0.25), 16), (images(0.5), 17), (images(0.5),), (images(0.5), "16")])
def test_other_inputs_are_made_anew(context, counted, inputs):
    context.kept("net", counted, images(0.5), 16)
    context.kept("net", counted, *inputs)
    assert counted.calls == 2


def test_another_name_plugin_or_code_is_made_anew(context, counted, tmp_path):
    context.kept("net", counted)
    context.kept("other", counted)
    context.under("deeper").kept("net", counted)
    Context(path=context.path, keeper=StoreKeeper(Store(tmp_path, Silent()), {"code": "2", "seed": 0})).kept(
        "net", counted
    )
    assert counted.calls == 4


def test_without_a_store_it_is_made_every_time(counted):
    context = Context()
    context.kept("net", counted)
    context.kept("net", counted)
    assert counted.calls == 2


def test_what_is_kept_says_what_it_depends_on_but_shows_no_patient(context, counted, tmp_path):
    context.kept("net", counted, images(0.5), 16)
    (stage,) = (tmp_path / "kept").glob("*/stage.json")
    inputs = json.loads(stage.read_text())["inputs"]
    assert inputs["path"] == ["attack", "toy", "net"]
    assert inputs["inputs"][1] == 16
    assert len(inputs["inputs"][0]) == 64, "a hash of the images"
