"""Privacy audit and benchmark for generative models of medical images."""

__version__ = "0.1.0"
