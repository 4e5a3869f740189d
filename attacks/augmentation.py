"""Changes that leave a picture the same picture: what a verifier or a copy detector must learn to overlook."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

Draw = Callable[..., Tensor]  # draw(*shape): uniform in [0, 1), one row an image


@dataclass(frozen=True)
class Changes:
    """The most that each change does; 0 leaves it out.

    Attributes:
        shift: pixels, each way along both axes.
        rotation: degrees, either way.
        zoom: relative size, 1 ± this.
        gamma: octaves, either way.
        gain: contrast, 1 ± this.
        offset: brightness, ± this.
        noise: standard deviation.
        blur: share of a 3 x 3 mean.
        cutout: side of a square that is blanked, as a share of the image's.
    """

    shift: float = 3.0
    rotation: float = 8.0
    zoom: float = 0.0
    gamma: float = 0.4
    gain: float = 0.2
    offset: float = 0.05
    noise: float = 0.05
    blur: float = 0.0
    cutout: float = 0.0

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """A changed copy of ``images`` ``(n, c, h, w)`` in [0, 1]; drawn on the CPU, each image its own changes."""
        n = len(images)

        def draw(*shape: int) -> Tensor:
            return torch.rand((n, *shape), generator=generator)

        def around(most: float) -> Tensor:
            return ((2 * draw(1, 1, 1) - 1) * most).to(images.device)

        images = self._moved(images, draw)
        images = images.clamp(0, 1) ** (2 ** around(self.gamma)) * (1 + around(self.gain)) + around(self.offset)
        if self.blur:
            soft = functional.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)
            images = torch.lerp(images, soft, (draw(1, 1, 1) * self.blur).to(images.device))
        if self.noise:
            grain = torch.randn(images.shape, generator=generator).to(images.device)
            images = images + grain * (draw(1, 1, 1) * self.noise).to(images.device)
        if self.cutout:
            images = images * self._window(draw, images.shape[-2], images.shape[-1]).to(images.device)
        return images.clamp(0, 1)

    def _moved(self, images: Tensor, draw: Draw) -> Tensor:
        h, w = images.shape[-2:]
        angle = (2 * draw() - 1) * self.rotation * torch.pi / 180
        size = 1 + (2 * draw() - 1) * self.zoom
        move = (2 * draw(2) - 1) * self.shift * 2 / torch.tensor([w, h])
        cos, sin = torch.cos(angle) * size, torch.sin(angle) * size
        rows = [torch.stack([cos, -sin * h / w, move[:, 0]], 1), torch.stack([sin * w / h, cos, move[:, 1]], 1)]
        grid = functional.affine_grid(torch.stack(rows, 1).to(images.device), list(images.shape), align_corners=False)
        return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)

    def _window(self, draw: Draw, h: int, w: int) -> Tensor:
        """1 where an image stays, 0 where it is blanked: ``(n, 1, h, w)``."""
        half = draw(1, 1, 1) * self.cutout / 2
        y, x = ((torch.arange(n) + 0.5) / n for n in (h, w))
        rows = (y[:, None] - draw(1, 1, 1)).abs() < half
        cols = (x - draw(1, 1, 1)).abs() < half
        return 1 - (rows & cols).float()
