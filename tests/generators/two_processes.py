"""What ``torchrun`` starts twice in ``test_training_devices.py``: one training of the latent diffusion."""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.torch import save_file
from torch import nn

from privbench.audit.context import Context
from privbench.audit.errors import BadInputError
from privbench.audit.types import ImageSet, TrainingData
from privbench.generators import ldm
from privbench.generators.latent import training
from privbench.generators.latent.devices import is_main, join
from privbench.generators.ldm import Ldm

OPTIONS = {"channels": 16, "autoencoder_channels": 16, "batch": 6, "autoencoder_steps": 6, "steps": 6, "drop": 0.3}


def members() -> ImageSet:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    middle = rng.uniform(10, 22, (2, 12, 1, 1))
    mask = np.hypot(y - middle[0], x - middle[1]) < 5
    pixels = np.clip(0.4 + 0.3 * mask + 0.05 * rng.standard_normal((12, 32, 32)), 0, 1)
    return ImageSet(
        pixels=pixels[:, None].astype(np.float32),
        patient=np.repeat(list("abcdef"), 2),
        label=np.repeat([0, 1], 6).astype(np.int64),
        mask=mask.astype(np.uint8),
        center=np.tile(["east", "west"], 6),
    )


def fit(folder: Path, **options: object) -> Context:
    context = Context(seed=5, path=("generator",), folder=folder)
    Ldm(**{**OPTIONS, **options}).fit(TrainingData(members()), context)
    return context


def main() -> None:
    training.CHECKPOINT_EVERY = 2
    shared, own = Path(sys.argv[1]), Path(sys.argv[2])
    join("cpu")
    name = "first" if is_main() else "second"
    train = ldm.train

    def watched(part: str, model: nn.Module, *args: object) -> None:
        """Train, and leave what this very process has learnt."""
        train(part, model, *args)
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, own / f"{name}-{part}.safetensors")

    ldm.train = watched
    fit(shared)
    try:
        fit(own / "uneven", batch=7)
    except BadInputError as error:
        (own / f"{name}.json").write_text(json.dumps(str(error)))


if __name__ == "__main__":
    main()
