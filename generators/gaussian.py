"""The baseline that knows means and covariances: what an attack finds in it is not memorized images."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from pydantic import Field
from safetensors.numpy import load_file, save_file
from sklearn.decomposition import IncrementalPCA
from sklearn.utils import gen_batches

from ..audit.context import Context, Step
from ..audit.errors import BadInputError
from ..audit.plugin import generator
from ..audit.record import Declaration
from ..audit.types import ImageSet, Index, TrainingData
from ..audit.whole import write_text_whole, write_whole
from .real import neutral_names

LABEL = "generator 'gaussian'"
LEAST = 3  # patients whose mean may be released: that of one is the patient
BATCH_BYTES = 2**28
DRAWN = 64  # images at a time


@dataclass(frozen=True)
class Group:
    """Members of one kind, with a Gaussian of their own.

    Attributes:
        label: that its images carry, or None.
        center: the same.
        model: the number of the Gaussian that they are drawn from; 0 is that of all members.
    """

    label: int | None
    center: str | None
    model: int


@generator(paper="doi:10.1111/1467-9868.00196")
class Gaussian:
    """Random images from a Gaussian fitted to the members' pixels by PCA: no memory of them beyond their moments.

    Each image is the mean, plus the principal components at random strengths, plus independent noise that gives each
    pixel the variance which the components lack (Tipping & Bishop 1999, with one variance a pixel), clipped to [0, 1].
    The moments of few patients tell who they are: with as many components as patients every image is a mixture of
    members, and attacks see that. A baseline that gives nobody away has many more patients than components. Groups of
    fewer than three patients are drawn from the Gaussian of all members. Masks are not made.
    """

    def __init__(
        self,
        *,
        components: Annotated[
            int, Field(ge=1, le=4096, description="principal components; at most one less than there are patients")
        ] = 32,
        per_label: Annotated[bool, Field(description="a Gaussian for each label")] = True,
        per_center: Annotated[bool, Field(description="a Gaussian for each centre")] = False,
    ) -> None:
        self.components = components
        self.per_label = per_label
        self.per_center = per_center

    def fit(self, data: TrainingData, context: Context) -> None:
        """Fit a Gaussian to all members, and one to each group that is large enough; reads a batch at a time.

        Raises:
            BadInputError: if there are fewer than three member patients.
        """
        members = data.members
        if len(members.patients) < LEAST:
            raise BadInputError(
                f"{LABEL}: {len(members.patients)} member patients, whose mean would show them\n"
                f"give the cohort at least {LEAST} member patients"
            )
        groups, of = self._groups(members)
        fitted = self._fitted(members)
        arrays: dict[str, NDArray[np.float32]] = {}
        with context.progress.task("fitting Gaussians", total=sum(map(len, fitted))) as step:
            for model, where in enumerate(fitted):
                found = _moments(members, where, self.components, step)
                arrays |= {f"{model}.{name}": array for name, array in found.items()}
        with write_whole(context.folder / "gaussians.safetensors") as temporary:
            save_file(arrays, temporary)
        about = {"groups": [asdict(group) for group in groups], "of": of.tolist()}
        write_text_whole(context.folder / "groups.json", json.dumps(about))

    def sample(self, n: int | None, data: TrainingData, model: Path, context: Context) -> ImageSet:
        """``n`` images in random order, labels and centres in the members' proportions (None: one per member image)."""
        arrays = load_file(model / "gaussians.safetensors")
        about = json.loads((model / "groups.json").read_text(encoding="utf-8"))
        groups = [Group(**group) for group in about["groups"]]
        of = np.resize(context.rng("order").permutation(about["of"]), len(about["of"]) if n is None else n)
        pixels = open_memmap(context.folder / "drawn.npy", "w+", np.float32, (len(of), *data.members.pixels.shape[1:]))
        rng = context.rng("images")
        with context.progress.task("drawing images", total=len(of)) as step:
            for start in range(0, len(of), DRAWN):
                for i in range(start, min(start + DRAWN, len(of))):
                    pixels[i] = _drawn(arrays, groups[of[i]].model, rng).reshape(pixels.shape[1:])
                step(min(DRAWN, len(of) - start))
        pixels.flush()
        labels, centers = ([getattr(groups[g], name) for g in of] for name in ("label", "center"))
        return ImageSet(
            pixels=pixels,
            patient=neutral_names(len(of)),
            label=None if None in labels else np.array(labels, np.int64),
            center=None if None in centers else np.array(centers, np.str_),
        )

    def declare(self, samples: ImageSet, data: TrainingData, model: Path, context: Context) -> Declaration:  # noqa: ARG002
        """What the images are made of, and what they lack."""
        about = json.loads((model / "groups.json").read_text(encoding="utf-8"))
        pooled = sum(group["model"] == 0 for group in about["groups"])
        groups = [data.members.take(where) for where in self._fitted(data.members)]
        fewest = min(len(group.patients) for group in groups)
        kept = "only means, principal components and variances of the members' pixels are kept"
        notes = [f"{kept}, the smallest group's from {fewest} patients: the fewer they are, the more they tell of each"]
        if pooled and len(about["groups"]) > 1:
            notes.append(f"{pooled} of {len(about['groups'])} groups have fewer than {LEAST} patients: drawn like all")
        if data.members.mask is not None:
            notes.append("no masks are made: Dice was not measured")
        return Declaration(notes=tuple(notes))

    def _fitted(self, members: ImageSet) -> list[Index]:
        """The images that each Gaussian is fitted to: all, then those of each group that is large enough."""
        groups, of = self._groups(members)
        everybody: Index = np.arange(len(members))
        return [everybody, *(np.flatnonzero(of == g) for g, group in enumerate(groups) if group.model)]

    def _groups(self, members: ImageSet) -> tuple[list[Group], Index]:
        """The groups, and that of each member image."""
        unknown = [None] * len(members)
        labels = members.label.tolist() if self.per_label and members.label is not None else unknown
        centers = members.center.tolist() if self.per_center and members.center is not None else unknown
        kinds = list(zip(labels, centers, strict=True))
        distinct = sorted(set(kinds), key=str)
        of = np.array([distinct.index(kind) for kind in kinds], np.intp)
        groups: list[Group] = []
        model = 0
        for g, (label, center) in enumerate(distinct):
            own = len(distinct) > 1 and len(np.unique(members.patient[of == g])) >= LEAST
            model += own
            groups.append(Group(label, center, model if own else 0))
        return groups, of


def _moments(members: ImageSet, where: Index, components: int, step: Step) -> dict[str, NDArray[np.float32]]:
    """Mean, components (times their standard deviation) and remaining standard deviation of some members' pixels."""
    kept = min(components, len(np.unique(members.patient[where])) - 1)
    dimension = members.pixels[0].size
    batch = max(2 * kept, min(256, BATCH_BYTES // (4 * dimension)))
    pca = IncrementalPCA(n_components=kept)
    for part in gen_batches(len(where), batch, min_batch_size=kept):
        chosen = where[part]
        pca.partial_fit(members.pixels[chosen].reshape(len(chosen), dimension))
        step(len(chosen))
    scaled = pca.components_ * np.sqrt(pca.explained_variance_)[:, None]
    total = pca.var_ * len(where) / (len(where) - 1)
    rest = np.sqrt(np.maximum(total - np.square(scaled).sum(axis=0), 0))
    found = {"mean": pca.mean_, "scaled": scaled, "rest": rest}
    # In C order, for safetensors writes an array's bytes as they lie.
    return {name: np.ascontiguousarray(array, np.float32) for name, array in found.items()}


def _drawn(arrays: dict[str, NDArray[np.float32]], model: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """One image, flat."""
    mean, scaled, rest = (arrays[f"{model}.{name}"] for name in ("mean", "scaled", "rest"))
    strengths = rng.standard_normal(len(scaled), np.float32)
    image: NDArray[np.float32] = mean + strengths @ scaled + rest * rng.standard_normal(len(mean), np.float32)
    return np.clip(image, 0, 1)
