"""What lies in a folder that diffusers' ``save_pretrained`` left, read without running or unpickling any of it."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diffusers

from ...audit.context import Context
from ...audit.errors import BadInputError
from ...audit.record import Model

LABEL = "generator 'diffusers'"
INDEX, CONFIG, SCHEDULER_CONFIG = "model_index.json", "config.json", "scheduler_config.json"
WEIGHTS = "diffusion_pytorch_model.safetensors"
PIECE = 1 << 20

ADAPTER = "wrap the model in a generator of your own instead: docs/adapters.md"
NETWORKS = ("UNet2DModel", "DiTTransformer2DModel")
AUTOENCODERS = ("AutoencoderKL", "VQModel")
# Their schedule is discrete and variance-preserving, and a step needs nothing but the network's output.
SCHEDULERS = (
    "DDPMScheduler",
    "DDIMScheduler",
    "DDPMParallelScheduler",
    "DDIMParallelScheduler",
    "PNDMScheduler",
    "LMSDiscreteScheduler",
    "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "DEISMultistepScheduler",
    "UniPCMultistepScheduler",
)
SUPPORTED = {
    "unet": NETWORKS[:1],
    "transformer": NETWORKS[1:],
    "vae": AUTOENCODERS,
    "vqvae": AUTOENCODERS,
    "scheduler": SCHEDULERS,
}
RENAMED = {("transformer", "Transformer2DModel"): "DiTTransformer2DModel"}  # what diffusers called it before 0.29
WHY = {
    "unet": "only UNet2DModel is; another one is conditioned on text, images or video",
    "transformer": "only DiTTransformer2DModel is; another one is conditioned on text or trained by flow matching",
    "vae": "only AutoencoderKL and VQModel are",
    "vqvae": "only AutoencoderKL and VQModel are",
    "scheduler": "the noise levels that the model was trained at cannot be read from it; "
    "a discrete variance-preserving one, such as DDPMScheduler, is needed",
    "text_encoder": "the model is conditioned on text, which the cohort's images do not have",
    "bert": "the model is conditioned on text, which the cohort's images do not have",
    "image_encoder": "the model is conditioned on another image",
}
CAUSES = ("text_encoder", "bert", "image_encoder")  # why the other parts are there: named before them


class Part(Model):
    """One component of a pipeline.

    Attributes:
        role: what the pipeline calls it, and the name of its folder.
        kind: its class in diffusers.
    """

    role: str
    kind: str


class Contents(Model):
    """A pipeline that can be audited, part by part.

    Attributes:
        pipeline: its class in diffusers.
        network: what predicts noise.
        autoencoder: what it diffuses the latents of; None: it diffuses pixels.
        scheduler: where noise levels and prediction type come from.
        beside: folders that belong to no part, e.g. ``unet_ema``.
    """

    pipeline: str
    network: Part
    autoencoder: Part | None
    scheduler: Part
    beside: tuple[str, ...]


def read_contents(path: Path) -> Contents:
    """What the pipeline in ``path`` consists of; every file that will be read is there, and none is a pickle.

    Raises:
        BadInputError: naming the part that is missing, custom, pickled or of a kind that cannot be audited.
    """
    if not (path / INDEX).is_file():
        raise BadInputError(
            f"{LABEL}: {path} is no folder with {INDEX}\n"
            "save the whole pipeline with pipeline.save_pretrained(FOLDER), and give that folder as path"
        )
    index = read_json(path / INDEX)
    pipeline = index.get("_class_name")
    if not isinstance(pipeline, str) or pipeline not in dir(diffusers):
        raise _custom(f"pipeline class {pipeline!r}")
    parts: dict[str, str] = {}
    for role, value in index.items():
        if role.startswith("_") or not isinstance(value, list) or value == [None, None]:
            continue
        library, kind = (str(v) for v in value) if len(value) == 2 else ("", "")
        known = library == "transformers" or (library != "diffusers" and library in dir(diffusers.pipelines))
        if not known and (library != "diffusers" or kind not in dir(diffusers)):
            raise _custom(f"part '{role}' of class '{library}.{kind}'")
        parts[role] = RENAMED.get((role, kind), kind)
    for role in sorted(parts, key=lambda r: (not r.startswith(CAUSES), r in SUPPORTED)):
        if parts[role] not in SUPPORTED.get(role, ()):
            raise unsupported(Part(role=role, kind=parts[role]))
    network = _one(path, parts, ("unet", "transformer"))
    autoencoder = _one(path, parts, ("vae", "vqvae"), needed=False)
    scheduler = _one(path, parts, ("scheduler",))
    assert network is not None
    assert scheduler is not None
    beside = sorted(p.name for p in path.iterdir() if p.is_dir() and p.name not in parts)
    found = Contents(
        pipeline=pipeline,
        network=network,
        autoencoder=autoencoder,
        scheduler=scheduler,
        beside=tuple(name for name in beside if not name.startswith(".")),
    )
    _ = files_of(path, found)
    return found


def files_of(path: Path, contents: Contents) -> list[Path]:
    """The files that the pipeline is read from.

    Raises:
        BadInputError: if one is missing, or there is a pickle in its place.
    """
    files = [path / INDEX, path / contents.scheduler.role / SCHEDULER_CONFIG]
    for part in (contents.network, contents.autoencoder):
        if part is not None:
            files += [path / part.role / CONFIG, *_weights(path, part)]
    for file in files:
        if not file.is_file():
            raise BadInputError(
                f"{LABEL}: part '{file.parent.name}' has no {file.name} in {path}\n"
                "save the whole pipeline with pipeline.save_pretrained(FOLDER)"
            )
    return files


def fingerprint_of(path: Path, contents: Contents, context: Context) -> dict[str, str]:
    """The sha256 of every file that the pipeline is read from, by its name within ``path``."""
    files = files_of(path, contents)
    found = {}
    with context.progress.task("checking the pipeline", sum(-(-f.stat().st_size // PIECE) for f in files)) as step:
        for file in files:
            digest = hashlib.sha256()
            with file.open("rb") as stream:
                while piece := stream.read(PIECE):
                    digest.update(piece)
                    step()
            found[file.relative_to(path).as_posix()] = digest.hexdigest()
    return found


def read_json(file: Path) -> dict[str, Any]:
    """The JSON object in ``file``.

    Raises:
        BadInputError: if there is none.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInputError(f"{LABEL}: {file} is no JSON file: {error}".split("\n", 1)[0]) from None
    if not isinstance(content, dict):
        raise BadInputError(f"{LABEL}: {file} holds no JSON object\nsave the pipeline with save_pretrained again")
    return content


def unsupported(part: Part, why: str = "") -> BadInputError:
    """The error that says which part cannot be audited, and why."""
    reason = why or next((WHY[role] for role in WHY if part.role.startswith(role)), "no plain diffusion model has it")
    return BadInputError(f"{LABEL}: part '{part.role}' ({part.kind}) is not supported: {reason}\n{ADAPTER}")


def _custom(what: str) -> BadInputError:
    return BadInputError(
        f"{LABEL}: {INDEX} names {what}, which diffusers {diffusers.__version__} does not have; "
        f"code that comes with a pipeline is never run\n{ADAPTER}"
    )


def _one(path: Path, parts: dict[str, str], roles: tuple[str, ...], *, needed: bool = True) -> Part | None:
    found = [Part(role=role, kind=parts[role]) for role in roles if role in parts]
    if len(found) > 1:
        raise unsupported(found[1], f"there is a '{found[0].role}' as well")
    if not found and needed:
        raise BadInputError(
            f"{LABEL}: the pipeline in {path} has no part '{roles[0]}'\n"
            f"its {INDEX} must name one; save the whole pipeline with save_pretrained"
        )
    return found[0] if found else None


def _weights(path: Path, part: Part) -> Iterator[Path]:
    """The files with the weights of ``part``: one, or an index and the pieces that it lists."""
    folder = path / part.role
    index = folder / f"{WEIGHTS}.index.json"
    if index.is_file():
        yield index
        listed = read_json(index).get("weight_map")
        pieces = sorted(set(listed.values())) if isinstance(listed, dict) else []
        for piece in pieces:
            if not isinstance(piece, str) or Path(piece).name != piece or not piece.endswith(".safetensors"):
                raise BadInputError(
                    f"{LABEL}: part '{part.role}' lists {piece!r} as weights\n"
                    "weights are .safetensors files in the part's own folder, nothing else is opened"
                )
            yield folder / piece
        return
    if (folder / WEIGHTS).is_file() or not folder.is_dir():
        yield folder / WEIGHTS
        return
    others = sorted(p.name for p in folder.iterdir() if p.name != CONFIG)
    if any(name.endswith((".bin", ".pt", ".pth", ".ckpt", ".pkl")) for name in others):
        raise BadInputError(
            f"{LABEL}: part '{part.role}' has its weights in a pickle ({others[0]}), which can run code and is never "
            "opened\nconvert: where you trust it, load the pipeline and call "
            "pipeline.save_pretrained(FOLDER, safe_serialization=True)"
        )
    raise BadInputError(
        f"{LABEL}: part '{part.role}' has no {WEIGHTS}; there is: {', '.join(others) or 'nothing'}\n"
        "call pipeline.save_pretrained(FOLDER, safe_serialization=True) without a variant"
    )
