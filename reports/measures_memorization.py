"""What the estimates of memorization mean."""

from .measure import Measure

MEMORIZATION = {
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
        "Largest release that exposes fewer than one patient",
        "number",
        "The largest number of these images, drawn at random, of which it can be said that they expose fewer than one "
        "training patient more than chance would. It does not reach beyond the number that was tested, and not beyond "
        "the leaks that this audit can see. It is no leave to publish that many.",
        reads="never",
    ),
}
