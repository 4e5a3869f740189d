"""How privacy is tested: one file an attack."""

from ..audit.torchvision_cpu import repair_torchvision

repair_torchvision()  # before any module here imports a library that imports torchvision
