"""A small untrained VAE that codes pictures, and variants that do not."""

import torch

from genlab.models import build

SMALL = {"shape": (1, 8, 8), "latent": 4, "width": 8, "local": (2, 1)}


def vae(seed: int = 0, **changed):
    """An untrained VAE whose posteriors differ from its prior."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = build("vae", SMALL | changed).eval().requires_grad_(False)
        for name, parameter in model.named_parameters():
            if not name.startswith("leave"):
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model
