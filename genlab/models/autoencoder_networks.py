"""The networks of autoencoders: each encodes items (to the code before its activation) and decodes codes."""

import math
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.models.layers import Residual

CODES = ("linear", "relu", "sigmoid")  # what a code ends in


class Connected(nn.Module):
    """A perceptron down to the code and its mirror image back up, with rectified units between."""

    def __init__(self, size: int, latent: int, hidden: tuple[int, ...], *, tied: bool, code: str):
        super().__init__()
        sizes = [size, *hidden, latent]
        self.code = code
        self.down = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        back = list(pairwise(sizes[::-1]))
        self.up = None if tied else nn.ModuleList(nn.Linear(a, b) for a, b in back)
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(b)) for _, b in back) if tied else None

    def encode(self, items: Tensor) -> Tensor:
        h = items.flatten(1)
        for layer in self.down[:-1]:
            h = F.relu(layer(h))
        return self.down[-1](h)

    def decode(self, codes: Tensor) -> Tensor:
        h = codes
        for i in range(len(self.down)):
            weight, bias = self.upward(i)
            h = F.linear(F.relu(h) if i else h, weight, bias)
        return h

    def upward(self, i: int) -> tuple[Tensor, Tensor]:
        """Weight and bias of the decoder's i-th layer."""
        if self.up is None:
            return self.down[-1 - i].weight.T, self.biases[i]
        return self.up[i].weight, self.up[i].bias

    def squared_jacobian(self, items: Tensor) -> Tensor:
        """||dz/dx||_F^2, (n,), z after the code's activation.

        The Jacobian is D_L W_L ... D_1 W_1 with diagonal slopes D. The first, widest layer enters through
        W_1 W_1' alone, so nothing of the item's size is ever formed; a single layer costs one product
        (Rifai et al. 2011, equation 3).
        """
        h, slopes = items.flatten(1), []
        for layer in self.down[:-1]:
            z = layer(h)
            slopes.append(slope("relu", z))
            h = F.relu(z)
        last = slope(self.code, self.down[-1](h))
        if not slopes:
            return last.square() @ self.down[0].weight.square().sum(1)
        rows = last[:, :, None] * self.down[-1].weight  # (n, d, units of the layer below)
        for layer, below in zip(self.down[-2:0:-1], slopes[:0:-1], strict=True):
            rows = (rows * below[:, None]) @ layer.weight
        rows = rows * slopes[0][:, None]
        gram = self.down[0].weight @ self.down[0].weight.T
        return (rows @ gram * rows).sum((1, 2))


class Convolutional(nn.Module):
    """Convolutions to a quarter of the side, residual blocks, and a flat code; for pictures and series."""

    def __init__(self, shape: tuple[int, ...], latent: int, *, width: int, depth: int):
        super().__init__()
        check_sides(shape, 4)
        n = len(shape) - 1
        convolution, deep = CONVOLUTIONS[n], 2 * width
        self.places = tuple(side // 4 for side in shape[1:])
        inner = deep // 4 * math.prod(self.places)
        self.down = nn.ModuleList([convolution(shape[0], width, 4, 2, 1), convolution(width, deep, 4, 2, 1)])
        self.encoder = nn.ModuleList([stack(width, depth, n), stack(deep, depth, n)])
        self.squeeze, self.widen = convolution(deep, deep // 4, 1), convolution(deep // 4, deep, 1)
        self.enter, self.start = nn.Linear(inner, latent), nn.Linear(latent, inner)
        self.decoder = nn.ModuleList([stack(deep, depth, n), stack(width, depth, n)])
        self.up = convolution(deep, 2**n * width, 1)
        self.leave = convolution(width, 2**n * shape[0], 3, padding=1)

    def encode(self, items: Tensor) -> Tensor:
        h = self.encoder[0](self.down[0](together(items)))
        h = self.encoder[1](self.down[1](F.relu(h)))
        return self.enter(self.squeeze(F.relu(h)).flatten(1))

    def decode(self, codes: Tensor) -> Tensor:
        h = F.relu(self.start(codes)).view(len(codes), -1, *self.places)
        h = self.decoder[0](self.widen(together(h)))
        h = self.decoder[1](spread(self.up(F.relu(h))))
        return spread(self.leave(F.relu(h)))


class Map(nn.Module):
    """Convolutions all the way: the code keeps numbers for every block of the item, and need be no bottleneck."""

    def __init__(self, shape: tuple[int, ...], latent: int, *, width: int, depth: int, coarse: int):
        super().__init__()
        check_sides(shape, 4 if coarse else 2)
        n = len(shape) - 1
        convolution = CONVOLUTIONS[n]
        self.places = tuple(side // 2 for side in shape[1:])
        channels, left = divmod(latent, math.prod(self.places))
        if left or not channels:
            raise ValueError(f"A map has a multiple of {math.prod(self.places)} numbers here; {latent} was given.")
        self.down, self.encoder = convolution(shape[0], width, 4, 2, 1), stack(width, depth, n)
        self.wider = Wider(width, coarse, n) if coarse else nn.Identity()
        self.enter, self.start = convolution(width, channels, 1), convolution(channels, width, 3, padding=1)
        self.decoder, self.leave = stack(width, depth, n), convolution(width, 2**n * shape[0], 3, padding=1)
        # A linear path each way, so that the rest learns what to change and not how to copy.
        self.direct_in = convolution(shape[0], channels, 2, 2)
        self.direct_out = convolution(channels, 2**n * shape[0], 1)

    def encode(self, items: Tensor) -> Tensor:
        x = together(items)
        return (self.enter(F.relu(self.encoder(self.wider(self.down(x))))) + self.direct_in(x)).flatten(1)

    def decode(self, codes: Tensor) -> Tensor:
        z = together(codes.view(len(codes), -1, *self.places))
        h = self.decoder(self.start(z))
        return spread(self.leave(F.relu(h)) + self.direct_out(z))


class Wider(nn.Module):
    """A residual step that goes down to half of its side and back, so that it sees twice as far."""

    def __init__(self, width: int, coarse: int, dimensions: int):
        super().__init__()
        convolution = CONVOLUTIONS[dimensions]
        self.down, self.blocks = convolution(width, coarse, 4, 2, 1), stack(coarse, 2, dimensions)
        self.up = convolution(coarse, 2**dimensions * width, 1)

    def forward(self, h: Tensor) -> Tensor:
        return h + spread(self.up(F.relu(self.blocks(self.down(F.relu(h))))))


CONVOLUTIONS: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d}


def check_sides(shape: tuple[int, ...], step: int) -> None:
    """Raise ValueError where a shape is no picture or series, or a side no multiple of `step`."""
    if len(shape) - 1 not in CONVOLUTIONS or any(side % step for side in shape[1:]):
        raise ValueError(
            f"Convolutions take pictures and series whose sides are a multiple of {step}; {shape} was given."
        )


def stack(channels: int, depth: int, dimensions: int) -> nn.Sequential:
    """`depth` residual blocks."""
    return nn.Sequential(*(Residual(channels, dimensions) for _ in range(depth)))


def together(x: Tensor) -> Tensor:
    """Pictures laid out with their channels innermost, which bf16 convolutions are quick on."""
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def spread(x: Tensor) -> Tensor:
    """Channels moved into blocks of two places each way: (n, 4c, h, w) -> (n, c, 2h, 2w), (n, 2c, l) -> (n, c, 2l)."""
    if x.ndim == 4:
        return F.pixel_shuffle(x, 2)
    n, channels, length = x.shape
    return x.view(n, channels // 2, 2, length).transpose(2, 3).reshape(n, channels // 2, 2 * length)


# ---- what codes end in


def activate(code: str, z: Tensor) -> Tensor:
    """The code's last step."""
    return F.relu(z) if code == "relu" else z.sigmoid() if code == "sigmoid" else z


def slope(code: str, z: Tensor) -> Tensor:
    """The derivative of `activate` at z."""
    if code == "relu":
        return (z > 0).to(z.dtype)
    return z.sigmoid() * (1 - z.sigmoid()) if code == "sigmoid" else torch.ones_like(z)
