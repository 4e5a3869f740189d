"""Deliberately broken generators: each is caught by the check that is named."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

import privbench as pb
from privbench.testing import (
    ConformanceError,
    Memorizer,
    check_generator,
    generator_checks,
)


def assert_caught(checks, name, seen):
    """The check of that name fails and says ``seen``."""
    with pytest.raises(ConformanceError, match=seen) as error:
        dict(checks)[name]()
    assert [failure.check for failure in error.value.failures] == [name]


class Plain:
    """A generator that blurs members together; each broken one below changes one thing."""

    def fit(self, data, context):
        with context.progress.task("averaging", 4) as step:
            for i in range(4):
                part = context.folder / f"{i}.npy"
                if not part.exists():
                    np.save(part, data.members.pixels[i % len(data.members) :: 4].mean(axis=0))
                step()

    def sample(self, n, data, model, context):
        n = len(data.members) if n is None else n
        parts = np.stack([np.load(model / f"{i}.npy") for i in range(4)])
        weight = context.rng("weights").dirichlet(np.ones(4), n).astype(np.float32)
        pixels = np.clip(np.tensordot(weight, parts, 1), 0, 1)
        return pb.ImageSet(pixels, self.names(n, data))

    def names(self, n, data):
        return np.array([f"synthetic-{i}" for i in range(n)])

    def denoiser(self, data, model, context):
        return Memorizer(data.members)


def generator(**changes):
    """``Plain`` with some methods replaced."""
    access = changes.pop("access", pb.Access.SAMPLES)
    made = type("Made", (Plain,), {"__doc__": "A generator.", **changes})
    return pb.generator(access=access)(made)


def test_the_generator_that_is_broken_below_is_fine_otherwise():
    check_generator(generator())


def pickling(self, data, context):
    Plain.fit(self, data, context)
    (context.folder / "model.bin").write_bytes(pickle.dumps({"mean": 1.0}))


def torch_saving(self, data, context):
    Plain.fit(self, data, context)
    torch.save({"weight": torch.zeros(2)}, context.folder / "weights")


def object_array(self, data, context):
    Plain.fit(self, data, context)
    np.save(context.folder / "names.npy", np.array(["a", None], dtype=object))


@pytest.mark.parametrize("fit", [pickling, torch_saving, object_array])
def test_a_generator_that_pickles(fit):
    assert_caught(generator_checks(generator(fit=fit)), "keeps no pickle", "hold pickled objects")


def test_one_that_writes_elsewhere(tmp_path):
    def fit(self, data, context):
        Plain.fit(self, data, context)
        (tmp_path / "weights.txt").write_text("x")

    assert_caught(generator_checks(generator(fit=fit)), "writes only into its folder", "weights.txt")

    def careless(self, data, context):
        Plain.fit(self, data, context)
        np.save("average.npy", np.zeros(2))

    assert_caught(generator_checks(generator(fit=careless)), "writes only into its folder", r"average\.npy")


def test_one_that_returns_members_names():
    def names(self, n, data):
        return np.array([f"synthetic-{i}" for i in range(n - 1)] + [data.members.patient[0]])

    assert_caught(generator_checks(generator(names=names)), "names no member", "1 images have a real patient's name")


def test_one_whose_source_is_no_member():
    def sample(self, n, data, model, context):
        images = Plain.sample(self, n, data, model, context)
        return replace(images, source=np.full(len(images), "somebody"))

    assert_caught(generator_checks(generator(sample=sample)), "names no member", "source are no member")


def test_one_that_ignores_n():
    def sample(self, n, data, model, context):
        return Plain.sample(self, None, data, model, context)

    assert_caught(
        generator_checks(generator(sample=sample)), "releases as many as it is asked for", "asked for 1 images it gave"
    )


def test_an_unseeded_one():
    def sample(self, n, data, model, context):
        images = Plain.sample(self, n, data, model, context)
        noise = np.random.default_rng().random(images.pixels.shape, dtype=np.float32)
        return replace(images, pixels=images.pixels * (1 - 0.01 * noise))

    assert_caught(
        generator_checks(generator(sample=sample)), "gives the same images under the same seed", "different images"
    )
    assert_caught(generator_checks(generator(sample=sample)), "reads its model from disk", "differ")


def test_one_that_touches_a_global_generator():
    def fit(self, data, context):
        torch.manual_seed(0)
        Plain.fit(self, data, context)

    assert_caught(generator_checks(generator(fit=fit)), "touches no global generator", "torch was used")


def test_one_that_changes_the_members():
    def fit(self, data, context):
        Plain.fit(self, data, context)
        data.members.pixels[0] = 0

    assert_caught(generator_checks(generator(fit=fit)), "leaves its inputs alone", "changed its input: members")


def test_one_that_keeps_its_state_in_memory():
    def fit(self, data, context):
        self.fitted = True

    def sample(self, n, data, model, context):
        assert self.fitted
        return pb.ImageSet(np.zeros((n or 4, 1, 32, 32), np.float32), self.names(n or 4, data))

    assert_caught(
        generator_checks(generator(fit=fit, sample=sample)), "reads its model from disk", "no attribute 'fitted'"
    )


def test_one_that_a_kill_spoils():
    def fit(self, data, context):
        done = context.folder / "done.txt"
        if done.exists():
            return
        done.write_text("too early")
        with context.progress.task("averaging", 4) as step:
            for i in range(4):
                np.save(context.folder / f"{i}.npy", data.members.pixels[i % len(data.members) :: 4].mean(axis=0))
                step()

    assert_caught(generator_checks(generator(fit=fit)), "continues a fit that was killed", "FileNotFoundError")


def test_one_that_goes_on_learning_when_it_has_finished():
    def fit(self, data, context):
        for i in range(4):
            part = context.folder / f"{i}.npy"
            before = np.load(part) if part.exists() else 0
            np.save(part, data.members.pixels[i % len(data.members) :: 4].mean(axis=0) * 0.5 + before)

    assert_caught(generator_checks(generator(fit=fit)), "is not harmed by fitting twice", "changed the images")


def test_one_that_breaks_on_a_single_patient():
    def fit(self, data, context):
        Plain.fit(self, data, context)
        1 / (len(data.members.patients) - 1)

    assert_caught(generator_checks(generator(fit=fit)), "takes one patient", "1 member patients it raised")


def test_pixels_out_of_range():
    def sample(self, n, data, model, context):
        images = Plain.sample(self, n, data, model, context)
        return replace(images, pixels=images.pixels * 255)

    checks = generator_checks(generator(sample=sample))
    assert_caught(checks, "releases images like the cohort's", r"not in \[0, 1\]")


class Careless(Memorizer):
    """A denoiser with one fault."""

    fault = ""

    @property
    def alphas_cumprod(self):
        found = super().alphas_cumprod
        return {"float32": found.float(), "rising": found.flip(0)}.get(self.fault, found)

    def prepare(self, images):
        queries = super().prepare(images)
        noise = torch.rand(queries.latents.shape) if self.fault == "drawn" else 0
        return replace(queries, latents=queries.latents + noise)

    def unconditional(self, condition):
        return (condition[0] + 1,) if self.fault == "told" else super().unconditional(condition)

    def predict_noise(self, x_t, t, condition):
        found = super().predict_noise(x_t, t, condition)
        if self.fault == "dropout":
            return torch.nn.functional.dropout(found, 0.1)
        if self.fault == "gradient":
            return found * torch.ones(1, requires_grad=True)
        if self.fault == "closed":
            return found.detach()
        return found[:, :, 1:] if self.fault == "shape" else found


@pytest.mark.parametrize(
    ("fault", "check", "seen"),
    [
        ("float32", "states its noise schedule", "float32"),
        ("rising", "states its noise schedule", "does not fall"),
        ("drawn", "prepares images the same way twice", "global generator"),
        ("dropout", "predicts noise", "two predictions differ"),
        ("shape", "predicts noise", "it predicted"),
        ("gradient", "keeps no gradient", "carry a gradient"),
        ("closed", "opens its network", "no gradient reaches"),
        ("told", "can be told nothing, if it says so", "of itself is something else"),
    ],
)
def test_a_careless_denoiser(fault, check, seen):
    def denoiser(self, data, model, context):
        kind = type("Faulty", (Careless,), {"fault": fault})
        return kind(data.members)

    made = generator(denoiser=denoiser, access=pb.Access.WEIGHTS)
    assert_caught(generator_checks(made), check, seen)


def test_a_denoiser_without_fault_is_fine():
    check_generator(generator(access=pb.Access.WEIGHTS))
