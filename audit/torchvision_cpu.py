"""Lets torchvision be imported where its wheel was built for CUDA and torch was not."""

import sys
from functools import cache
from importlib.util import find_spec


@cache
def repair_torchvision() -> None:
    """Make ``import torchvision`` work, if it is installed and does not.

    A torchvision built for CUDA finds no compiled operators beside a CPU build of torch and stops with "operator
    torchvision::nms does not exist"; so do diffusers, torchmetrics and pytorch-fid, which import it where it is
    installed. None of what privbench uses calls these operators, so declaring their schemas is enough.
    """
    if find_spec("torchvision") is None:
        return
    import torch

    if torch.version.cuda is not None:
        return
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        for name in [m for m in sys.modules if m.split(".", maxsplit=1)[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
        _kept.append(library)
        import torchvision  # noqa: F401


_kept: list[object] = []  # a schema lives as long as the library that declared it
