"""Membership from how many synthetic images lie around a candidate."""

from typing import Annotated

import numpy as np
from pydantic import Field

from ..audit.context import Auxiliary
from ..audit.plugin import attack
from ..audit.target import Target
from ..audit.types import ImageSet, MembershipScores
from .vectors import Space, distances, nearest_of, vectors_in

CLOSEST = 1e-3  # of epsilon: nearer is not told apart, or one exact copy would count without end


@attack(
    family="membership",
    paper="arXiv:1906.03006",
    patients={"reference": 8},
    standard={"steps": 1000},
    full={"steps": 3000},
)
def monte_carlo(
    target: Target,
    candidates: ImageSet,
    aux: Auxiliary,
    *,
    space: Annotated[
        Space, Field(description="where distances are taken: a copy detector's embedding, principal components, pixels")
    ] = "embedding",
    quantile: Annotated[
        float, Field(gt=0, le=1, description="epsilon as this quantile of candidates' distances to the nearest sample")
    ] = 0.5,
    components: Annotated[int, Field(ge=1, description="principal components, where space is pca")] = 64,
    steps: Annotated[
        int, Field(ge=1, description="training steps of the copy detector, where space is embedding")
    ] = 200,
) -> MembershipScores:
    """Share of synthetic images in a candidate's neighbourhood: around a memorized member there are more.

    Hilprecht, Haerterich and Bernau, Monte Carlo and reconstruction membership inference attacks against generative
    models (PoPETs 2019, arXiv:1906.03006): the share of samples within epsilon of x, epsilon the median over candidates
    of the distance to the nearest sample. Bare counts tie: half of all candidates then have none, most others one. So
    this is the distance-weighted form, (1/n) sum log(epsilon / d) over the samples with d below epsilon; and a
    candidate with none has log(epsilon / d) / n of its nearest one, which is negative and goes on where the sum ends.

    On simulated releases of which a fifth are copies (three cohorts of 132 + 132 patients) the patient AUC is 0.90 for
    exact copies, 0.87 for noisy, 0.89 for recoloured, 0.72 for shifted, 0.83 for turned and 0.80 for bent ones; of
    mixtures of two patients and of pasted lesions it sees nothing (0.53, 0.51), on fresh patients it says 0.51. In
    principal components shifted copies give 0.57 and mixtures 0.80.
    """
    device = aux.context.device
    found = vectors_in(space, target, candidates, aux, components=components, steps=steps)
    nearest = nearest_of(found.candidates, found.samples, device)
    # Where half the candidates are copied the quantile is 0; if all are, nothing is left to be told apart.
    epsilon = float(np.quantile(nearest, quantile)) or float(nearest.max()) or 1.0
    weight = np.zeros(len(nearest))
    for rows, distance in distances(found.candidates, found.samples, device):
        weight[rows] += np.log(epsilon / np.clip(distance, CLOSEST * epsilon, epsilon)).sum(axis=1)
    alone = np.log(epsilon / np.maximum(nearest, CLOSEST * epsilon))
    return MembershipScores(np.where(nearest < epsilon, weight, alone) / len(found.samples))
