"""Membership from a classifier that tells synthetic from real images."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..audit.context import Arrays, Auxiliary
from ..audit.plugin import attack
from ..audit.target import Target
from ..audit.types import ImageSet, MembershipScores, Names, Pixels
from .kernel_logistic import KernelLogistic, fit_kernel_logistic
from .vectors import Space, spacing, vectors_in

APART = 0.8  # cross-validated AUC from which on the scores speak of looks as much as of membership


@attack(
    family="membership",
    paper="arXiv:1705.07663",
    patients={"reference": 8},
    standard={"steps": 1000},
    full={"steps": 3000},
)
def logan(
    target: Target,
    candidates: ImageSet,
    aux: Auxiliary,
    *,
    space: Annotated[
        Space, Field(description="what the classifier sees: a copy detector's embedding, principal components, pixels")
    ] = "embedding",
    width: Annotated[
        float, Field(gt=0, description="of the classifier's kernel, over the distance between reference patients")
    ] = 0.35,
    ridge: Annotated[float, Field(gt=0, description="how strongly the classifier is held back from overfitting")] = 0.1,
    images: Annotated[
        int, Field(ge=2, description="images of either kind that one classifier is trained on, at most")
    ] = 1500,
    components: Annotated[int, Field(ge=1, description="principal components, where space is pca")] = 64,
    steps: Annotated[
        int, Field(ge=1, description="training steps of the copy detector, where space is embedding")
    ] = 200,
) -> MembershipScores:
    """Classifier of synthetic against reference images: a memorized member is taken for synthetic.

    Hayes et al., LOGAN (PoPETs 2019, arXiv:1705.07663), the black-box attack with auxiliary knowledge: a discriminator
    is trained to tell released from real images, and its logit is the score. Theirs is a GAN's; here it is logistic
    regression on a Gaussian kernel, which has one optimum and can know single images by heart, as the attack needs: a
    linear one sees nothing of copies (patient AUC 0.56 in a cohort where this one has 0.91). More than ``images`` are
    dealt out to several classifiers, whose logits are averaged.

    On simulated releases of which a fifth are copies (three cohorts of 132 + 132 patients) the patient AUC is 0.89 for
    exact, noisy and recoloured copies, 0.79 for shifted, 0.88 for turned and 0.87 for bent ones; of mixtures of two
    patients and of pasted lesions it sees next to nothing (0.55, 0.52), on fresh patients it says 0.50.
    """
    device = aux.context.device
    found = vectors_in(space, target, candidates, aux, components=components, steps=steps)

    def apart() -> Arrays:
        return {"spacing": np.array(spacing(found.reference, aux.reference.patient, device))}

    between = float(aux.context.kept("spacing", apart, aux.reference, space, components, steps)["spacing"])
    learn = partial(fit_kernel_logistic, width=width * between or 1.0, ridge=ridge, device=device)
    rng = aux.context.rng("dealing")
    real = rng.permutation(len(found.reference))[:images]
    reference, patient = found.reference[real], aux.reference.patient[real]
    hands = np.array_split(rng.permutation(len(found.samples)), -(-len(found.samples) // images))
    score = np.zeros(len(candidates))
    for hand in hands:
        score += learn(*_labelled(found.samples[hand], reference)).logit(found.candidates, device) / len(hands)
    told = _told_apart(found.samples[hands[0]], reference, patient, learn, device)
    if told < APART:
        return MembershipScores(score)
    note = (
        f"released and reference images that it was not trained on are told apart with an AUC of {told:.2f}: "
        "scores speak of how synthetic an image looks as much as of membership"
    )
    return MembershipScores(score, (note,))


def _labelled(samples: Pixels, reference: Pixels) -> tuple[Pixels, NDArray[np.bool_]]:
    both = np.concatenate([samples, reference])
    return both, np.arange(len(both)) < len(samples)


def _told_apart(
    samples: Pixels, reference: Pixels, patient: Names, learn: Callable[..., KernelLogistic], device: str
) -> float:
    """The AUC on images and patients that the classifier was not trained on; 0.5 where there is nothing to divide."""
    from sklearn.metrics import roc_auc_score

    _, number = np.unique(patient, return_inverse=True)
    seen = np.arange(len(samples)) % 2 == 0, number % 2 == 0
    if not all(s.any() and (~s).any() for s in seen):
        return 0.5
    classifier = learn(*_labelled(samples[seen[0]], reference[seen[1]]))
    rest, released = _labelled(samples[~seen[0]], reference[~seen[1]])
    return float(roc_auc_score(released, classifier.logit(rest, device)))
