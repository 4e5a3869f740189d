"""Where the randomness of a private step comes from: the audit's seed, or the operating system."""

import os
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

SUMMED = 4  # Gaussians in one secure Gaussian, as in Opacus' secure mode


class Chance(Protocol):
    """A source of the two draws that privacy rests on."""

    def uniform(self, n: int) -> Tensor:
        """``(n,)`` float64, uniform on [0, 1)."""
        ...

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        """Standard normal float32 on the CPU."""
        ...


class Seeded:
    """Reproducible: who knows the seed can subtract the noise."""

    def __init__(self, rng: torch.Generator) -> None:
        self.rng = rng

    def uniform(self, n: int) -> Tensor:
        """``(n,)`` float64, uniform on [0, 1)."""
        return torch.rand(n, dtype=torch.float64, generator=self.rng)

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        """Standard normal float32."""
        return torch.randn(shape, generator=self.rng)


class Secure:
    """From the operating system's cryptographic generator; never the same twice.

    A Gaussian is the sum of four, halved, each by Box and Muller's method in double precision: an attacker who looks
    at the last bits of a sum of noise and gradient then has to search about 2^159 combinations (Holohan & Braghin 2021,
    arXiv 2107.10138; the attack: arXiv 2112.05307). Opacus' secure mode does the same, but needs torchcsprng, which is
    not built for current versions of torch.
    """

    def uniform(self, n: int) -> Tensor:
        """``(n,)`` float64, uniform on [0, 1)."""
        bits = np.frombuffer(os.urandom(8 * n), np.uint64) >> np.uint64(11)
        return torch.from_numpy(bits.astype(np.float64) * 2.0**-53)

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        """Standard normal float32."""
        n = int(np.prod(shape, dtype=np.int64))
        total = torch.zeros(n, dtype=torch.float64)
        for _ in range(SUMMED):
            radius = torch.sqrt(-2 * torch.log1p(-self.uniform(n)))  # 1 - u is in (0, 1]: the logarithm is finite
            total += radius * torch.cos(2 * torch.pi * self.uniform(n))
        normal: Tensor = (total / SUMMED**0.5).float().reshape(shape)
        return normal
