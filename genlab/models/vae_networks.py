"""What a convolutional VAE is made of: residual stacks, and local latents inside the decoder."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from genlab.models.layers import Residual


class Term(NamedTuple):
    """What a local latent cost: KL(q || p), and log q - log p of the value drawn; nats an item, (n,) each."""

    kl: Tensor
    excess: Tensor


class Local(nn.Module):
    """A map of local latents inside the decoder: prior p(l | above), posterior q(l | above, image).

    The posterior is given relative to the prior (Vahdat and Kautz 2020, section 3.2).
    """

    def __init__(self, width: int, channels: int):
        super().__init__()
        self.prior = nn.Sequential(nn.ReLU(), nn.Conv2d(width, 2 * channels, 3, padding=1))
        self.posterior = nn.Sequential(
            nn.ReLU(), nn.Conv2d(2 * width, width, 1), nn.ReLU(), nn.Conv2d(width, 2 * channels, 3, padding=1)
        )
        self.enter = nn.Conv2d(channels, width, 1)
        for layer in (self.prior[-1], self.posterior[-1], self.enter):
            nn.init.zeros_(layer.bias)
            layer.weight.data.mul_(0.1)

    def forward(self, h: Tensor, standard: Tensor | None) -> Tensor:
        """The decoder's map with the latent added, which is given in standard units (None: at its mean)."""
        mean, log_deviation = wide(self.prior(h)).chunk(2, dim=1)
        standard = torch.zeros_like(mean) if standard is None else standard
        return h + self.enter(mean + log_deviation.clamp(-5, 3).exp() * standard)

    def look(self, h: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-deviation of the posterior in standard units."""
        step, narrowing = wide(self.posterior(torch.cat([h, features], 1))).chunk(2, dim=1)
        return step, narrowing.clamp(-6, 2)

    def draw(self, h: Tensor, features: Tensor, noise: Tensor | None) -> tuple[Tensor, Term]:
        """A draw from the posterior in standard units (without noise its mean), and what it cost."""
        step, narrowing = self.look(h, features)
        noise = torch.zeros_like(step) if noise is None else noise
        standard = step + narrowing.exp() * noise
        kl = 0.5 * (step.square() + (2 * narrowing).exp() - 1) - narrowing
        excess = 0.5 * (standard.square() - noise.square()) - narrowing
        return standard, Term(kl.flatten(1).sum(1), excess.flatten(1).sum(1))


def wide(x: Tensor) -> Tensor:
    """float32, or float64 where the network runs in it."""
    return x if x.dtype == torch.float64 else x.float()


def stack(channels: int, depth: int) -> nn.Sequential:
    """`depth` residual blocks."""
    return nn.Sequential(*(Residual(channels) for _ in range(depth)))
