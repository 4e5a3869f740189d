"""What attacks ask a denoiser: candidates encoded once, noise that all share, each question asked once an audit."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from ..audit.context import Arrays, Auxiliary, Context, Silent, Step
from ..audit.errors import SkippedError
from ..audit.persist import fingerprint
from ..audit.target import Denoiser, Queries, Target
from ..audit.types import FloatArray, ImageSet

Condition = tuple[Tensor, ...]
PART_VALUES = 2**23  # pixel values of the candidates that are in memory at once, unless a batch has more


@dataclass(frozen=True, eq=False)
class Passes:
    """A model's answers about candidates.

    Attributes:
        denoiser: of the model.
        key: what identifies the model; "" keeps nothing of it.
        generator: its name, for messages.
        shared: surroundings that are the same for all attacks: noise is drawn from it, answers are kept in it.
        batch: rows denoised at once.
    """

    denoiser: Denoiser
    key: str
    generator: str
    shared: Context
    batch: int

    @classmethod
    def of(cls, target: Target, aux: Auxiliary, batch: int) -> Self:
        """Of the target's denoiser.

        Raises:
            AccessError: if the denoiser is not granted.
        """
        return cls(target.denoiser(), target.key, target.generator, aux.shared, batch)

    @property
    def levels(self) -> int:
        """T, the number of noise levels."""
        return len(self.denoiser.alphas_cumprod)

    def abar(self, t: int) -> float:
        """The cumulative schedule at step ``t``."""
        return float(self.denoiser.alphas_cumprod[t])

    def step_at(self, share: float) -> int:
        """The step at a share of the schedule: of 1000 steps, 0.1 is step 100."""
        return min(round(share * self.levels), self.levels - 1)

    def spread(self, count: int) -> list[int]:
        """``count`` steps spread evenly over the schedule, each in the middle of its share of it."""
        return [min(int((i + 0.5) / count * self.levels), self.levels - 1) for i in range(count)]

    def noised(self, x_0: Tensor, noise: Tensor, t: int) -> Tensor:
        """``x_t`` of latents ``(n, c, *spatial)`` and noise that broadcasts with them."""
        abar = self.abar(t)
        return math.sqrt(abar) * x_0 + math.sqrt(1 - abar) * noise

    def moved(self, x_t: Tensor, epsilon: Tensor, t: int, then: int) -> Tensor:
        """From ``x_t`` at step ``t`` to step ``then`` along ``epsilon``: DDIM's deterministic step, either way."""
        start, end = self.abar(t), self.abar(then)
        ratio = math.sqrt(end / start)
        return ratio * x_t + (math.sqrt(1 - end) - ratio * math.sqrt(1 - start)) * epsilon

    def noise(self, t: int, count: int, like: Tensor) -> Tensor:
        """``(count, c, *spatial)`` noises at step ``t``, the same for all candidates, attacks and models of a seed.

        The k-th is the same however many are asked for, so that an attack that averages more reuses the first.
        """
        drawn = torch.empty((count, *like.shape[1:]), dtype=like.dtype)
        for k in range(count):
            drawn[k] = torch.randn(drawn.shape[1:], generator=self.shared.torch_rng("noise", str(t), str(k)))
        return drawn.to(like.device)

    def unconditional(self) -> Callable[[Condition], Condition]:
        """What makes of a condition one that tells nothing.

        Raises:
            SkippedError: if the model knows none.
        """
        nothing: Callable[[Condition], Condition] | None = getattr(self.denoiser, "unconditional", None)
        if nothing is None:
            raise SkippedError(f"{self.generator} has no unconditional form to compare with")
        return nothing

    def scores(self, candidates: ImageSet, score: "Callable[[Part], Tensor]", queries: int) -> FloatArray:
        """``score`` of all candidates ``(n,)``, part by part, so that memory does not grow with their number.

        Args:
            candidates: may be a memory map.
            score: of a part, ``(len(part),)``; may not depend on which candidates are beside it.
            queries: how often it asks the network about each candidate, for the progress bar.
        """
        found = np.empty(len(candidates))
        progress = self.shared.progress.task("asking the denoiser", total=queries * len(candidates))
        with torch.no_grad(), progress as step:
            done = 0
            for images in self._parts(candidates):
                part = self.part(images, step)
                found[done : done + len(images)] = score(part).double().cpu().numpy()
                done += len(images)
        return found

    def part(self, images: ImageSet, step: Step | None = None) -> "Part":
        """Some images encoded; from the store if they were encoded before, by whichever attack."""
        with Silent().task("", 0) as silent:
            mark = fingerprint("part", images).sha256 if self.key else ""
            empty = Queries(torch.empty(0))
            part = Part(self, images, mark, empty, step or silent)
        return replace(part, queries=part.encoded())

    def _parts(self, candidates: ImageSet) -> Iterator[ImageSet]:
        return candidates.batches(max(self.batch, PART_VALUES // max(1, candidates.pixels[:1].size)))


@dataclass(frozen=True, eq=False)
class Part:
    """Some candidates, encoded, on the device; what the model said of them is kept under ``mark``.

    Attributes:
        passes: the model that is asked.
        images: the candidates.
        mark: their fingerprint; "" where nothing is kept.
        queries: the same as the model takes them.
        step: told of every row that was denoised.
    """

    passes: Passes
    images: ImageSet
    mark: str
    queries: Queries
    step: Step = field(repr=False)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def x_0(self) -> Tensor:
        """``(n, c, *spatial)`` latents."""
        return self.queries.latents

    def encoded(self) -> Queries:
        """The candidates as the model takes them."""
        device = self.passes.shared.device

        def encode() -> Arrays:
            queries = self.passes.denoiser.prepare(self.images)
            named = {f"condition {i}": part for i, part in enumerate(queries.condition)}
            return {name: part.cpu().numpy() for name, part in ({"latents": queries.latents} | named).items()}

        found = self._kept("latents", encode, 0)
        latents, *condition = (torch.from_numpy(found[name]).to(device) for name in sorted(found, key=_place))
        return Queries(latents, tuple(condition))

    def predict(self, x_t: Tensor, t: int, condition: Condition | None = None) -> Tensor:
        """Epsilon for one ``x_t`` of each candidate at step ``t``, in batches.

        Raises:
            ValueError: if the denoiser gives what is not finite or of another shape; it names the step.
        """
        told = self.queries.condition if condition is None else condition
        found = torch.empty_like(x_t)
        for start in range(0, len(x_t), self.passes.batch):
            rows = slice(start, start + self.passes.batch)
            found[rows] = self._asked(x_t[rows], t, tuple(c[rows] for c in told))
        return found

    def at_zero(self) -> Tensor:
        """eps_theta(x_0, 0), with which PIA, PIAN and SecMI begin."""

        def ask() -> Arrays:
            return {"epsilon": self.predict(self.x_0, 0).cpu().numpy()}

        return torch.from_numpy(self._kept("at zero", ask, len(self))["epsilon"]).to(self.x_0.device)

    def losses(self, t: int, noises: int, *, unconditional: bool = False) -> Tensor:
        """||eps - eps_theta(x_t, t)||^2 over the number of values, ``(noises, n)`` float64, for shared noises.

        Args:
            t: the step.
            noises: how many.
            unconditional: whether the model is told nothing of the candidates.

        Raises:
            SkippedError: if there is no unconditional form.
        """
        own = self.queries.condition
        told = self._nothing() if unconditional else own
        if unconditional and all(part.equal(mine) for part, mine in zip(told, own, strict=True)):
            return self.losses(t, noises)
        kind = "unconditional losses" if unconditional else "losses"
        found = self._kept(kind, lambda: {"loss": self._losses(t, noises, told)}, noises * len(self), t, noises)
        return torch.from_numpy(found["loss"])

    def _nothing(self) -> Condition:
        own = self.queries.condition
        return tuple(part.to(mine.device) for part, mine in zip(self.passes.unconditional()(own), own, strict=True))

    def _losses(self, t: int, noises: int, condition: Condition) -> FloatArray:
        n, eps = len(self), self.passes.noise(t, noises, self.x_0)
        found = torch.empty(noises * n, dtype=torch.float64)
        for start in range(0, len(found), self.passes.batch):
            row = torch.arange(start, min(start + self.passes.batch, len(found)), device=self.x_0.device)
            who, noise = row % n, eps[row // n]
            predicted = self._asked(self.passes.noised(self.x_0[who], noise, t), t, tuple(c[who] for c in condition))
            found[start : start + len(row)] = (predicted - noise).flatten(1).square().mean(1).double().cpu()
        return found.reshape(noises, n).numpy()

    def _asked(self, x_t: Tensor, t: int, condition: Condition) -> Tensor:
        at = torch.full((len(x_t),), t, dtype=torch.long, device=x_t.device)
        found = self.passes.denoiser.predict_noise(x_t, at, condition).to(x_t.device)
        where = f"{self.passes.generator}'s denoiser at timestep {t} of {self.passes.levels}"
        if found.shape != x_t.shape:
            raise ValueError(f"{where} gave {tuple(found.shape)} for {tuple(x_t.shape)}")
        if not bool(found.isfinite().all()):
            raise ValueError(f"{where} gave values that are not finite (NaN or infinite)")
        self.step(len(x_t), f"timestep {t}")
        return found

    def _kept(self, name: str, make: Callable[[], Arrays], rows: int, *inputs: float) -> Arrays:
        """What ``make`` gives, once for every attack; ``rows`` that need not be asked about count as asked."""
        if not self.mark:
            return make()
        made: list[bool] = []

        def watched() -> Arrays:
            made.append(True)
            return make()

        found = self.passes.shared.kept(name, watched, self.passes.key, self.mark, self.passes.batch, *inputs)
        if not made:
            self.step(rows, "known")
        return found


def p_norm(difference: Tensor, p: float) -> Tensor:
    """``(n,)`` p-norm of each row's values."""
    found: Tensor = torch.linalg.vector_norm(difference.flatten(1), ord=p, dim=1)
    return found


def _place(name: str) -> int:
    return -1 if name == "latents" else int(name.removeprefix("condition "))
