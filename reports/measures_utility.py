"""What the estimates of utility mean. None of them says anything about privacy."""

from .measure import Measure

UTILITY = {
    "dice": Measure(
        "Dice overlap",
        "score",
        "Overlap of a segmentation with the expert's on real holdout patients: 1 is perfect, 0 is none.",
    ),
    "dice_gain": Measure(
        "Dice gained",
        "change",
        "Dice of a segmenter trained on real and synthetic images minus that of one trained on the real ones alone, on "
        "the same holdout patients. Above zero the synthetic images help.",
        "Adding the synthetic images to the real ones changed Dice by {value} {interval}: {effect} segmentation.",
    ),
    "dice_worst_center": Measure(
        "Dice, worst centre", "score", "Dice overlap in the centre where it is lowest: higher is better."
    ),
    "dice_spread": Measure(
        "Dice, spread over centres",
        "score",
        "How far apart the centres lie (standard deviation of their Dice overlaps): lower is fairer.",
    ),
    "roc_auc": Measure(
        "Classifier ROC-AUC",
        "score",
        "How well a diagnostic classifier works on real holdout patients: 1 is perfect, 0.5 is a coin toss.",
    ),
    "roc_auc_difference": Measure(
        "ROC-AUC gained",
        "change",
        "ROC-AUC of a classifier trained on synthetic images minus that of one trained on real ones, on the same "
        "holdout patients. Below zero the synthetic images are worth less than the real ones.",
        "Training on synthetic instead of real images changed the classifier's ROC-AUC by {value} {interval}: "
        "{effect} classification.",
    ),
    "fid": Measure(
        "FID",
        "number",
        "Frechet inception distance between released and real images: lower is more alike. Few images raise it, so it "
        "is read against the same number of real images. Not a privacy figure.",
    ),
}

# Measures that are taken on features, whose name follows the first hyphen: fd-randconv, recall-inception.
ON_FEATURES = {
    "fd": Measure(
        "Frechet distance",
        "number",
        "How far the released images lie from real ones as a whole: lower is more alike. Few images raise it, so it is "
        "read against the same number of real images.",
    ),
    "kid": Measure(
        "Kernel distance (KID)",
        "number",
        "The same question as the Frechet distance without its dependence on the number of images: about 0 where both "
        "sides look alike.",
    ),
    "precision": Measure(
        "Precision", "score", "Share of released images that look like some real image: higher is more realistic."
    ),
    "density": Measure(
        "Density",
        "score",
        "Precision that counts how many real images a released one resembles; about 1 where both sides look alike.",
    ),
    "recall": Measure(
        "Recall", "score", "Share of real images that look like some released image: higher is more varied."
    ),
    "coverage": Measure(
        "Coverage",
        "score",
        "Share of real images that have a released image among their neighbours: higher is more varied.",
    ),
}
