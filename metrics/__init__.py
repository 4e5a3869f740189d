"""How utility is measured: one file a metric."""

from ..audit.torchvision_cpu import repair_torchvision

repair_torchvision()  # before any module here imports a library that imports torchvision
