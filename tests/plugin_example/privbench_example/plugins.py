"""One small plugin of each kind, as a third party would write it."""

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field
from scipy.spatial.distance import cdist

import privbench as pb
from privbench.audit.persist import fingerprint


def _patients(rng, role, count, per_patient, size):
    base = rng.uniform(0.2, 0.8, (count, 1, size, size))
    pixels = np.repeat(base, per_patient, axis=0) + rng.normal(0, 0.05, (count * per_patient, 1, size, size))
    names = np.repeat([f"{role}-{i:03d}" for i in range(count)], per_patient)
    centers = np.repeat(np.array(["north", "south"])[np.arange(count) % 2], per_patient)
    labels = np.repeat(np.arange(count) % 2, per_patient)
    return pb.ImageSet(pixels.clip(0, 1).astype(np.float32), names, labels.astype(np.int64), center=centers)


@pb.cohort(simulated=True)
def blobs(
    context: pb.Context,
    *,
    patients: Annotated[int, Field(ge=1, description="patients in each part")] = 40,
    size: Annotated[int, Field(ge=2, le=64, description="height and width in pixels")] = 8,
    twins: Annotated[int, Field(ge=0, description="members who are in the holdout too, under another name")] = 0,
) -> pb.Split:
    """Random blobs: a toy cohort."""
    context.progress.message("drawing blobs")
    roles = ("members", "holdout", "reference", "public", "reserve")
    with (context.folder / "computed.txt").open("a") as file:
        file.write("once\n")
    split = pb.Split(**{role: _patients(context.rng(role), role, patients, 2, size) for role in roles})
    split.holdout.pixels[: 2 * twins] = split.members.pixels[: 2 * twins]
    return split


@pb.generator(access=pb.Access.SAMPLES, needs=("reserve",), standard={"leak": 0.5})
class Mixture:
    """Members for a share of the samples, strangers for the rest."""

    def __init__(
        self,
        *,
        leak: Annotated[float, Field(ge=0, le=1, description="share of copies")] = 0.0,
        crash: Annotated[bool, Field(description="fail while fitting")] = False,
        weights: Annotated[Path | None, Field(description="a file whose content counts")] = None,
    ) -> None:
        self.leak, self.crash, self.weights = leak, crash, weights

    def fit(self, data, context):
        if self.crash:
            raise RuntimeError("out of luck")
        (context.folder / "model.txt").write_text("fitted")

    def sample(self, n, data, model, context):
        n = n or min(60, len(data.members))
        copies = round(self.leak * n)
        rng = context.rng("pick")
        taken = data.members.pixels[rng.choice(len(data.members), copies, replace=False)]
        fresh = data.reserve.pixels[rng.choice(len(data.reserve), n - copies, replace=False)]
        names = np.array([f"synthetic-{i}" for i in range(n)])
        return pb.ImageSet(np.concatenate([taken, fresh]), names)


@pb.generator(needs=("reserve",))
class Few(Mixture):
    """The same for a few members only; it tells what it is."""

    def __init__(self, *, patients: Annotated[int, Field(ge=0, description="members trained on")] = 30) -> None:
        super().__init__(leak=0.5)
        self.patients = patients

    def trains_on(self, members, context):
        return context.rng("chosen").choice(members.patients, self.patients, replace=False)

    def declare(self, samples, data, model, context):
        return pb.Declaration(notes=(f"{len(samples)} images of {len(data.members.patients)} patients",))


@pb.generator(access=pb.Access.WEIGHTS)
class Rote:
    """Learns its members by heart, in no time, and grants its weights."""

    def __init__(self, *, least: Annotated[int, Field(ge=1, description="fewest patients it trains on")] = 2) -> None:
        self.least = least

    def fit(self, data, context):
        patients = len(data.members.patients)
        if patients < self.least:
            raise pb.BadInputError(f"generator 'example-rote': {patients} patients\ngive it {self.least}")
        np.save(context.folder / "known.npy", data.members.pixels)

    def overfit(self, data, model, context):
        self.fit(data, context)

    def sample(self, n, data, model, context):
        known = np.load(model / "known.npy")
        pixels = known[np.arange(n or len(known)) % len(known)]
        noisy = pixels + context.rng("noise").normal(0, 0.1, pixels.shape)
        return pb.ImageSet(noisy.clip(0, 1).astype(np.float32), np.array([f"synthetic-{i}" for i in range(len(noisy))]))

    def denoiser(self, data, model, context):
        from privbench.testing import Memorizer

        known = np.load(model / "known.npy")
        return Memorizer(pb.ImageSet(known, np.array([f"known-{i}" for i in range(len(known))])))


@pb.guard()
class Dark:
    """Withholds bright images."""

    def __init__(
        self, *, most: Annotated[float, Field(ge=0, le=1, description="brightest mean allowed")] = 0.6
    ) -> None:
        self.most = most

    def check(self, data):
        if data.public is None:
            raise pb.BadInputError("guard 'example-dark': it wants public images\ngive it some")

    def release(self, draw, n, data, context):
        images = draw(n)
        kept = images.take(images.pixels.mean((1, 2, 3)) <= self.most)
        distances = self.prove(kept, data.members, context)
        return kept, pb.GuardCertificate(
            guard="example-dark",
            metric="mean intensity",
            tau=0.0,
            tau_from="given",
            closest=float(distances.min()),
            members=len(data.members),
            members_sha256=fingerprint("members", data.members).sha256,
            released=len(kept),
            drawn=len(images),
            rejected=len(images) - len(kept),
            rounds=1,
        )

    def prove(self, images, members, context):
        return _distances(images, members).min(axis=1)


def _distances(images, candidates):
    flat = candidates.pixels.reshape(len(candidates), -1)
    return cdist(images.pixels.reshape(len(images), flat.shape[1]), flat) / np.sqrt(flat.shape[1])


@pb.attack(family="memorization", patients={"reference": 2})
def distance(target: pb.Target, candidates: pb.ImageSet, aux: pb.Auxiliary) -> pb.MemorizationScores:
    """Distance to the nearest candidate patient."""
    own = candidates.patient
    to = pb.Ranking.of(_distances(target.samples, candidates), own)
    among = pb.Ranking.of(_distances(candidates, candidates), own, own, ranks=128)
    return pb.MemorizationScores((pb.SpaceDistances("pixels", candidates.patients, to, among),))


@pb.attack(family="membership")
def membership(
    target: pb.Target,
    candidates: pb.ImageSet,
    aux: pb.Auxiliary,
    *,
    power: Annotated[float, Field(gt=0, description="exponent of the distance")] = 1.0,
) -> pb.MembershipScores:
    """Minus the distance to the nearest sample."""
    if not len(target.samples):
        raise pb.BadInputError("attack 'example-membership': there are no samples\nrelease at least one image")
    flat = candidates.pixels.reshape(len(candidates), -1)
    near = cdist(flat, target.samples.pixels.reshape(len(target.samples), -1)).min(axis=1)
    return pb.MembershipScores(-(near**power))


@pb.attack(family="membership")
def broken(target: pb.Target, candidates: pb.ImageSet, aux: pb.Auxiliary) -> pb.MembershipScores:
    """Always fails."""
    raise RuntimeError("this attack is broken")


@pb.attack(family="membership", access=pb.Access.DENOISER)
def denoiser(target: pb.Target, candidates: pb.ImageSet, aux: pb.Auxiliary) -> pb.MembershipScores:
    """Needs the denoiser."""
    return pb.MembershipScores(np.zeros(len(candidates)) + len(target.denoiser().prepare(candidates)))


@pb.metric()
def mean(samples: pb.ImageSet, split: pb.Split, context: pb.Context) -> pb.Measurement:
    """Mean intensity of the samples."""
    each = samples.pixels.mean(axis=(1, 2, 3))
    value, reach = float(each.mean()), 1.96 * float(each.std()) / len(each) ** 0.5
    estimate = pb.Estimate(
        name="mean",
        value=value,
        low=value - reach,
        high=value + reach,
        null=float(split.holdout.pixels.mean()),
        n=len(samples),
        unit="image",
        worse="both",
        method="normal approximation over images",
    )
    return pb.Measurement(estimates=(estimate,))


@pb.metric()
def absent(samples: pb.ImageSet, split: pb.Split, context: pb.Context) -> pb.Measurement:
    """Needs something that is not there."""
    raise pb.SkippedError("needs the moon; get it from the sky")


@pb.report(suffix="txt")
def lines(record: pb.AuditRecord, gallery: pb.ImageSet | None) -> str:
    """One line a finding."""
    return "\n".join(f"{f.plugin}: {f.status}" for f in record.findings)
