"""What each estimate's name means: the one place where reports find titles, scales and plain sentences."""

from dataclasses import replace

from .measure import Measure
from .measures_memorization import MEMORIZATION
from .measures_utility import ON_FEATURES, UTILITY

_OTHERS = {
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
        "R-precision, lift",
        "ratio",
        "R-precision divided by its chance level: 1 is a random ranking.",
        reads="never",
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
}
MEASURES = MEMORIZATION | UTILITY | _OTHERS

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
