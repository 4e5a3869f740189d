"""What generators state of themselves, and what a guard certifies."""

import hashlib

from privbench.audit.record import Crossing, Declaration, GuardCertificate, PluginSpec, Privacy

CLAIM = Privacy(
    epsilon=8.0,
    delta=0.001,
    unit="patient",
    patient_epsilon=8.0,
    patient_delta=0.001,
    images_per_patient=4,
    accountant="prv",
    noise_multiplier=0.874,
    sample_rate=0.16,
    steps=1500,
    max_grad_norm=1.0,
    multiplicity=8,
    secure_noise=False,
    public=("autoencoder", "scale of the latents"),
)
PER_IMAGE = CLAIM.model_copy(
    update={"unit": "image", "epsilon": 4.0, "patient_epsilon": 16.0, "delta": 1e-5, "patient_delta": 0.0123}
)
NOTES = (
    "Whether the autoencoder's public images show any of the training patients could not be tested.",
    "Lesions were drawn from 24 masks of each centre.",
)
CERTIFICATE = GuardCertificate(
    guard="min-distance",
    metric="root mean square difference of pixels, smallest over shifts of up to 1 pixel and left-right mirroring",
    tau=0.0412345,
    tau_from="0.05 quantile of members' distances to other members",
    closest=0.0413107,
    members=400,
    members_sha256="a" * 64,
    decoys=380,
    released=600,
    drawn=731,
    rejected=131,
    rounds=3,
)
GUARD = PluginSpec(
    name="min-distance",
    options={"tau": None, "quantile": 0.05, "shift": 1, "mirror": True, "decoys": True, "tries": 10},
)


def crossing(center: str, direction: str, what: str, count: int, size: int) -> Crossing:
    """With a hash of its own."""
    mark = hashlib.sha256(f"{center} {direction} {what}".encode()).hexdigest()
    return Crossing.model_validate(
        {"center": center, "direction": direction, "what": what, "count": count, "size": size, "sha256": mark}
    )


def crossings(*centers: str) -> tuple[Crossing, ...]:
    """Public backgrounds came into each, synthetic images and masks went out."""
    return tuple(
        crossing(center, *goods)
        for center in centers
        for goods in (
            ("in", "public backgrounds", 120, 491_520),
            ("out", "synthetic images", 150, 614_400),
            ("out", "synthetic lesion masks", 150, 76_800),
        )
    )


CROSSINGS = crossings("Universitätsklinikum Nord", "south", "east", "west")
DECLARATION = Declaration(privacy=CLAIM, crossings=CROSSINGS, notes=NOTES)
