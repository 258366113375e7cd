"""What codecs learn with: rates under logistic distributions, rounding with a gradient, gains between levels."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.codec.tables import LOG_LEAST, LOG_STEP, TABLES


def dct(side: int) -> Tensor:
    """The orthonormal DCT of side x side blocks, (side**2, side, side): row u * side + v."""
    k = torch.arange(side, dtype=torch.float64)
    one = torch.cos(math.pi * (2 * k[None] + 1) * k[:, None] / (2 * side)) * math.sqrt(2 / side)
    one[0] /= math.sqrt(2)
    return torch.einsum("ui,vj->uvij", one, one).reshape(side**2, side, side)


def leaky(x: Tensor) -> Tensor:
    """Slope 1/8 below zero: a power of two, which whole-number arithmetic can follow."""
    return F.leaky_relu(x, 0.125)


class Mix(nn.Module):
    """Residual block: a convolution of each channel by itself, then two 1x1; it starts as the identity."""

    def __init__(self, channels: int, kernel: int = 5):
        super().__init__()
        self.spatial = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.up, self.down = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(leaky(self.up(self.spatial(x))))


def rounded(x: Tensor) -> Tensor:
    """Whole numbers, with the gradient of the identity."""
    return x + (x.round() - x).detach()


def logistic_bits(x: Tensor, log_scale: Tensor) -> Tensor:
    """Bits of the unit interval around x under a logistic distribution with mean 0, however far out x is.

    s(u) - s(v) = s(u) s(-v) (1 - exp(v - u)), with s the logistic function; scales are kept in the tables' range.
    """
    inverse = torch.exp(-Bounded.apply(log_scale, LOG_LEAST, LOG_LEAST + LOG_STEP * (TABLES - 1)))
    x = x.abs()
    nats = F.softplus((x - 0.5) * inverse) + F.softplus(-(x + 0.5) * inverse) - torch.log(-torch.expm1(-inverse))
    return nats / math.log(2)


def off_centre(values: Tensor, log_scale: Tensor) -> Tensor:
    """How far the mean of what is rounded to a whole number lies from it, towards 0, in the tail of a logistic.

    That tail falls like exp(-x / s): its mean over a unit interval is s - 1 / (exp(1 / s) - 1) from the near end.
    """
    scale = log_scale.clamp(LOG_LEAST, LOG_LEAST + LOG_STEP * (TABLES - 1)).exp()
    return values.sign() * (scale - 1 / torch.expm1(1 / scale) - 0.5)


class Bounded(torch.autograd.Function):
    """Clamp whose gradient still passes outside where descending it leads back in."""

    @staticmethod
    def forward(ctx, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.ends = low, high
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        (x,), (low, high) = ctx.saved_tensors, ctx.ends
        return gradient * (((x > low) | (gradient < 0)) & ((x < high) | (gradient > 0))), None, None


def along(table: Tensor, level: Tensor) -> Tensor:
    """Rows of a (levels, k) table at levels (n,) in [0, levels - 1], interpolated linearly: (n, k)."""
    below = level.floor().clamp(max=max(len(table) - 2, 0)).long()
    part = (level - below)[:, None]
    above = (below + 1).clamp(max=len(table) - 1)
    return table[below] * (1 - part) + table[above] * part


def geometric(ends: tuple[float, float], level: float, levels: int) -> float:
    """From the first end at level 0 to the second at levels - 1, by equal factors."""
    low, high = ends
    return low * (high / low) ** (level / max(levels - 1, 1))


def level_input(level: Tensor, levels: int) -> Tensor:
    """What networks are told of the rate: below 1, in steps of 2**-12, which whole-number arithmetic can hold."""
    return (level / levels * 4096).round() / 4096


def spread_levels(n: int, levels: int, device: torch.device) -> Tensor:
    """n levels drawn over [0, levels - 1], one from each n-th part of it, in random order."""
    drawn = (torch.arange(n) + torch.rand(n)) * (levels - 1) / n
    return drawn[torch.randperm(n)].to(device)
