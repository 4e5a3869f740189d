"""What latent diffusion models share: autoencoder, denoiser, conditions, training."""
