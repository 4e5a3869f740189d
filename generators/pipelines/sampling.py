"""Images drawn from a diffusers pipeline as it draws them itself, but from a generator of our own."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from torch import Tensor

from .parts import Pipeline

Sampler = Literal["own", "ddim", "dpm-solver"]
FEW = 50  # steps that DDIM's and latent diffusion's pipelines take unless told
LEARNED = ("learned", "learned_range")


def draw(
    pipeline: Pipeline,
    classes: Tensor | None,
    n: int,
    rng: torch.Generator,
    *,
    sampler: Sampler = "own",
    steps: int | None = None,
    guidance: float = 1.0,
    null: int | None = None,
    batch: int = 16,
    advance: Callable[[int], None] | None = None,
) -> Iterator[Tensor]:
    """``n`` images ``(m, channels, height, width)`` in [0, 1], batch by batch, on the CPU.

    Args:
        pipeline: what to draw from.
        classes: ``(n,)`` class indices; None for a pipeline without.
        n: how many.
        rng: a CPU generator, of all noise.
        sampler: the pipeline's own scheduler, or deterministic DDIM (arXiv 2010.02502) or DPM-Solver++ (arXiv
            2211.01095) with its noise levels.
        steps: denoising steps; None: all of them for DDPM's ancestral sampler, 50 for another, as pipelines do.
        guidance: scale g of classifier-free guidance (arXiv 2207.12598), ``none + g (class - none)``; 1: off.
        null: the class that means "none"; needed for guidance.
        batch: images denoised at once.
        advance: told at every step how many images made it; all in all ``n`` times ``steps_of``.
    """
    for start in range(0, n, batch):
        count = min(batch, n - start)
        scheduler = scheduler_for(pipeline, sampler, steps)
        own = None if classes is None else classes[start : start + count].to(pipeline.device)
        yield pipeline.decode(_denoised(pipeline, scheduler, own, count, rng, guidance, null, advance)).cpu()


def steps_of(pipeline: Pipeline, sampler: Sampler, steps: int | None) -> int:
    """How often the network is asked for an image; second-order samplers ask twice a step."""
    return len(scheduler_for(pipeline, sampler, steps).timesteps)


def scheduler_for(pipeline: Pipeline, sampler: Sampler, steps: int | None) -> Any:
    """A new scheduler with the pipeline's noise levels and prediction type, set to so many steps."""
    config = pipeline.scheduler.config
    scheduler: Any
    if sampler == "own":
        scheduler = type(pipeline.scheduler).from_config(config)
    elif sampler == "dpm-solver":
        scheduler = DPMSolverMultistepScheduler.from_config(config, variance_type=None)
    else:  # DDIM clips to [-1, 1] unless told, which is right for pixels only.
        clip = config.get("clip_sample", pipeline.autoencoder is None)
        scheduler = DDIMScheduler.from_config(config, clip_sample=clip)
    scheduler.set_timesteps(_usual(pipeline, sampler) if steps is None else steps)
    return scheduler


def _usual(pipeline: Pipeline, sampler: Sampler) -> int:
    levels = len(pipeline.scheduler.alphas_cumprod)
    ancestral = sampler == "own" and pipeline.contents.scheduler.kind.startswith("DDPM")
    return levels if ancestral else min(FEW, levels)


@torch.no_grad()
def _denoised(
    pipeline: Pipeline,
    scheduler: Any,
    classes: Tensor | None,
    n: int,
    rng: torch.Generator,
    guidance: float,
    null: int | None,
    advance: Callable[[int], None] | None,
) -> Tensor:
    """``(n, c, h, w)`` as diffused, on the pipeline's device."""
    noise = torch.randn((n, *pipeline.diffused), generator=rng)
    x_t: Tensor = noise.to(pipeline.device) * scheduler.init_noise_sigma
    drawn = {"generator": rng} if "generator" in inspect.signature(scheduler.step).parameters else {}
    splits = scheduler.config.get("variance_type") in LEARNED  # then the scheduler takes the variance as well
    for t in scheduler.timesteps:
        inputs = scheduler.scale_model_input(x_t, t)
        at = t.expand(n).to(pipeline.device)
        predicted = pipeline.output(inputs, at, classes)
        channels = x_t.shape[1]
        if guidance != 1 and classes is not None and null is not None:
            blind = pipeline.output(inputs, at, torch.full_like(classes, null))[:, :channels]
            guided = blind + guidance * (predicted[:, :channels] - blind)
            predicted = torch.cat((guided, predicted[:, channels:]), 1)
        x_t = scheduler.step(predicted if splits else predicted[:, :channels], t, x_t, **drawn).prev_sample
        if advance is not None:
            advance(n)
    return x_t
