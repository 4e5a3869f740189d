"""What the statistics need to know that no attack may see, and what they give back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..record import Estimate, Plot, Series
from ..types import FloatArray, ImageSet, Names

BINS = 40


@dataclass(frozen=True, eq=False, slots=True)
class Truth:
    """Who was a member: joined to an attack's scores only after it has scored.

    Attributes:
        candidates: the candidates as the attack saw them, in its order, with their pseudonyms.
        member: ``(n,)`` whether each candidate image was trained on.
        patient: ``(n,)`` the real patient of each candidate image, to be compared with a sample's source.
        samples: the released images.
    """

    candidates: ImageSet
    member: NDArray[np.bool_]
    patient: Names
    samples: ImageSet

    def of_patients(self, patients: Names) -> tuple[NDArray[np.bool_], Names]:
        """Membership and centre of each pseudonym in ``patients``."""
        names, first = np.unique(self.candidates.patient, return_index=True)
        image = first[np.searchsorted(names, patients)]
        center = self.candidates.center
        return self.member[image], (np.full(len(patients), "") if center is None else center[image])

    def names(self, patients: Names) -> Names:
        """The real name behind each pseudonym in ``patients``."""
        pseudonyms, first = np.unique(self.candidates.patient, return_index=True)
        return self.patient[first[np.searchsorted(pseudonyms, patients)]]


@dataclass(frozen=True, eq=False, slots=True)
class Measured:
    """Estimates and plots of one attack.

    Attributes:
        estimates: group "" holds the figures a verdict may rest on.
        plots: aggregated data for figures.
        notes: what a reader should know.
        invalid: why the result means nothing, or "".
        flagged: ``(n_samples,)`` released images that look like copies: never shown in a report, or None.
    """

    estimates: tuple[Estimate, ...]
    plots: tuple[Plot, ...] = ()
    notes: tuple[str, ...] = ()
    invalid: str = ""
    flagged: NDArray[np.bool_] | None = None


def histogram(name: str, x_label: str, groups: dict[str, FloatArray]) -> Plot:
    """Shares of each group in common bins."""
    pooled = np.concatenate(list(groups.values()))
    edges = np.histogram_bin_edges(pooled[np.isfinite(pooled)], bins=BINS)
    series = []
    for label, values in groups.items():
        counts, _ = np.histogram(values, bins=edges)
        series.append(Series(label=label, x=tuple(edges.tolist()), y=tuple((counts / max(len(values), 1)).tolist())))
    return Plot(name=name, kind="histogram", x_label=x_label, y_label="share", series=tuple(series))
