"""Which of a denoiser's weights private training touches: fewer weights, less noise."""

from typing import Literal, cast

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn

from ..latent.diffusion import NoisePredictor

Trainable = Literal["all", "attention", "lora"]
PROJECTIONS = ("to_q", "to_k", "to_v")


class Adapted(nn.Module):
    """A frozen linear layer beside a trainable one of low rank that starts at zero (Hu et al. 2022, arXiv 2106.09685).

    Args:
        base: the frozen layer.
        rank: of what is added to it.
    """

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Linear(base.in_features, rank, bias=False)
        self.up = nn.Linear(rank, base.out_features, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        """What the frozen layer gives, and the correction."""
        y: Tensor = self.base(x) + self.up(self.down(x))
        return y

    def folded(self) -> nn.Linear:
        """One layer that does the same."""
        with torch.no_grad():
            self.base.weight += self.up.weight @ self.down.weight
        return self.base


def select(model: NoisePredictor, what: Trainable, rank: int) -> None:
    """Let a gradient reach only what is to be trained; the embedding of the label always is.

    Draws the first weights of adapters from torch's global generator: call it in a ``torch_scope``.

    Args:
        model: the denoiser; gets adapters for ``lora``, which ``fold`` removes again.
        what: all weights, those of the attention layers, or low-rank adapters of the attention's projections.
        rank: of the adapters.
    """
    model.requires_grad_(what == "all")
    attentions = [m for m in model.modules() if isinstance(m, Attention)]
    for attention in attentions if what == "attention" else ():
        attention.requires_grad_(requires_grad=True)
    for attention in attentions if what == "lora" else ():
        for name in PROJECTIONS:
            setattr(attention, name, Adapted(getattr(attention, name), rank))
        attention.to_out[0] = Adapted(cast("nn.Linear", attention.to_out[0]), rank)
    model.unet.class_embedding.requires_grad_(requires_grad=True)


def fold(model: NoisePredictor) -> None:
    """Fold adapters into the layers they adapt: the model then is an ordinary one that does the same."""
    for attention in [m for m in model.modules() if isinstance(m, Attention)]:
        for name in PROJECTIONS:
            layer = getattr(attention, name)
            if isinstance(layer, Adapted):
                setattr(attention, name, layer.folded())
        if isinstance(attention.to_out[0], Adapted):
            attention.to_out[0] = attention.to_out[0].folded()
