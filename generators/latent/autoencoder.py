"""The autoencoder that takes images to the small latents where diffusion is cheap, and back."""

from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor, nn
from torch.nn import functional

from ...audit.errors import BadInputError
from ...audit.record import Model
from ...audit.types import ImageSet
from .devices import share
from .training import leave, load_weights, save_weights, take_up

KL_WEIGHT = 1e-6
FIRST_LOG_VARIANCE = -6.0
SHARPNESS = 0.5


class AutoencoderShape(Model):
    """What an autoencoder is built from.

    Attributes:
        image_channels: channels of the images.
        factor: pixels of image per pixel of latent, along each axis.
        channels: width of the convolutions.
        latent_channels: channels of the latents.
    """

    image_channels: int
    factor: int
    channels: int
    latent_channels: int


class Autoencoder(nn.Module):
    """diffusers' KL autoencoder behind a pixel-unshuffle stem, which saves it the costly full-resolution layers.

    Beside it runs a linear map of each patch to its latent and back. Training starts from that map alone, an orthogonal
    projection (``start`` makes it the patches' principal components), so that a few hundred steps refine a picture
    instead of finding one.

    Latents are normalised per channel to mean 0 and variance 1 over the images given to ``normalise``, and are the
    posterior's mode, never a draw: one image has one latent.
    """

    def __init__(self, shape: AutoencoderShape) -> None:
        super().__init__()
        self.shape = shape
        self.kl = AutoencoderKL(
            in_channels=shape.image_channels * shape.factor**2,
            out_channels=shape.image_channels * shape.factor**2,
            block_out_channels=(shape.channels,),
            latent_channels=shape.latent_channels,
            norm_num_groups=8,
            mid_block_add_attention=False,
        )
        pixels = shape.image_channels * shape.factor**2
        self.down = nn.Conv2d(pixels, shape.latent_channels, 1)
        self.up = nn.Conv2d(shape.latent_channels, pixels, 1)
        nn.init.orthogonal_(self.down.weight)
        with torch.no_grad():
            self.up.weight.copy_(self.down.weight.transpose(0, 1))
        silent: list[Any] = [self.kl.quant_conv, self.kl.decoder.conv_out]
        for layer in silent:
            nn.init.zeros_(layer.weight)
        for layer in (*silent, self.down, self.up):
            nn.init.zeros_(layer.bias)
        self.shift: Tensor
        self.scale: Tensor
        self.register_buffer("shift", torch.zeros(1, shape.latent_channels, 1, 1))
        self.register_buffer("scale", torch.ones(1, shape.latent_channels, 1, 1))

    def _posterior(self, images: Tensor) -> Any:
        patches = functional.pixel_unshuffle(2 * images - 1, self.shape.factor)
        mean, log_variance = self.kl.encode(patches).latent_dist.parameters.chunk(2, 1)
        return DiagonalGaussianDistribution(
            torch.cat((mean + self.down(patches), log_variance + FIRST_LOG_VARIANCE), 1)
        )

    def _image(self, latents: Tensor) -> Tensor:
        decoded: Tensor = functional.pixel_shuffle(self.kl.decode(latents).sample + self.up(latents), self.shape.factor)
        return (decoded + 1) / 2

    def loss(self, images: Tensor, rng: torch.Generator, weight: Tensor | None = None) -> Tensor:
        """Reconstruction error of values and of edges, and a little of the KL divergence that keeps latents compact.

        Args:
            images: ``(n, c, h, w)`` in [0, 1].
            rng: where the posterior's noise comes from.
            weight: ``(n, 1, h, w)`` how much each pixel matters, or None.
        """
        mine = share(len(images))
        posterior = self._posterior(images[mine])
        # Drawn for the whole batch, so that several processes together draw what one would.
        noise = torch.randn((len(images), *posterior.mean.shape[1:]), generator=rng)[mine].to(posterior.mean)
        error = self._image(posterior.mean + posterior.std * noise) - images[mine]
        edges = torch.cat((error.diff(dim=-1).abs().flatten(1), error.diff(dim=-2).abs().flatten(1)), 1)
        values = error.abs() if weight is None else error.abs() * weight[mine]
        divergence: Tensor = posterior.kl().mean()
        return values.mean() + SHARPNESS * edges.mean() + KL_WEIGHT * divergence

    @torch.no_grad()
    def start(self, images: Tensor) -> None:
        """Make the linear map the first principal components of the patches of ``images`` ``(n, c, h, w)``.

        Each channel then holds one band of frequencies, and an error in a faint one stays as faint as that band.
        """
        patches = functional.pixel_unshuffle(2 * images - 1, self.shape.factor).movedim(1, -1).flatten(0, -2)
        middle = patches.mean(0)
        components = torch.linalg.eigh(torch.cov((patches - middle).T).double()).eigenvectors.flip(1).T
        found = min(len(components), self.shape.latent_channels)
        basis = torch.zeros_like(self.down.weight)
        basis[:found, :, 0, 0] = components[:found].to(basis)
        self.down.weight.copy_(basis)
        self.up.weight.copy_(basis.transpose(0, 1))
        for layer, bias in ((self.down, -basis[:, :, 0, 0] @ middle.to(basis)), (self.up, middle)):
            assert layer.bias is not None
            layer.bias.copy_(bias)

    @torch.no_grad()
    def normalise(self, images: Tensor, backgrounds: Tensor | None = None) -> None:
        """Make the latents of ``images`` have mean 0 and variance 1 in every channel.

        With ``backgrounds``, the variance is that of the change from a background's latent to its image's.
        """
        self.shift.zero_()
        self.scale.fill_(1.0)
        latents = self.encode(images)
        spread = latents if backgrounds is None else latents - self.encode(backgrounds)
        self.shift.copy_(latents.mean((0, 2, 3), keepdim=True))
        self.scale.copy_(spread.std((0, 2, 3), keepdim=True).clamp_min(1e-6))

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Latents ``(n, latent_channels, h / factor, w / factor)`` on the CPU of images ``(n, c, h, w)`` in [0, 1]."""
        parts = [self._posterior(part.to(self.shift.device)).mode() for part in torch.split(images, 64)]
        latents: Tensor = (torch.cat(parts) - self.shift) / self.scale
        return latents.cpu()

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Images ``(n, c, h, w)`` in [0, 1] on the CPU of latents."""
        device = self.shift.device
        parts = [self._image(part.to(device) * self.scale + self.shift).cpu() for part in torch.split(latents, 64)]
        return torch.cat(parts).clamp(0.0, 1.0)


def save_autoencoder(model: Autoencoder, folder: Path) -> None:
    """Leave the model in ``folder``: shape as JSON, then the weights, whose presence says that it is complete."""
    leave(folder / "autoencoder.json", model.shape)
    save_weights(model, folder / "autoencoder.safetensors")


def load_autoencoder(folder: Path, device: str) -> Autoencoder:
    """The model that ``save_autoencoder`` left in ``folder``."""
    with torch.random.fork_rng(devices=[]):  # what a new network draws is overwritten, but was drawn
        model = Autoencoder(take_up(folder / "autoencoder.json", AutoencoderShape))
    load_weights(model, folder / "autoencoder.safetensors", device)
    return model


def factor_for(images: ImageSet, generator: str) -> int:
    """Pixels of image per pixel of latent: 8 for large images, else 4; latents always have even sides.

    Raises:
        BadInputError: if the images are of a size or number of channels that the model cannot take.
    """
    fits = len(images.spatial) == 2 and all(32 <= side <= 512 and side % 8 == 0 for side in images.spatial)
    if not fits:
        raise BadInputError(
            f"generator '{generator}': images are {'x'.join(map(str, images.spatial))}\n"
            "height and width must be 32 to 512 and divisible by 8; set the cohort's option size"
        )
    if images.channels > 4:
        raise BadInputError(f"generator '{generator}': images have {images.channels} channels\nit takes 1 to 4")
    return 8 if all(side >= 128 and side % 16 == 0 for side in images.spatial) else 4
