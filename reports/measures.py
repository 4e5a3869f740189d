"""What each estimate's name means: the one place where reports find titles, scales and plain sentences."""

from dataclasses import dataclass, replace
from typing import Literal

Scale = Literal["share", "score", "ratio", "change", "number"]
Reads = Literal["interval", "p", "both", "never"]


@dataclass(frozen=True, slots=True)
class Measure:
    """What an estimate's name means.

    Attributes:
        title: its name in a table.
        scale: ``share`` prints as a percentage, ``score`` lies in 0 to 1, ``ratio`` is a multiple, ``change`` carries
            its sign, ``number`` is free.
        meaning: what it is, in one or two sentences, for the glossary.
        plain: a sentence with ``{value}``, ``{null}`` and ``{rate}`` for the reader who has never seen a ROC curve.
        none: the sentence, with ``{counts}``, where the value does not exceed its null.
        primary: whether it stands on the criterion's card.
        reads: what tells a leak from chance: the interval, the p-value (where the null alone would mislead), both
            (where the null is simulated), or nothing, for a figure that only accompanies another.
    """

    title: str
    scale: Scale
    meaning: str
    plain: str = ""
    none: str = ""
    primary: bool = False
    reads: Reads = "interval"

    @property
    def brief(self) -> str:
        """The first sentence of the meaning."""
        return self.meaning.partition(". ")[0].removesuffix(".")


MEASURES = {
    "copied_share": Measure(
        "Copied share",
        "share",
        "Share of released images that lie closer to a training patient than 99% of real images lie to a stranger, "
        "minus the same share counted against holdout patients, who cannot have been copied, over one minus the "
        "latter. Below zero it is chance: holdout patients were met more often.",
        "Of the released images, {value} resemble a training patient's image more closely than a stranger's would, "
        "beyond what is also seen for patients the generator never met.",
        none="Released images come as close to training patients no more often than to holdout patients, whom the "
        "generator never met{counts}.",
        primary=True,
    ),
    "exposed_patients": Measure(
        "Exposed patients",
        "share",
        "Share of training patients with at least one image in the release that counts as a copy, minus the same share "
        "of holdout patients.",
        "{value} of the training patients have at least one such look-alike in the release, beyond the same count for "
        "patients the generator never met.",
        none="Training patients have such a look-alike in the release no more often than holdout patients, whom the "
        "generator never met{counts}.",
        primary=True,
    ),
    "exact_copies": Measure(
        "Exact copies",
        "share",
        "Share of released images that equal a training image up to 8-bit rounding.",
        "{value} of the released images equal a training image, pixel by pixel.",
        none="No released image equals a training image, pixel by pixel.",
        primary=True,
    ),
    "dcr_share": Measure(
        "Closer to training (DCR)",
        "share",
        "Distance to closest record: share of released images that lie closer to a training patient than to a holdout "
        "patient. 50% without copying. Passing it does not rule out membership inference (arXiv 2505.01524).",
    ),
    "nndr": Measure(
        "Nearest-neighbour ratio (NNDR)",
        "ratio",
        "Distance to the nearest training patient over that to the second nearest, median over released images. "
        "Far below what exchanging training and holdout patients gives means that images sit on top of one patient.",
        reads="both",
    ),
    "relative_knn": Measure(
        "Copies by relative distance",
        "share",
        "Share of released images that lie closer to one training image than half of the usual distance of that "
        "image's 50 nearest neighbours, minus the same share against holdout patients, over one minus the latter "
        "(Carlini and others, 2023).",
        reads="both",
    ),
    "c_t": Measure(
        "Data-copying test (C_T)",
        "number",
        "Whether released images lie closer to training images than holdout images do, in each region of the space "
        "apart (Meehan and others, 2020). Far below the null means copying. The null is not 0: several images of one "
        "patient shift it, so it is simulated.",
        reads="both",
    ),
    "authpct": Measure(
        "Authentic images (AuthPct)",
        "share",
        "Share of released images that lie farther from their nearest training image than that image's nearest "
        "neighbour among other patients does (Alaa and others, 2022). Far below the null means copying.",
        reads="both",
    ),
    "most_copies": Measure(
        "Most copies of one patient",
        "number",
        "How many released images are copies of the one training patient who has most of them: a count, never a name. "
        "The null is the largest number when training and holdout patients are exchanged.",
        reads="both",
    ),
    "release_size": Measure(
        "Images that may be published",
        "number",
        "The largest number of these images, drawn at random, of which it can be said that they expose fewer than one "
        "training patient more than chance would. It does not reach beyond the number that was tested, and not beyond "
        "the leaks that this audit can see.",
        reads="never",
    ),
    "auc": Measure(
        "Membership AUC",
        "score",
        "How often an attack ranks a training patient above a patient who was not trained on. 0.5 is a coin toss; "
        "values far below 0.5 are informative too, for the answer only has to be turned around.",
        "Shown one training patient and one patient who was not trained on, the attack points to the training patient "
        "{value} times out of 100; a coin toss gives {null}.",
        primary=True,
    ),
    "tpr@fpr": Measure(
        "Recognised at a fixed false-alarm rate",
        "share",
        "Share of training patients an attack recognises while it wrongly accuses at most the stated share of patients "
        "who were not trained on (true-positive rate at a false-positive rate).",
        "While wrongly accusing at most {rate} of other patients, the attack recognises {value} of the training "
        "patients; accusing at random gives {null}.",
        primary=True,
    ),
    "attribute_risk": Measure(
        "Attributes told",
        "share",
        "Of the training patients about whom an attacker would otherwise guess wrong, the share that the release gives "
        "away: (right of training patients - right of holdout patients) / (1 - right of holdout patients), where each "
        "patient's success is adjusted for the guess without the release. What is true of everybody does not count: it "
        "helps with holdout patients as well. Overall it is the largest of the attributes that are judged, with bounds "
        "corrected for their number. What is guessed right of more than 80% of holdout patients is hardly hidden, and "
        "shown only.",
        "Of the training patients about whom somebody would otherwise guess wrong, the release gives away an attribute "
        "(diagnosis, centre, size of the lesion) of {value}.",
        none="The release helps to guess attributes (diagnosis, centre, size of the lesion) of training patients no "
        "more than of holdout patients, whom the generator never met{counts}.",
        primary=True,
    ),
    "attribute_success": Measure(
        "Attributes guessed right",
        "share",
        "Share of patients of whom the attribute is guessed right: with the release, of training and of holdout "
        "patients, and of all without it.",
        reads="never",
    ),
    "guard_closest": Measure(
        "Smallest distance behind the guard",
        "number",
        "How close the closest released image comes to a training image, computed anew by this audit. The guard "
        "promises that it is at least tau.",
        reads="never",
    ),
    "guard_too_close": Measure(
        "Closer than the guard allows",
        "share",
        "Share of released images that are closer to a training image than tau. One refutes the guard's certificate.",
        reads="never",
    ),
    "linked_excess": Measure(
        "Linked images",
        "share",
        "Share of released images that a re-identification model matches to a training patient, minus the share it "
        "matches to a holdout patient, over one minus the latter. It is a match where the likeness exceeds the best "
        "one of 98% of real strangers in a gallery of the same size: 2% false identifications of strangers.",
        "A re-identification model matches {value} of the released images to a training patient, beyond its matches to "
        "patients the generator never met.",
        none="A re-identification model matches released images to training patients no more often than to holdout "
        "patients, whom the generator never met{counts}.",
        primary=True,
    ),
    "linked_patients": Measure(
        "Linked patients",
        "share",
        "Share of training patients matched by at least one released image, minus the same share of holdout patients.",
        "{value} of the training patients are matched by at least one released image, beyond the same count for "
        "patients the generator never met.",
        none="Training patients are matched by a released image no more often than holdout patients, whom the "
        "generator never met{counts}.",
        primary=True,
    ),
    "map@r": Measure(
        "Retrieval score (mAP@R)",
        "score",
        "How high the patient whose record conditioned a released image ranks among all training images (mean average "
        "precision at R). Its null is a random ranking. A release that shows the right centre, say by its scanner, "
        "already beats a random ranking without revealing a patient: so the p-value compares with sources shuffled "
        "within centres.",
        "Searching all training images for the patient behind a released image succeeds with a score of {value}, where "
        "1 is always and {null} is what a random ranking gives. Knowing the centre alone already beats a random "
        "ranking, so the score counts as a leak only where it exceeds sources shuffled within centres.",
        primary=True,
        reads="p",
    ),
    "map@r_lift": Measure(
        "Retrieval lift",
        "ratio",
        "The retrieval score divided by its chance level: 1 is a random ranking. A lift above 1 can come from the "
        "centre alone; the p-value of the retrieval score says whether it does.",
        reads="never",
    ),
    "r_precision": Measure(
        "Retrieval score (R-precision)",
        "score",
        "Of the R training images that are most like a released image, the share that shows the patient whose record "
        "conditioned it, R being how many images there are of that patient. Its null is a random ranking; the p-value "
        "compares with sources exchanged within centres, for the right centre alone beats a random ranking.",
        reads="p",
    ),
    "precision@1": Measure(
        "Source found at once (P@1)",
        "share",
        "How often the training image that is most like a released image shows the patient whose record conditioned "
        "it. Its null is a random choice; the p-value compares with sources exchanged within centres.",
        reads="p",
    ),
    "r_precision_lift": Measure(
        "R-precision, lift", "ratio", "R-precision divided by its chance level: 1 is a random ranking.", reads="never"
    ),
    "precision@1_lift": Measure(
        "P@1, lift", "ratio", "P@1 divided by its chance level: 1 is a random choice.", reads="never"
    ),
    "verifier_auc": Measure(
        "Power of the verifier (AUC)",
        "score",
        "Whether the re-identification model works at all: how well it tells pairs of real images of one patient from "
        "pairs of two patients, on people it was not trained on. Below 0.9 the finding is "
        "invalid and nothing else is reported. It says nothing about the generator.",
        "To know whether the test works at all: on real images of unseen people, the model recognises the same person "
        "{value} times out of 100; a coin toss gives {null}.",
        primary=True,
    ),
    "verifier_recall": Measure(
        "Pairs the verifier would link",
        "share",
        "Of real pairs, or altered copies, of one unseen person: how many score above the threshold that is used to "
        "link released images. It says nothing about the generator.",
        "Of pairs that do show one person, the model would link {value}; of strangers {null}.",
    ),
    "verifier_map@r": Measure(
        "Power of the verifier (mAP@R)",
        "score",
        "How high the other images of an unseen person rank when one real image, or an altered copy, is searched for "
        "among those of all unseen people. Its null is a random ranking. It says nothing about the generator.",
    ),
    "verifier_precision@1": Measure(
        "Power of the verifier (P@1)",
        "share",
        "How often such a search finds an image of the same person first. It says nothing about the generator.",
    ),
    "verifier_agreement": Measure(
        "Agreement of verifiers",
        "score",
        "Whether models trained from other random seeds link the same released images to training patients (Fleiss' "
        "kappa): 1 is full agreement, 0 what chance gives. Low agreement means that one model alone is not to be "
        "relied on, in either direction.",
    ),
    "agreed_links": Measure(
        "Links that verifiers share",
        "share",
        "Of all links of a released image to a training patient that any of several models makes, the share that most, "
        "or all, of them make. The null is the same share of links to holdout patients, none of which can be true.",
    ),
    "detectable_share": Measure(
        "Smallest leak that would have been found",
        "share",
        "Smallest share of the released images that an attack notices with 80% power at 5% false alarms where they are "
        "replaced by altered copies of patients; for attacks on the denoiser, the smallest share of the training "
        "patients that a model is overfitted to. Measured by planting such leaks and running the attack again.",
        reads="never",
    ),
    "shared_patients": Measure(
        "Patients in two parts",
        "number",
        "Patients whose names in two parts of the data differ in spelling only. A holdout patient must be one whom the "
        "generator never met.",
        "{value} patients may stand in more than one part of the data: their names differ in spelling only.",
        none="No patient stands in more than one part of the data, under no spelling of the name.",
        reads="never",
    ),
    "exact_duplicates": Measure(
        "Exact duplicates",
        "share",
        "Share of holdout images that equal a training image. Such an image was trained on, so it is no control.",
        "{value} of the holdout images equal a training image.",
        none="No holdout image equals a training image.",
        reads="never",
    ),
    "near_duplicates": Measure(
        "Near duplicates",
        "share",
        "Share of holdout images that are a training image but for small changes: closer than half the smallest "
        "distance between images of different patients.",
        "{value} of the holdout images are a training image but for small changes.",
        none="No holdout image is a training image but for small changes.",
        reads="never",
    ),
    "closest_pixels": Measure(
        "Closest pair, by pixels",
        "score",
        "How far the most similar pair of a training and a holdout image lies apart (share of variance unexplained), "
        "against the same for different patients of one part. 0 is a copy.",
        reads="never",
    ),
    "closest_hash": Measure(
        "Closest pair, by fingerprint",
        "score",
        "The same by perceptual hash: the share of its bits that differ. 0 is a copy.",
        reads="never",
    ),
    "blind_auc": Measure(
        "Told apart without the generator (AUC)",
        "score",
        "How well a classifier that sees the real images alone, and nothing of the generator, tells training from "
        "holdout patients. Where it does better than chance, an attack may succeed without any leak.",
        "Shown one training and one holdout patient, a classifier that never saw the generator picks the training "
        "patient {value} times out of 100; chance gives {null}.",
        reads="never",
    ),
    "cramers_v": Measure(
        "Difference in kind (Cramer's V)",
        "score",
        "How differently centres, classes or examinations are distributed over training and holdout patients: 0 is "
        "alike, 1 is apart.",
        reads="never",
    ),
    "ks_distance": Measure(
        "Difference in amount (Kolmogorov-Smirnov)",
        "score",
        "The largest difference between the distributions of training and holdout patients over an amount, such as "
        "brightness: 0 is alike, 1 is apart.",
        reads="never",
    ),
    "epsilon_lower": Measure(
        "Audited lower bound on epsilon",
        "number",
        "The largest epsilon that a training with canaries refutes: images of no patient, put into it by coins, whose "
        "coins an attack then guessed. With the stated confidence the true epsilon is larger. It is no estimate of it.",
        "Guessing which made-up images were trained on shows that epsilon is at least {value}.",
        none="Guessing which made-up images were trained on shows nothing of epsilon: guesses were no better than "
        "chance{counts}.",
        primary=True,
        reads="never",
    ),
    "epsilon_claimed": Measure(
        "Claimed epsilon",
        "number",
        "What the generator claims of the training with canaries. A lower bound above it refutes the claim.",
        reads="never",
    ),
    "epsilon_ceiling": Measure(
        "Most that canaries could show",
        "number",
        "The lower bound on epsilon, had every guess been right. A claim above it cannot be refuted with so few "
        "canaries, whatever the training gives away.",
        reads="never",
    ),
    "guesses_right": Measure(
        "Canaries guessed",
        "share",
        "Of the canaries with the highest and the lowest scores: how many were rightly guessed to have been trained "
        "on, or not to have been. A coin toss gives half. Differential privacy allows more than half.",
        reads="never",
    ),
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
FEATURES = {"randconv": "random convolutions", "inception": "Inception"}


def measure_of(name: str) -> Measure:
    """What an estimate's name means; for a name nobody knows, the name itself."""
    known = MEASURES.get(name.replace("-", "_").partition("=")[0])
    if known:
        return known
    stem, _, features = name.partition("-")
    if features and stem in ON_FEATURES:
        return replace(ON_FEATURES[stem], title=f"{ON_FEATURES[stem].title}, {FEATURES.get(features, features)}")
    return Measure(name.replace("_", " "), "number", "")


GROUPS = {
    "images": "image by image",
    "members (control)": "real images (control)",
    "pixels": "whole image",
    "patch-max": "patch that differs most",
    "aligned": "after shift, turn, flip",
    "embedding": "learned features",
    "foreground": "lesion alone",
    "center": "centre",
    "label": "class",
    "mask": "lesion size",
}


def group_of(group: str, overall: str = "overall") -> str:
    """A space, centre or arm in plain words; what is unknown is shown as it is."""
    centre = group.removeprefix("center ")
    if centre != group:
        return f"centre {centre}"
    return GROUPS.get(group, group) or overall
