"""One deliberately broken generator, metric or cohort for each failure, caught by the check of that name."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import privbench as pb
from privbench.testing import (
    ConformanceError,
    Memorizer,
    check_cohort,
    check_generator,
    check_metric,
    cohort_checks,
    generator_checks,
    metric_checks,
)


def caught(checks, name, seen):
    """The check of that name fails and says ``seen``."""
    with pytest.raises(ConformanceError, match=seen) as error:
        dict(checks)[name]()
    assert [failure.check for failure in error.value.failures] == [name]


# --- generators


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
    caught(generator_checks(generator(fit=fit)), "keeps no pickle", "hold pickled objects")


def test_one_that_writes_elsewhere(tmp_path):
    def fit(self, data, context):
        Plain.fit(self, data, context)
        (tmp_path / "weights.txt").write_text("x")

    caught(generator_checks(generator(fit=fit)), "writes only into its folder", "weights.txt")

    def careless(self, data, context):
        Plain.fit(self, data, context)
        np.save("average.npy", np.zeros(2))

    caught(generator_checks(generator(fit=careless)), "writes only into its folder", r"average\.npy")


def test_one_that_returns_members_names():
    def names(self, n, data):
        return np.array([f"synthetic-{i}" for i in range(n - 1)] + [data.members.patient[0]])

    caught(generator_checks(generator(names=names)), "names no member", "1 images have a real patient's name")


def test_one_whose_source_is_no_member():
    def sample(self, n, data, model, context):
        images = Plain.sample(self, n, data, model, context)
        return replace(images, source=np.full(len(images), "somebody"))

    caught(generator_checks(generator(sample=sample)), "names no member", "source are no member")


def test_one_that_ignores_n():
    def sample(self, n, data, model, context):
        return Plain.sample(self, None, data, model, context)

    caught(
        generator_checks(generator(sample=sample)), "releases as many as it is asked for", "asked for 1 images it gave"
    )


def test_an_unseeded_one():
    def sample(self, n, data, model, context):
        images = Plain.sample(self, n, data, model, context)
        noise = np.random.default_rng().random(images.pixels.shape, dtype=np.float32)
        return replace(images, pixels=images.pixels * (1 - 0.01 * noise))

    caught(generator_checks(generator(sample=sample)), "gives the same images under the same seed", "different images")
    caught(generator_checks(generator(sample=sample)), "reads its model from disk", "differ")


def test_one_that_touches_a_global_generator():
    def fit(self, data, context):
        torch.manual_seed(0)
        Plain.fit(self, data, context)

    caught(generator_checks(generator(fit=fit)), "touches no global generator", "torch was used")


def test_one_that_changes_the_members():
    def fit(self, data, context):
        Plain.fit(self, data, context)
        data.members.pixels[0] = 0

    caught(generator_checks(generator(fit=fit)), "leaves its inputs alone", "changed its input: members")


def test_one_that_keeps_its_state_in_memory():
    def fit(self, data, context):
        self.fitted = True

    def sample(self, n, data, model, context):
        assert self.fitted
        return pb.ImageSet(np.zeros((n or 4, 1, 32, 32), np.float32), self.names(n or 4, data))

    caught(generator_checks(generator(fit=fit, sample=sample)), "reads its model from disk", "no attribute 'fitted'")


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

    caught(generator_checks(generator(fit=fit)), "continues a fit that was killed", "FileNotFoundError")


def test_one_that_goes_on_learning_when_it_has_finished():
    def fit(self, data, context):
        for i in range(4):
            part = context.folder / f"{i}.npy"
            before = np.load(part) if part.exists() else 0
            np.save(part, data.members.pixels[i % len(data.members) :: 4].mean(axis=0) * 0.5 + before)

    caught(generator_checks(generator(fit=fit)), "is not harmed by fitting twice", "changed the images")


def test_one_that_breaks_on_a_single_patient():
    def fit(self, data, context):
        Plain.fit(self, data, context)
        1 / (len(data.members.patients) - 1)

    caught(generator_checks(generator(fit=fit)), "takes one patient", "1 member patients it raised")


def test_pixels_out_of_range():
    def sample(self, n, data, model, context):
        images = Plain.sample(self, n, data, model, context)
        return replace(images, pixels=images.pixels * 255)

    checks = generator_checks(generator(sample=sample))
    caught(checks, "releases images like the cohort's", r"not in \[0, 1\]")


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

    def predict_noise(self, x_t, t, condition):
        found = super().predict_noise(x_t, t, condition)
        if self.fault == "dropout":
            return torch.nn.functional.dropout(found, 0.1)
        if self.fault == "gradient":
            return found * torch.ones(1, requires_grad=True)
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
    ],
)
def test_a_careless_denoiser(fault, check, seen):
    def denoiser(self, data, model, context):
        kind = type("Faulty", (Careless,), {"fault": fault})
        return kind(data.members)

    made = generator(denoiser=denoiser, access=pb.Access.DENOISER)
    caught(generator_checks(made), check, seen)


def test_a_denoiser_without_fault_is_fine():
    check_generator(generator(access=pb.Access.DENOISER))


# --- metrics


def metric(change=lambda estimate: estimate, worse="higher", before=lambda samples, context: None):
    """The distance of mean intensities, with an interval, changed."""

    @pb.metric()
    def made(samples: pb.ImageSet, split: pb.Split, context: pb.Context) -> pb.Measurement:
        """How far the mean pixel is off."""
        before(samples, context)
        each = np.abs(samples.pixels - split.holdout.pixels.mean(axis=0)).mean(axis=(1, 2, 3))
        reach = 2 * float(each.std()) / len(each) ** 0.5
        value = float(each.mean())
        estimate = pb.Estimate(
            name="off",
            value=value,
            low=value - reach,
            high=value + reach,
            null=0.0,
            n=len(each),
            unit="image",
            worse=worse,
        )
        return pb.Measurement(estimates=(change(estimate),))

    return made


def test_the_metric_that_is_broken_below_is_fine_otherwise():
    check_metric(metric())


@pytest.mark.parametrize(
    ("update", "seen"),
    [
        ({"low": None, "high": None}, "has no interval"),
        ({"low": 5.0, "high": 6.0}, "lies outside its interval"),
        ({"null": None}, "has no null"),
        ({"n": 0}, "rests on n = 0"),
        ({"value": None}, "neither a value nor a note"),
    ],
)
def test_an_incomplete_estimate(update, seen):
    broken = metric(lambda estimate: estimate.model_copy(update=update))
    caught(metric_checks(broken), "returns estimates with value, n, interval and null", seen)


def test_a_metric_that_drifts():
    calls = []

    def drift(estimate):
        calls.append(0)
        return estimate.model_copy(update={"value": estimate.value + 1e-6 * len(calls)})

    caught(metric_checks(metric(drift)), "gives the same numbers under the same seed", "different results")


def test_a_metric_of_the_wrong_sign():
    caught(metric_checks(metric(worse="lower")), "does not prefer noise to real images", "of pure noise is")


def test_a_metric_that_writes_or_draws():
    def write(samples, context):
        samples.pixels[:] = 0

    def draw(samples, context):
        np.random.rand()  # noqa: NPY002

    caught(metric_checks(metric(before=write)), "leaves its inputs alone", "changed its input: samples")
    caught(metric_checks(metric(before=draw)), "touches no global generator", r"numpy\.random")


def test_a_metric_that_cannot_run_is_skipped_not_passed():
    import unittest

    def absent(samples, context):
        raise pb.SkippedError("needs weights")

    with pytest.raises(unittest.SkipTest, match="needs weights"):
        check_metric(metric(before=absent))


# --- cohorts


def cohort(change):
    """Random pictures, changed: ``change(parts, context)`` gets images by part."""

    @pb.cohort(simulated=True)
    def made(context: pb.Context) -> pb.Split:
        """Random pictures."""
        parts = {}
        for role in ("members", "holdout", "reference"):
            pixels = context.rng(role).random((8, 1, 8, 8), dtype=np.float32)
            names = np.repeat([f"{role}-{i}" for i in range(4)], 2)
            parts[role] = pb.ImageSet(pixels, names, center=np.repeat(["a", "b"], 4), label=np.arange(8) // 4)
        change(parts, context)
        return pb.Split(**parts)

    return made


def test_the_cohort_that_is_broken_below_is_fine_otherwise():
    check_cohort(cohort(lambda parts, context: None))


def test_a_cohort_that_changes_between_calls():
    calls = []

    def change(parts, context):
        calls.append(0)
        parts["holdout"] = replace(parts["holdout"], pixels=parts["holdout"].pixels / np.float32(len(calls)))

    checks = cohort_checks(cohort(change))
    caught(checks, "gives the same split under the same seed", "other images came: holdout")


def test_a_cohort_of_global_randomness():
    def change(parts, context):
        parts["holdout"] = parts["holdout"].take(np.random.permutation(8))  # noqa: NPY002

    caught(cohort_checks(cohort(change)), "gives the same split under the same seed", "holdout")
    caught(cohort_checks(cohort(change)), "touches no global generator", r"numpy\.random")


def rename(part, to):
    def change(parts, context):
        patient = parts[part].patient.astype("U20")
        patient[:2] = to
        parts[part] = replace(parts[part], patient=patient)

    return change


def doubled(parts, context):
    pixels = parts["holdout"].pixels.copy()
    pixels[3] = parts["members"].pixels[5]
    parts["holdout"] = replace(parts["holdout"], pixels=pixels)


def too_bright(parts, context):
    parts["members"] = replace(parts["members"], pixels=parts["members"].pixels * 2)


def unlabelled(parts, context):
    parts["holdout"] = replace(parts["holdout"], label=None)


def wandering(parts, context):
    parts["members"] = replace(parts["members"], center=np.tile(["a", "b"], 4))


def smaller(parts, context):
    parts["reference"] = replace(parts["reference"], pixels=parts["reference"].pixels[:, :, 1:])


def littering(parts, context):
    (context.folder.parent / "privbench-litter.txt").write_text("x")
    Path(context.folder.parent / "privbench-litter.txt").unlink()


@pytest.mark.parametrize(
    ("change", "check", "seen"),
    [
        (rename("holdout", "members-0"), "gives a split disjoint by patient", "both 'members' and 'holdout'"),
        (rename("holdout", " MEMBERS-0"), "gives a split disjoint by patient", "both 'members' and 'holdout'"),
        (doubled, "shows no image under two patients", "1 images are shown under two patients"),
        (too_bright, "gives images of one shape, finite and in [0, 1]", r"not in \[0, 1\]"),
        (smaller, "gives images of one shape, finite and in [0, 1]", "of shapes"),
        (unlabelled, "knows the same of every part", "label is known of members, reference, but not of holdout"),
        (wandering, "keeps a patient at one centre", "4 patients are at more than one centre"),
        (littering, "writes only into its folder", "privbench-litter"),
    ],
)
def test_a_broken_cohort(change, check, seen):
    caught(cohort_checks(cohort(change)), check, seen)
