"""The audited generator as an attacker meets it: samples, and no more access than was granted."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol, Self, cast

from .errors import AccessError
from .record import GuardCertificate, Privacy
from .types import ImageSet

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


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
    """The noise predictor of a diffusion model, as an attacker with query access sees it.

    One that can also be asked without a condition has ``unconditional`` as well; see ``FreeDenoiser``.
    """

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


class FreeDenoiser(Denoiser, Protocol):
    """The noise predictor of a model that was also trained without its condition, as guidance needs it."""

    @property
    def unconditional(self) -> "Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]] | None":
        """From the condition of n queries to one that tells nothing of them; None where the model knows none."""
        ...


class OpenDenoiser(Denoiser, Protocol):
    """The noise predictor of a model whose weights are open: gradients flow through ``predict_noise``."""

    @property
    def module(self) -> "Module":
        """The network, whose parameters ``predict_noise`` uses. In evaluation mode; an attack leaves it as it is.

        Its parameters require no gradients until ``Target.weights`` hands it out.
        """
        ...


class Trainer(Protocol):
    """Trains the audited generator again, with its options, for an attacker who can. Each model is kept in the store.

    What it returns grants as much as the audited target does; its ``samples`` are empty.
    """

    def shadow(self, images: ImageSet, name: str = "shadow model") -> "Target":
        """The generator trained on ``images`` alone.

        Args:
            images: what it sees besides the public images.
            name: what it is called while it is trained.

        Raises:
            SkippedError: if it cannot be trained on them, or at all (a folder of images).
        """
        ...

    def with_canaries(self, canaries: ImageSet) -> "Target":
        """The generator trained on the members and, of the patients of ``canaries``, those that fair coins choose.

        Which they are only the engine knows. The target states what the generator claims of this very training; what
        the audited model learnt of public images alone is not learnt again where the generator can (see ``Refits``).

        Raises:
            SkippedError: if it cannot be trained on them, or at all.
        """
        ...


@dataclass(frozen=True, eq=False, slots=True)
class Target:
    """A fitted generator behind the access that was granted.

    Attributes:
        samples: the synthetic images that would be released.
        access: what the attacker is granted.
        generator: the generator's name, for messages.
        open_denoiser: how to get the denoiser; only called where access allows it.
        key: what identifies the model, for whatever is kept of it; "" where nothing may be kept.
        guarded: what a guard states of the samples, if there was one: it is published with them.
        privacy: what the generator claims of differential privacy, if it does.
    """

    samples: ImageSet
    access: Access = Access.SAMPLES
    generator: str = "generator"
    open_denoiser: Callable[[], Denoiser] | None = None
    key: str = ""
    guarded: GuardCertificate | None = None
    privacy: Privacy | None = None

    def denoiser(self) -> Denoiser:
        """The noise predictor.

        Raises:
            AccessError: if less than ``Access.DENOISER`` was granted.
        """
        if self.access < Access.DENOISER or self.open_denoiser is None:
            raise AccessError(f"needs DENOISER, {self.generator} grants {self.access.name}")
        return self.open_denoiser()

    def weights(self) -> OpenDenoiser:
        """The noise predictor with its network, whose parameters require gradients.

        Raises:
            AccessError: if less than ``Access.WEIGHTS`` was granted, or the generator shows no network.
        """
        if self.access < Access.WEIGHTS:
            raise AccessError(f"needs WEIGHTS, {self.generator} grants {self.access.name}")
        denoiser = self.denoiser()
        module: Module | None = getattr(denoiser, "module", None)
        if module is None:
            raise AccessError(f"needs WEIGHTS, and {self.generator} shows no network")
        module.requires_grad_(requires_grad=True)
        return cast("OpenDenoiser", denoiser)
