"""A small U-Net that marks lesions: trained on some images, scored by Dice on others."""

import numpy as np
import torch
from monai.losses.dice import DiceCELoss
from monai.metrics.meandice import compute_dice
from monai.networks.nets.unet import UNet
from torch import Tensor, nn

from ..audit.context import Context, Step
from ..audit.types import FloatArray, ImageSet, Index
from .training import Recipe, augment, jitter, lesion_target, network_input, train

_BATCH = 64


def train_segmenter(images: ImageSet, recipe: Recipe, context: Context, step: Step) -> nn.Module:
    """A MONAI U-Net trained on ``images`` and their masks with Dice and cross-entropy loss."""
    with context.torch_scope("weights"):
        model = UNet(
            spatial_dims=len(images.spatial),
            in_channels=images.channels,
            out_channels=1,
            channels=(16, 32, 64, 128),
            strides=(2, 2, 2),
        ).to(context.device)
    criterion = DiceCELoss(sigmoid=True, batch=True)

    def loss(index: Index, draw: torch.Generator) -> Tensor:
        both = torch.cat(
            [network_input(images, index, context.device), lesion_target(images, index, context.device)], dim=1
        )
        moved = augment(both, draw)
        found: Tensor = criterion(model(jitter(moved[:, :-1], draw)), (moved[:, -1:] > 0.5).float())
        return found

    train(model, loss, len(images), recipe, context, step)
    return model


@torch.inference_mode()
def segment(model: nn.Module, images: ImageSet, device: str) -> FloatArray:
    """Dice ``(n,)`` of the model's lesions against the masks; 1 where neither marks anything."""
    scores = []
    for part in images.batches(_BATCH):
        truth = lesion_target(part, slice(None), device)
        predicted = (model(network_input(part, slice(None), device)) > 0).float()
        scores.append(compute_dice(predicted, truth, ignore_empty=False)[:, 0].cpu().numpy())
    found: FloatArray = np.concatenate(scores).astype(np.float64)
    return found
