"""The first stages of an audit: the cohort, whom the generator trains on, its model, and what it would release."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from .contract import check_needs, check_samples
from .errors import BadInputError, SkippedError
from .outputs import on_grid
from .persist import fingerprint, load_images, load_split, save_images, save_split
from .plugin import Chooses, Declares, Generator, Guard, Overfits, Refits
from .power.certificate import Depth
from .processes import meet, part, rank
from .record import Declaration, Fingerprint, GuardCertificate, Privacy
from .staging import Staging
from .store import Progressed, Store
from .target import Access, Denoiser, Target
from .types import FloatArray, ImageSet, Names, Split, TrainingData
from .whole import write_text_whole

DECLARATION, GUARD = "declaration.json", "guard.json"
ALL_MEMBERS = "all members"

Opened = tuple[str, Callable[[], Denoiser]]
"""A model's key, and how to open its denoiser."""


@dataclass(frozen=True)
class Making(Staging):
    """The stages up to the release. Whoever attacks it comes after them."""

    def check_options(self) -> None:
        """Refuse options of generator and guard that contradict each other, before anything is computed.

        Raises:
            BadInputError: as the plugin has it.
        """
        self._generator()
        if self.spec.guard:
            self._guard()

    def cohort(self) -> tuple[Split, tuple[Fingerprint, ...], str]:
        """The split, its fingerprints and the key of its stage. Its members are those that the generator trains on."""
        plugin, inputs = self.plugin("cohort", self.spec.cohort)
        inputs["seed"] = self.spec.seed

        def compute(folder: Path) -> None:
            context = self.context("cohort", self.spec.cohort.name, folder)
            split = cast("Split", plugin.target(context, **self.keywords(plugin, self.spec.cohort)))
            save_split(split, folder)

        folder = self.store.stage("cohort", inputs, compute)
        split, marks = load_split(folder)
        return self._trained_on(split, marks, folder.name)

    def _trained_on(
        self, split: Split, marks: tuple[Fingerprint, ...], key: str
    ) -> tuple[Split, tuple[Fingerprint, ...], str]:
        """The same without the members that the generator does not train on: they leave the audit."""
        generator = self._generator()
        if not hasattr(generator, "trains_on"):
            return split, marks, key
        check_needs(split, [self.plugins["generator", self.spec.generator.name]])
        context = self.context("generator", self.spec.generator.name, Path()).under("trains on")
        patients = cast("Chooses", generator).trains_on(split.members, context)
        kept = _members(split.members, patients, self.plugins["generator", self.spec.generator.name].label)
        if kept.all():
            return split, marks, key

        def compute(folder: Path) -> None:
            save_images(split.members.take(kept), folder, "members")
            mark = fingerprint("members", split.members.take(kept))
            write_text_whole(folder / "mark.json", mark.model_dump_json(indent=1))

        inputs: dict[str, object] = {"cohort": key, "members": np.unique(patients).tolist()}
        folder = self.store.stage("members", inputs, compute)
        mark = Fingerprint.model_validate_json((folder / "mark.json").read_text("utf-8"))
        split = replace(split, members=load_images(folder, "members"))
        whole = next(m for m in marks if m.part == "members")
        others = tuple(m for m in marks if m is not whole)
        return split, (mark, whole.model_copy(update={"part": ALL_MEMBERS}), *others), folder.name

    def train_along(self, split: Split, cohort_key: str) -> None:
        """Take part in training the model, as one of several processes that is not the first."""
        self._model(TrainingData(split.members, split.public, split.reserve), cohort_key)

    def samples(self, split: Split, cohort_key: str) -> tuple[Target, str]:
        """The fitted generator behind the granted access, and the key of its samples."""
        name = self.spec.generator.name
        plugin = self.plugins["generator", name]
        data = TrainingData(split.members, split.public, split.reserve)
        model = self._model(data, cohort_key)
        part()
        inputs: dict[str, object] = {"model": model.name, "samples": self.spec.samples}
        if self.spec.guard:
            inputs |= {"guard": self.plugin("guard", self.spec.guard)[1]}

        def compute(folder: Path) -> None:
            context = self.context("generator", name, folder).under("sample")
            generator = self._generator()
            tries = itertools.count()

            def draw(n: int | None) -> ImageSet:
                number = next(tries)
                images = generator.sample(n, data, model, context.under(f"again {number}") if number else context)
                check_samples(images, data.members, plugin.label)
                return images

            images = draw(self.spec.samples) if self.spec.guard is None else self._guarded(draw, data, folder)
            declared = Declaration()
            if hasattr(generator, "declare"):
                declared = cast("Declares", generator).declare(images, data, model, context.under("declare"))
            save_images(images, folder, "samples")
            write_text_whole(folder / DECLARATION, declared.model_dump_json(indent=1))

        folder = self.store.stage("samples", inputs, compute)
        granted = min(plugin.facts.access, Access[self.spec.access.upper()] if self.spec.access else Access.WEIGHTS)
        declared, guarded = self.stated(folder.name)
        target = Target(
            load_images(folder, "samples"),
            granted,
            name,
            self._denoiser(data, model),
            key=model.name,
            guarded=guarded,
            privacy=declared.privacy,
        )
        return target, folder.name

    def trained_again(self, data: TrainingData, start: str = "") -> Opened:
        """The generator trained on other ``data``.

        Args:
            data: what it sees instead.
            start: the key of a model from which a generator that can takes up what it learnt of public images.

        Raises:
            BadInputError: if it cannot be trained on them.
            SkippedError: if it cannot be trained at all.
        """
        if getattr(self._generator(), "pretrained", False):
            raise SkippedError(f"{self.spec.generator.name} was trained elsewhere and cannot be trained again")
        mark = _mark(data)
        model = self._model(data, mark, "again", mark, start=start)
        return model.name, self._denoiser(data, model)

    def training_again(self, data: TrainingData, start: str = "") -> Progressed:
        """How far ``trained_again`` is: nobody has begun, somebody is at it now, or it is done."""
        return self.store.progressed("model", self._model_inputs(_mark(data), start))

    def claimed(self, data: TrainingData, key: str) -> Privacy | None:
        """What the generator claims of the model of that key, of which nothing is released."""
        generator, model = self._generator(), self.store.root / "model" / key
        if not hasattr(generator, "declare"):
            return None
        nothing = data.members.take(slice(0, 0))
        context = self.context("generator", self.spec.generator.name, model).under("declare")
        return cast("Declares", generator).declare(nothing, data, model, context).privacy

    def stated(self, samples_key: str) -> tuple[Declaration, GuardCertificate | None]:
        """What the generator stated of the samples of that key, and what its guard did, if there was one."""
        folder = self.store.root / "samples" / samples_key
        declared = Declaration.model_validate_json((folder / DECLARATION).read_text("utf-8"))
        if not (folder / GUARD).is_file():
            return declared, None
        return declared, GuardCertificate.model_validate_json((folder / GUARD).read_text("utf-8"))

    def check_guard(self, split: Split) -> None:
        """Refuse what the guard cannot guard, before anything is trained.

        Raises:
            BadInputError: as the guard has it.
        """
        if self.spec.guard:
            self._guard().check(TrainingData(split.members, split.public, split.reserve))

    def proved(self, images: ImageSet, members: ImageSet) -> FloatArray:
        """The distance ``(n,)`` of each image to the closest member's, as the guard proves it."""
        assert self.spec.guard is not None
        return self._guard().prove(images, members, self.context("guard", self.spec.guard.name, Path()))

    def _guard(self) -> Guard:
        assert self.spec.guard is not None
        plugin, _ = self.plugin("guard", self.spec.guard)
        return cast("Guard", plugin.target(**self.keywords(plugin, self.spec.guard)))

    def _guarded(self, draw: Callable[[int | None], ImageSet], data: TrainingData, folder: Path) -> ImageSet:
        assert self.spec.guard is not None
        context = self.context("guard", self.spec.guard.name, folder)
        # What is measured must be what is written: a file holds integers.
        images, certificate = self._guard().release(lambda n: on_grid(draw(n)), self.spec.samples, data, context)
        check_samples(images, data.members, self.plugins["guard", self.spec.guard.name].label)
        write_text_whole(folder / GUARD, certificate.model_dump_json(indent=1))
        return images

    def _generator(self) -> Generator:
        plugin = self.plugins["generator", self.spec.generator.name]
        return cast("Generator", plugin.target(**self.keywords(plugin, self.spec.generator)))

    def _model(self, data: TrainingData, trained_on: str, *purpose: str, start: str = "") -> Path:
        """The folder of the generator fitted to ``data``, which ``trained_on`` identifies.

        Args:
            data: what it sees.
            trained_on: a key of the data.
            purpose: its place in the tree of seeds below the audited model's, if it is another one.
            start: the key of a model that it is refitted from, where the generator can do that.
        """
        name = self.spec.generator.name

        def fit(folder: Path) -> None:
            meet(self.spec.device)
            generator, context = self._generator(), self.context("generator", name, folder).under(*purpose)
            if start and hasattr(generator, "refit"):
                cast("Refits", generator).refit(data, self.store.root / "model" / start, context)
            else:
                generator.fit(data, context)

        return self.store.stage("model", self._model_inputs(trained_on, start), fit, helper=rank() > 0)

    def _model_inputs(self, trained_on: str, start: str = "") -> dict[str, object]:
        _, inputs = self.plugin("generator", self.spec.generator)
        inputs |= {"cohort": trained_on, "seed": self.spec.seed, "device": self.spec.device}
        return inputs | {"start": start} if start else inputs

    def _denoiser(self, data: TrainingData, model: Path) -> Callable[[], Denoiser]:
        context = self.context("generator", self.spec.generator.name, model).under("denoiser")
        return lambda: self._generator().denoiser(data, model, context)

    def _overfitted(self, split: Split, cohort_key: str, depth: Depth, known: ImageSet) -> Opened:
        """The audited generator, overfitted to ``known`` patients.

        Raises:
            SkippedError: where that would cost a whole training and ``depth`` has no time for it, or where the
                generator cannot be trained on so few.
        """
        data = TrainingData(known, split.public, split.reserve)
        mark = _mark(data)
        generator = self._generator()
        pretrained = getattr(generator, "pretrained", False)
        if depth.overfitted and not pretrained:
            try:
                model = self._model(data, mark)
            except BadInputError as error:
                what = f"a model must be overfitted for it, but to {len(known.patients)} patients it cannot be"
                raise SkippedError(f"{what}: {error}".replace("\n", "; ")) from error
        elif hasattr(generator, "overfit"):
            base = self._model(TrainingData(split.members, split.public, split.reserve), cohort_key)
            context = self.context("generator", self.spec.generator.name, Path()).under("overfit")
            model = self.store.stage(
                "model",
                {"overfitted": base.name, "known": mark},
                lambda folder: cast("Overfits", generator).overfit(data, base, replace(context, folder=folder)),
            )
        elif pretrained:
            raise SkippedError(
                "a model must be overfitted for it, and this generator can only load the one it was given"
            )
        else:
            raise SkippedError(
                "a model must be overfitted for it, which for this generator means to train one anew; "
                "privbench certify does so, and run does from --budget standard on"
            )
        return model.name, self._denoiser(data, model)


def _mark(data: TrainingData) -> str:
    """What identifies ``data``: all that a generator may see of them."""
    parts = {"members": data.members, "public": data.public, "reserve": data.reserve}
    return Store.key({k: None if part is None else fingerprint(k, part).sha256 for k, part in parts.items()})


def _members(members: ImageSet, patients: Names, label: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which images show ``patients``, whom the generator ``label`` chose.

    Raises:
        BadInputError: if it chose nobody, or somebody who is no member.
    """
    strangers = np.setdiff1d(patients, members.patient)
    if not len(patients) or len(strangers):
        wrong = f"{len(strangers)} who are no members" if len(strangers) else "nobody"
        raise BadInputError(f"{label} trains on {wrong}\ntrains_on must return some of the members' patients")
    kept: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.isin(members.patient, patients)
    return kept
