"""pytorch-fid's Inception network with its published weights, or the reason why it is not here."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np

from .context import Step
from .errors import SkippedError
from .types import FloatArray, ImageSet

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = "pt_inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{WEIGHTS}"
FEATURES = 2048
_BATCH = 32


def weights_file(weights: Path | None) -> Path:
    """Where the weights lie: ``weights``, or torch's cache (``$TORCH_HOME/hub/checkpoints``).

    Raises:
        SkippedError: if pytorch-fid is not installed or the file is not there; says how to get what is missing.
    """
    missing = [name for name in ("pytorch_fid", "torchvision") if importlib.util.find_spec(name) is None]
    if missing:
        raise SkippedError(f"needs {' and '.join(missing)}: pip install privbench[fid]")
    import torch

    path = weights or Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS
    if not path.is_file():
        where = "where the option weights says" if weights else "in $TORCH_HOME/hub/checkpoints"
        raise SkippedError(
            f"needs Inception's weights {where}; get them from {URL} ('privbench doctor' shows the place)"
        )
    return path


def inception(weights: Path, device: str) -> "nn.Module":
    """pytorch-fid's network (2048 features, the pool before the classifier), with ``weights`` from that file.

    pytorch-fid would download them; it is handed the file instead, read without unpickling objects.

    Raises:
        SkippedError: if the file does not hold these weights.
    """
    import torch
    from pytorch_fid import inception as network

    state = torch.load(weights, map_location="cpu", weights_only=True)
    with mock.patch.object(network, "load_state_dict_from_url", return_value=state):
        try:
            model: nn.Module = network.InceptionV3([network.InceptionV3.DEFAULT_BLOCK_INDEX])
        except (RuntimeError, TypeError) as error:
            raise SkippedError(f"{weights} does not hold pytorch-fid's weights; download {URL}") from error
    return model.eval().to(device)


def activations(model: "nn.Module", images: ImageSet, device: str, step: Step) -> FloatArray:
    """``(n, 2048)`` features of images in [0, 1]; grey images are repeated to three channels, the network resizes.

    Args:
        model: what ``inception`` returned.
        images: 2-D, of one or three channels.
        device: where ``model`` is.
        step: the progress bar to move, an image a unit.
    """
    import torch

    found = [np.zeros((0, FEATURES), np.float32)]
    with torch.inference_mode():
        for part in images.batches(_BATCH):
            x = torch.from_numpy(np.array(part.pixels)).to(device).expand(-1, 3, -1, -1)
            found.append(model(x)[0].flatten(1).cpu().numpy())
            step(len(part))
    return np.concatenate(found).astype(np.float64)
