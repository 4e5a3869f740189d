"""The checks of the noise predictor that a generator grants."""

import numpy as np

from ..audit.target import Access, Denoiser, Target
from ..audit.types import ImageSet
from .conformance import require
from .purity import global_seed, global_states

MIDDLE = 0.5  # of the schedule


def states_its_schedule(denoiser: Denoiser, images: ImageSet) -> None:  # noqa: ARG001
    """The cumulative schedule falls strictly within (0, 1], in float64."""
    import torch

    abar = denoiser.alphas_cumprod
    require(
        isinstance(abar, torch.Tensor) and abar.ndim == 1 and abar.dtype == torch.float64,
        f"alphas_cumprod is {getattr(abar, 'dtype', type(abar).__name__)} {tuple(getattr(abar, 'shape', ()))}",
        "return a tensor (T,) of float64",
    )
    fine = bool((abar > 0).all() and (abar <= 1).all() and (abar.diff() < 0).all())
    require(fine, "alphas_cumprod does not fall strictly within (0, 1]", "torch.cumprod(1 - betas.double(), 0)")


def prepares_the_same(denoiser: Denoiser, images: ImageSet) -> None:
    """Encoding draws nothing at random, and an image's latents do not depend on its neighbours'."""
    queries = []
    for seed in (1, 2):
        with global_seed(seed):
            before = global_states()
            queries.append(denoiser.prepare(images))
            require(before == global_states(), "prepare used a global generator", "take the mode, not a draw")
    first, second = queries
    pairs = zip((first.latents, *first.condition), (second.latents, *second.condition), strict=True)
    require(
        all(a.equal(b) for a, b in pairs), "prepare gave other latents the second time", "take the mode, not a draw"
    )
    rows = {len(part) for part in (first.latents, *first.condition)}
    require(rows == {len(images)}, f"prepare gave {rows} rows for {len(images)} images", "one row an image, everywhere")
    require(bool(first.latents.isfinite().all()), "latents are not finite", "encode pixels in [0, 1]")


def predicts_noise(denoiser: Denoiser, images: ImageSet) -> None:
    """Finite, of the latents' shape, the same twice, at the first, a middle and the last step."""
    import torch

    queries = denoiser.prepare(images)
    last = len(denoiser.alphas_cumprod) - 1
    draw = np.random.default_rng(0).standard_normal(tuple(queries.latents.shape))
    noise = torch.from_numpy(draw).to(queries.latents.dtype)
    for t in (0, int(MIDDLE * last), last):
        abar = float(denoiser.alphas_cumprod[t])
        x_t = abar**0.5 * queries.latents + (1 - abar) ** 0.5 * noise
        at = torch.full((len(images),), t, dtype=torch.long)
        kept = x_t.clone()
        with global_seed(1):
            first = denoiser.predict_noise(x_t, at, queries.condition)
        with global_seed(2):
            second = denoiser.predict_noise(x_t, at, queries.condition)
        require(
            first.shape == x_t.shape and bool(first.isfinite().all()),
            f"at step {t} it predicted {tuple(first.shape)} for {tuple(x_t.shape)}, or what is not finite",
            "return epsilon of the shape of x_t; convert a v-prediction",
        )
        require(first.equal(second), f"at step {t} two predictions differ", "put the network into eval mode")
        require(kept.equal(x_t), "predict_noise changed x_t", "work on a copy")


def keeps_no_gradient(denoiser: Denoiser, images: ImageSet) -> None:
    """A prediction drags no graph along, so that querying many images needs no more memory than one."""
    import torch

    queries = denoiser.prepare(images)
    at = torch.zeros(len(images), dtype=torch.long)
    found = denoiser.predict_noise(queries.latents, at, queries.condition)
    require(
        not found.requires_grad and not queries.latents.requires_grad,
        "predictions or latents carry a gradient",
        "decorate with torch.no_grad(), or freeze the weights with requires_grad_(False) where they are open",
    )


def can_be_told_nothing(denoiser: Denoiser, images: ImageSet) -> None:
    """Where it has an unconditional form: a condition of the same shape, which is the same told twice, and noise."""
    import torch

    nothing = getattr(denoiser, "unconditional", None)
    if nothing is None:
        return
    queries = denoiser.prepare(images)
    kept = tuple(part.clone() for part in queries.condition)
    free = nothing(queries.condition)
    fix = "give one tensor for each of the condition's, of its shape and type, that tells nothing of the image"
    alike = [(a.shape, a.dtype) for a in free] == [(b.shape, b.dtype) for b in kept]
    require(alike, "unconditional gave tensors of other shapes or types than the condition's", fix)
    require(
        all(a.equal(b) for a, b in zip(kept, queries.condition, strict=True)), "unconditional changed its input", fix
    )
    again = nothing(free)
    require(all(a.equal(b) for a, b in zip(free, again, strict=True)), "unconditional of itself is something else", fix)
    at = torch.zeros(len(images), dtype=torch.long)
    found = denoiser.predict_noise(queries.latents, at, free)
    require(
        bool(found.isfinite().all()), "told nothing, it predicted what is not finite", "train with a null condition"
    )


def opens_its_network(denoiser: Denoiser, images: ImageSet) -> None:
    """A loss on its predictions has gradients by the parameters of its module, in evaluation mode and frozen so far."""
    import torch

    module = getattr(denoiser, "module", None)
    fix = "return the network that predict_noise asks as module, and no torch.no_grad() around it"
    require(isinstance(module, torch.nn.Module), f"module is {type(module).__name__}", fix)
    assert isinstance(module, torch.nn.Module)
    frozen = not any(p.requires_grad for p in module.parameters())
    require(
        frozen and not module.training, "module is not frozen and in evaluation mode", "eval().requires_grad_(False)"
    )
    opened = Target(images, Access.WEIGHTS, open_denoiser=lambda: denoiser).weights()
    queries = opened.prepare(images)
    at = torch.full((len(images),), int(MIDDLE * (len(opened.alphas_cumprod) - 1)), dtype=torch.long)
    loss = opened.predict_noise(queries.latents, at, queries.condition).square().mean()
    require(loss.requires_grad, "no gradient reaches the module's parameters", fix)
    found = torch.autograd.grad(loss, list(opened.module.parameters()), allow_unused=True)
    module.requires_grad_(requires_grad=False)
    reached = [g for g in found if g is not None and bool(g.isfinite().all()) and bool(g.any())]
    require(2 * len(reached) > len(found), f"{len(reached)} of {len(found)} parameters have a gradient", fix)
