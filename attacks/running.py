"""The nearest so far: distances come in blocks, and of each query only its nearest patients are kept."""

import numpy as np
import torch
from torch import Tensor

from ..audit.types import Ranking


class Running:
    """The nearest patients of each of n queries among the images seen so far, nearest first.

    A block costs one comparison of each distance with the last that is kept; only what is nearer is sorted.

    Args:
        queries: n.
        ranks: patients kept of each.
        device: where the blocks will be.

    Attributes:
        distance: ``(n, ranks)`` float32, ``inf`` where there is none yet.
        patient: ``(n, ranks)`` int64, -1 where there is none yet.
        image: ``(n, ranks)`` int64, which image of that patient.
    """

    def __init__(self, queries: int, ranks: int, device: str) -> None:
        self.distance = torch.full((queries, ranks), torch.inf, device=device)
        self.patient = torch.full((queries, ranks), -1, device=device)
        self.image = torch.full((queries, ranks), -1, device=device)
        self._begun = False

    def add(self, distance: Tensor, patient: Tensor, first: int) -> None:
        """See the images from number ``first`` on.

        Args:
            distance: ``(n, b)``, or anything that orders as distances do; ``inf`` where an image must not be found.
            patient: ``(b,)`` whom each image shows.
            first: number of the first of them.
        """
        if self._begun:
            row, column = (distance < self.distance[:, -1:]).nonzero(as_tuple=True)
        else:
            row, column = self._first(distance, patient)
        self._begun = True
        found = distance[row, column]
        there = torch.isfinite(found)
        row, column, found = row[there], column[there], found[there]
        kept = (self.patient >= 0).nonzero(as_tuple=True)
        rows = torch.cat([kept[0], row])
        patients = torch.cat([self.patient[kept], patient[column]])
        images = torch.cat([self.image[kept], first + column])
        values = torch.cat([self.distance[kept], found])
        # By query, patient and distance: the first of each patient is that patient's nearest image.
        order = torch.argsort(values, stable=True)
        order = order[torch.argsort(patients[order], stable=True)]
        order = order[torch.argsort(rows[order], stable=True)]
        again = (rows[order].diff() == 0) & (patients[order].diff() == 0)
        order = order[torch.cat([again.new_ones(min(1, len(order))), ~again])]
        # By query and distance: the place within the query is the rank.
        order = order[torch.argsort(values[order], stable=True)]
        order = order[torch.argsort(rows[order], stable=True)]
        row = rows[order]
        starts = torch.searchsorted(row, torch.arange(len(self.distance), device=row.device))
        rank = torch.arange(len(row), device=row.device) - starts[row]
        near = rank < self.distance.shape[1]
        place, order = (row[near], rank[near]), order[near]
        self.distance[place], self.patient[place], self.image[place] = values[order], patients[order], images[order]

    def _first(self, distance: Tensor, patient: Tensor) -> tuple[Tensor, Tensor]:
        """As many of the nearest images as surely show ``ranks`` patients."""
        most = int(torch.bincount(patient).max())
        width = min(distance.shape[1], (self.distance.shape[1] - 1) * most + 1)
        column = distance.topk(width, largest=False, sorted=False).indices
        row = torch.arange(len(distance), device=distance.device)[:, None].expand_as(column)
        return row.flatten(), column.flatten()

    def ranking(self) -> Ranking:
        """What was found, in the order of the distances as they are now."""
        order = torch.argsort(self.distance, dim=1, stable=True)
        distance, patient, image = (x.gather(1, order).cpu().numpy() for x in (self.distance, self.patient, self.image))
        return Ranking(distance, patient.astype(np.int32), image.astype(np.int32))


def joined(parts: list[Ranking], ranks: int) -> Ranking:
    """The rankings of consecutive queries as one."""
    none = np.empty((0, ranks), np.int32)
    parts = [Ranking(none.astype(np.float32), none, none), *parts]
    distance, patient, image = (
        np.concatenate(x) for x in zip(*((r.distance, r.patient, r.image) for r in parts), strict=True)
    )
    return Ranking(distance, patient, image)
