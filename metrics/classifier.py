"""A small convolutional classifier that learns where to look, if masks can tell it."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..audit.context import Context, Step
from ..audit.types import FloatArray, ImageSet, Index, Labels
from .training import Recipe, augment, jitter, lesion_target, network_input, train

_BATCH = 64
_MASK_WEIGHT = 3.0
_LESION_WEIGHT = 4.0  # a lesion covers a small part of the image


class Classifier(nn.Module):
    """Convolutions, then the mean feature over the places that the network attends to.

    A lesion fills a fiftieth of the image: with plain global pooling 400 steps learn nothing (ROC-AUC 0.52 on
    ``brain-sim``), with attention taught by masks 0.88.
    """

    def __init__(self, channels: int, classes: int, axes: int, width: int = 16) -> None:
        super().__init__()
        convolution = (nn.Conv2d, nn.Conv3d)[axes - 2]
        self._axes = tuple(range(2, 2 + axes))

        def block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
            return nn.Sequential(
                convolution(inputs, outputs, 3, stride, 1, bias=False), nn.GroupNorm(8, outputs), nn.SiLU()
            )

        self.fine = nn.Sequential(
            block(channels, width, 2),
            block(width, width, 1),
            block(width, 2 * width, 2),
            block(2 * width, 2 * width, 1),
        )
        self.coarse = nn.Sequential(block(2 * width, 4 * width, 2), block(4 * width, 4 * width, 1))
        self.merge = block(6 * width, 4 * width, 1)
        self.attention = convolution(4 * width, 1, 1)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(4 * width, classes))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the classes ``(n, classes)`` and of attention ``(n, 1, *spatial / 4)``."""
        fine = self.fine(x)
        coarse = functional.interpolate(self.coarse(fine), size=fine.shape[2:])
        merged = self.merge(torch.cat([coarse, fine], dim=1))
        where = self.attention(merged)
        share = torch.sigmoid(where)
        pooled = (merged * share).sum(self._axes) / (share.sum(self._axes) + 1e-3)
        return self.head(pooled), where


def train_classifier(images: ImageSet, classes: Labels, recipe: Recipe, context: Context, step: Step) -> nn.Module:
    """A classifier of ``classes``, trained on ``images`` and their labels, each class weighing the same.

    Where ``images`` have masks, their lesions teach the attention. No mask is needed to apply it.
    """
    assert images.label is not None
    with context.torch_scope("weights"):
        model = Classifier(images.channels, len(classes), len(images.spatial)).to(context.device)
    target = torch.from_numpy(np.searchsorted(classes, images.label)).to(context.device)
    weight = len(target) / (len(classes) * torch.bincount(target, minlength=len(classes)).float())
    emphasis = torch.tensor(_LESION_WEIGHT, device=context.device)

    def loss(index: Index, draw: torch.Generator) -> Tensor:
        x = network_input(images, index, context.device)
        if images.mask is None:
            logits, _ = model(jitter(augment(x, draw), draw))
            return functional.cross_entropy(logits, target[index], weight=weight)
        moved = augment(torch.cat([x, lesion_target(images, index, context.device)], dim=1), draw)
        logits, where = model(jitter(moved[:, :-1], draw))
        share = functional.interpolate(moved[:, -1:], size=where.shape[2:], mode="area")
        attention = functional.binary_cross_entropy_with_logits(where, share, pos_weight=emphasis)
        return functional.cross_entropy(logits, target[index], weight=weight) + _MASK_WEIGHT * attention

    train(model, loss, len(images), recipe, context, step)
    return model


@torch.inference_mode()
def classify(model: nn.Module, images: ImageSet, device: str) -> FloatArray:
    """Log-probability of each class, ``(n, classes)``."""
    parts = [
        functional.log_softmax(model(network_input(part, slice(None), device))[0], dim=1).cpu().numpy()
        for part in images.batches(_BATCH)
    ]
    found: FloatArray = np.concatenate(parts).astype(np.float64)
    return found
