"""The audited generator as an attacker meets it: samples, and no more access than was granted."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol, Self

from .errors import AccessError
from .types import ImageSet

if TYPE_CHECKING:
    from torch import Tensor


class Access(IntEnum):
    """How far an attacker gets: each level includes the one before."""

    SAMPLES = 1
    DENOISER = 2
    WEIGHTS = 3


@dataclass(frozen=True, eq=False, slots=True)
class Queries:
    """Images as the denoiser takes them, with what it is conditioned on.

    Attributes:
        latents: ``(n, c, *spatial)`` float32 x_0 in the space where the model diffuses.
        condition: tensors of n rows each, opaque to an attack: it hands them back to ``predict_noise``.
    """

    latents: "Tensor"
    condition: "tuple[Tensor, ...]" = ()

    def __len__(self) -> int:
        return len(self.latents)

    def take(self, index: "slice | Tensor") -> Self:
        """The rows at ``index``."""
        return type(self)(self.latents[index], tuple(c[index] for c in self.condition))


class Denoiser(Protocol):
    """The noise predictor of a diffusion model, as an attacker with query access sees it."""

    @property
    def alphas_cumprod(self) -> "Tensor":
        """``(T,)`` float64 cumulative noise schedule, abar_t."""
        ...

    def prepare(self, images: ImageSet) -> Queries:
        """Encode real images (deterministically) and whatever conditions the model on them."""
        ...

    def predict_noise(self, x_t: "Tensor", t: "Tensor", condition: "tuple[Tensor, ...]") -> "Tensor":
        """Epsilon for ``x_t`` ``(n, c, *spatial)`` at integer steps ``t`` ``(n,)``, also for a v-predicting model."""
        ...


@dataclass(frozen=True, eq=False, slots=True)
class Target:
    """A fitted generator behind the access that was granted.

    Attributes:
        samples: the synthetic images that would be released.
        access: what the attacker is granted.
        generator: the generator's name, for messages.
        open_denoiser: how to get the denoiser; only called where access allows it.
    """

    samples: ImageSet
    access: Access = Access.SAMPLES
    generator: str = "generator"
    open_denoiser: Callable[[], Denoiser] | None = None

    def denoiser(self) -> Denoiser:
        """The noise predictor.

        Raises:
            AccessError: if less than ``Access.DENOISER`` was granted.
        """
        if self.access < Access.DENOISER or self.open_denoiser is None:
            raise AccessError(f"needs DENOISER, {self.generator} grants {self.access.name}")
        return self.open_denoiser()
