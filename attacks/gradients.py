"""How far one image pulls at each weight of an open denoiser: norms of the loss gradient, tensor by tensor."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..audit.context import Arrays, Auxiliary
from ..audit.target import Target
from ..audit.types import FloatArray, ImageSet
from .passes import Part, Passes

SMALLEST = 1e-12


def gradient_norms(target: Target, images: ImageSet, aux: Auxiliary, timesteps: int, noises: int) -> FloatArray:
    """Logarithms of the L2 norms of the loss gradient, ``(n, tensors)``: one for each tensor of the network's weights.

    The loss is the mean over noise levels spread over the schedule and over noises that all images and models share;
    its gradient is taken once, as in GSA_1 of Pang et al., one image at a time: per-image gradients of a batch need as
    many copies of the weights. The condition is the image's own.

    Args:
        target: grants its weights.
        images: who is asked about.
        aux: randomness, device, where answers are kept.
        timesteps: noise levels.
        noises: at each level.

    Raises:
        AccessError: if the weights are not granted.
        ValueError: if a gradient is not finite.
    """

    def ask() -> Arrays:
        opened = target.weights()
        passes = Passes(opened, target.key, target.generator, aux.shared, timesteps * noises)
        weights = [w for w in opened.module.parameters() if w.requires_grad]
        rows = []
        with aux.context.progress.task("loss gradients", total=len(images)) as step:
            for one in images.batches(64):
                part = passes.part(one)
                for i in range(len(one)):
                    rows.append(_norms(passes, part, i, weights, timesteps, noises))
                    step(1)
        return {"norm": np.stack(rows)}

    if target.key:
        return aux.shared.kept("gradient norms", ask, target.key, images, timesteps, noises)["norm"]
    return ask()["norm"]


def _norms(passes: Passes, part: Part, i: int, weights: Sequence[Tensor], timesteps: int, noises: int) -> FloatArray:
    """Of image ``i`` of ``part``."""
    x_0 = part.x_0[i : i + 1]
    levels = passes.spread(timesteps)
    eps = torch.cat([passes.noise(t, noises, x_0) for t in levels])
    at = torch.tensor(levels, device=x_0.device).repeat_interleave(noises)
    x_t = torch.cat([passes.noised(x_0, own, t) for t, own in zip(levels, torch.split(eps, noises), strict=True)])
    condition = tuple(c[i : i + 1].expand(len(at), *c.shape[1:]) for c in part.queries.condition)
    with torch.enable_grad():
        loss = (passes.denoiser.predict_noise(x_t, at, condition) - eps).square().mean()
        pulls = torch.autograd.grad(loss, weights, allow_unused=True)
    # A tensor that this image's prediction does not use is not pulled at.
    norms = [0.0 if pull is None else float(torch.linalg.vector_norm(pull.double())) for pull in pulls]
    if not np.isfinite(norms).all():
        raise ValueError(f"{passes.generator}'s denoiser gave gradients that are not finite (NaN or infinite)")
    return np.log(np.array(norms) + SMALLEST)
