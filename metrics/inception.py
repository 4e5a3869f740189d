"""pytorch-fid's Inception network with its published weights, or the reason why it is not here."""

import importlib.util
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch import nn

from ..audit.context import Step
from ..audit.errors import SkippedError
from ..audit.types import FloatArray, ImageSet

WEIGHTS = "pt_inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{WEIGHTS}"
_BATCH = 32


def weights_file(weights: Path | None) -> Path:
    """Where the weights lie: ``weights``, or torch's cache (``$TORCH_HOME/hub/checkpoints``).

    Raises:
        SkippedError: if pytorch-fid is not installed or the file is not there; says how to get what is missing.
    """
    missing = [name for name in ("pytorch_fid", "torchvision") if importlib.util.find_spec(name) is None]
    if missing:
        raise SkippedError(f"needs {' and '.join(missing)}: pip install privbench[fid]")
    path = weights or Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS
    if not path.is_file():
        where = "where the option weights says" if weights else "in $TORCH_HOME/hub/checkpoints"
        raise SkippedError(
            f"needs Inception's weights {where}; get them from {URL} ('privbench doctor' shows the place)"
        )
    return path


def inception(weights: Path, device: str) -> nn.Module:
    """pytorch-fid's network (2048 features, the pool before the classifier), with ``weights`` from that file.

    pytorch-fid would download them; it is handed the file instead, read without unpickling objects.

    Raises:
        SkippedError: if the file does not hold these weights.
    """
    from pytorch_fid import inception as network

    state = torch.load(weights, map_location="cpu", weights_only=True)
    with mock.patch.object(network, "load_state_dict_from_url", return_value=state):
        try:
            model: nn.Module = network.InceptionV3([network.InceptionV3.DEFAULT_BLOCK_INDEX])
        except (RuntimeError, TypeError) as error:
            raise SkippedError(f"{weights} does not hold pytorch-fid's weights; download {URL}") from error
    return model.eval().to(device)


@torch.inference_mode()
def activations(model: nn.Module, images: ImageSet, device: str, step: Step) -> FloatArray:
    """``(n, 2048)`` features of images in [0, 1]; grey images are repeated to three channels, the network resizes.

    Args:
        model: what ``inception`` returned.
        images: 2-D, of one or three channels.
        device: where ``model`` is.
        step: the progress bar to move, an image a unit.
    """
    found = []
    for part in images.batches(_BATCH):
        x = torch.from_numpy(np.array(part.pixels)).to(device).expand(-1, 3, -1, -1)
        found.append(model(x)[0].flatten(1).cpu().numpy())
        step(len(part))
    features: FloatArray = np.concatenate(found).astype(np.float64)
    return features
