"""A diffusers pipeline as an audit needs it: network, latents and schedule, whatever the pipeline's class."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ...audit.errors import BadInputError
from ...audit.types import ImageSet
from .files import CONFIG, LABEL, SCHEDULER_CONFIG, Contents, Part, read_json, unsupported

PREDICTIONS = ("epsilon", "v_prediction", "sample")


@dataclass(frozen=True, eq=False)
class Pipeline:
    """A loaded pipeline.

    Attributes:
        contents: what it consists of.
        network: predicts from ``x_t`` and ``t``, in evaluation mode and without gradients.
        autoencoder: to latents and back; None where the pixels themselves are diffused.
        scheduler: of the class that the pipeline names, as its configuration has it.
        device: where network and autoencoder are.
    """

    contents: Contents
    network: nn.Module
    autoencoder: nn.Module | None
    scheduler: Any
    device: str

    @property
    def prediction(self) -> str:
        """What the network predicts: ``epsilon``, ``v_prediction`` or ``sample``."""
        return str(self.scheduler.config.prediction_type)

    @property
    def schedule(self) -> Tensor:
        """``(T,)`` float64 cumulative noise schedule as the scheduler has it; may end at zero."""
        schedule: Tensor = self.scheduler.alphas_cumprod
        return schedule.double().cpu()

    @property
    def diffused(self) -> tuple[int, int, int]:
        """Channels, height and width of what is diffused."""
        config: Any = self.network.config
        height, width = _pair(config.sample_size)
        return int(config.in_channels), height, width

    @property
    def images(self) -> tuple[int, int, int]:
        """Channels, height and width of the images that it makes."""
        channels, height, width = self.diffused
        if self.autoencoder is None:
            return channels, height, width
        config: Any = self.autoencoder.config
        factor = 2 ** (len(config.block_out_channels) - 1)
        return int(config.out_channels), height * factor, width * factor

    @property
    def embedded(self) -> int:
        """How many class indices the network knows; 0 where it is not conditioned."""
        config: Any = self.network.config
        if self.contents.network.kind == "UNet2DModel":
            return int(config.num_class_embeds or 0)
        return int(config.num_embeds_ada_norm) + 1

    @property
    def unconditional(self) -> int | None:
        """The class index that means "no class", where the architecture reserves one."""
        return None if self.contents.network.kind == "UNet2DModel" else self.embedded - 1

    @property
    def scaling(self) -> tuple[float, float]:
        """Shift and factor: the network sees ``(z - shift) factor`` of the autoencoder's latents ``z``."""
        if self.autoencoder is None:
            return 0.0, 1.0
        config: Any = self.autoencoder.config
        return float(config.get("shift_factor") or 0.0), float(config.scaling_factor)

    @torch.no_grad()
    def encode(self, images: ImageSet) -> Tensor:
        """What is diffused ``(n, c, h, w)``, on the device, of real images: pixels in [-1, 1] or their latents.

        A latent is the posterior's mode (before quantization, for a VQModel): one image has one latent.
        """
        pixels = 2 * torch.tensor(images.pixels, device=self.device) - 1
        if self.autoencoder is None:
            return pixels
        encoder: Any = self.autoencoder
        encoded = encoder.encode(pixels)
        latents: Tensor = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mode()
        shift, factor = self.scaling
        return (latents - shift) * factor

    @torch.no_grad()
    def decode(self, diffused: Tensor) -> Tensor:
        """Images ``(n, channels, height, width)`` in [0, 1] of what was diffused."""
        pixels = diffused
        if self.autoencoder is not None:
            shift, factor = self.scaling
            decoder: Any = self.autoencoder
            pixels = decoder.decode(diffused / factor + shift).sample
        return (pixels / 2 + 0.5).clamp(0, 1)

    def output(self, x_t: Tensor, t: Tensor, classes: Tensor | None) -> Tensor:
        """The network's own output for ``x_t`` at steps ``t`` ``(n,)``: with a learned variance, twice the channels."""
        arguments = {} if classes is None else {"class_labels": classes}
        predicted: Tensor = self.network(x_t, timestep=t, **arguments).sample
        return predicted


def load_pipeline(path: Path, contents: Contents, device: str, network: Path | None = None) -> Pipeline:
    """The pipeline in ``path``, in 32-bit floats.

    Args:
        path: what ``save_pretrained`` wrote.
        contents: its parts.
        device: where the networks shall be.
        network: a folder of that network with other weights, to be used instead; None: its own.

    Raises:
        BadInputError: naming the part that does not load, or of which something cannot be audited.
    """
    with torch.random.fork_rng(devices=[]):  # building a network may draw numbers
        model = _model(network or path / contents.network.role, contents.network).to(device)
        latents = contents.autoencoder
        autoencoder = None if latents is None else _model(path / latents.role, latents).to(device)
    found = Pipeline(contents, model, autoencoder, _scheduler(path, contents.scheduler), device)
    _check(found)
    return found


def check_fits(pipeline: Pipeline, members: ImageSet) -> None:
    """The pipeline makes images of the shape of ``members``.

    Raises:
        BadInputError: if not.
    """
    made, real = pipeline.images, members.pixels.shape[1:]
    if made[0] != real[0]:
        raise BadInputError(
            f"{LABEL}: the pipeline's images have {made[0]} channels, the cohort's {real[0]}\n"
            "give a cohort with as many channels as the model was trained on"
        )
    if made[1:] != real[1:]:
        raise BadInputError(
            f"{LABEL}: the pipeline's images are {'x'.join(map(str, made[1:]))} pixels, "
            f"the cohort's {'x'.join(map(str, real[1:]))}\n"
            "bring the cohort to the size that the model was trained at, with its option size"
        )


def _model(folder: Path, part: Part) -> nn.Module:
    """One network with its weights; none is left at random."""
    kind: Any = getattr(diffusers, part.kind)
    config = read_json(folder / CONFIG)
    if config.get("quantization_config"):
        raise unsupported(part, "its weights are quantized; save it in full precision")
    try:
        model, info = kind.from_pretrained(
            folder,
            use_safetensors=True,
            local_files_only=True,
            low_cpu_mem_usage=False,
            torch_dtype=torch.float32,
            output_loading_info=True,
        )
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, NotImplementedError, SafetensorError) as error:
        reason = str(error).strip().split("\n", 1)[0][:200]
        raise BadInputError(
            f"{LABEL}: part '{part.role}' ({part.kind}) does not load: {reason}\n"
            "save the pipeline with save_pretrained again, from the process that can load it"
        ) from error
    if info["missing_keys"]:
        raise BadInputError(
            f"{LABEL}: part '{part.role}' lacks {len(info['missing_keys'])} weights, e.g. {info['missing_keys'][0]}\n"
            "its config.json and its weights are not of one model; save the pipeline with save_pretrained again"
        )
    loaded: nn.Module = model.eval().requires_grad_(requires_grad=False)
    return loaded


def _scheduler(path: Path, part: Part) -> Any:
    config = read_json(path / part.role / SCHEDULER_CONFIG)
    flow = config.get("use_flow_sigmas") or config.get("prediction_type") == "flow_prediction"
    if flow:
        raise unsupported(part, "the model was trained by flow matching, whose steps have no abar_t")
    if config.get("timestep_type") == "continuous":
        raise unsupported(part, "the model takes continuous noise levels, not integer steps")
    kind: Any = getattr(diffusers, part.kind)
    try:
        scheduler = kind.from_config(config)
    except (ValueError, TypeError, NotImplementedError, RuntimeError) as error:
        raise BadInputError(f"{LABEL}: part 'scheduler' does not load: {error}".split("\n", 1)[0]) from error
    if scheduler.config.prediction_type not in PREDICTIONS:
        raise unsupported(part, f"prediction type '{scheduler.config.prediction_type}' is none of {PREDICTIONS}")
    return scheduler


def _check(found: Pipeline) -> None:
    """The parts belong together, and nothing conditions the network but a class."""
    network, part = found.network, found.contents.network
    config: Any = network.config
    if config.sample_size is None:
        raise BadInputError(
            f"{LABEL}: part '{part.role}' states no sample_size, so the pipeline cannot draw images\n"
            f"add the height and width of what it diffuses to {part.role}/config.json"
        )
    if config.get("class_embed_type"):
        raise unsupported(part, f"its class embedding is of type '{config.class_embed_type}', not a table")
    takes, gives = int(config.in_channels), int(config.out_channels or config.in_channels)
    if gives not in {takes, 2 * takes}:
        raise unsupported(part, f"it takes {takes} channels and gives {gives}: something is laid beside its input")
    if found.autoencoder is None or found.contents.autoencoder is None:
        return
    latents: Any = found.autoencoder.config
    own = int(latents.get("vq_embed_dim") or latents.latent_channels)
    if own != takes:
        raise unsupported(part, f"it takes {takes} channels, latents have {own}: something is laid beside them")
    if latents.get("latents_mean") is not None or latents.get("latents_std") is not None:
        raise unsupported(found.contents.autoencoder, "its latents are scaled channel by channel (latents_mean)")


def _pair(size: Any) -> tuple[int, int]:
    return (int(size[0]), int(size[1])) if isinstance(size, list | tuple) else (int(size), int(size))
