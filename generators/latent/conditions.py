"""How a noise predictor is told label, centre and attributes: each by an embedding, each with a learnt "not told"."""

import torch
from torch import Tensor, nn


class Conditioner(nn.Module):
    """One vector for all that an image is conditioned on, to be added to the embedding of the diffusion step.

    Label and centre are looked up; attributes go through two layers. Whatever is not told has a learnt vector of its
    own, so that each can be withheld alone.

    Args:
        classes: distinct labels; index ``classes`` is "no label".
        centers: distinct centres, 0 for a model that is not told them.
        attributes: numbers about each image, 0 for none.
        width: of the vector.
    """

    def __init__(self, classes: int, centers: int, attributes: int, width: int) -> None:
        super().__init__()
        self.centers = centers
        self.columns = (1 if centers else 0) + attributes
        self.label = nn.Embedding(classes + 1, width)
        if centers:
            self.center = nn.Embedding(centers + 1, width)
        if attributes:
            self.attributes = nn.Sequential(nn.Linear(attributes, width), nn.SiLU(), nn.Linear(width, width))
            self.no_attributes = nn.Parameter(torch.zeros(width))

    def forward(self, label: Tensor, given: Tensor | None) -> Tensor:
        """The vectors ``(n, width)``.

        Args:
            label: ``(n,)`` class indices.
            given: ``(n, columns)`` centre index, where there are centres, then the attributes; infinite is "not told".
                None: nothing of it is told.
        """
        told: Tensor = self.label(label)
        if given is None:
            given = told.new_full((len(told), self.columns), torch.inf)
        if self.centers:
            told = told + self.center(given[:, 0].nan_to_num(posinf=self.centers).long())
            given = given[:, 1:]
        if given.shape[1]:
            known = given.isfinite().all(1, keepdim=True)
            told = told + torch.where(known, self.attributes(given.nan_to_num(posinf=0.0)), self.no_attributes)
        return told
