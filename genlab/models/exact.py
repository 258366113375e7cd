"""Layers whose result is the same to the last bit for any number of threads and on any machine.

What decides how bits are read is computed twice, when writing and when reading, and must come out the same. Sums of
floats depend on their order; so weights, inputs and outputs are whole numbers of a dyadic step (Balle, Johnston and
Minnen 2019), held in float64, and so few and small that every sum is exact whatever its order. Everything between the
layers is elementwise IEEE arithmetic.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WEIGHTS, GRID = 2.0**14, 2.0**12  # steps a unit of a layer's weights, and of what comes out of it
MOST = 1152  # products in a sum
LARGEST, CEILING = 8.0, 128.0  # of a weight, and of what comes out
GAINS = 2.0**16  # steps a unit of gains: coarse enough that no machine's exp() rounds to another one


class Exact(nn.Module):
    """A convolution or linear layer in whole-number arithmetic.

    Inputs are below 128 in steps of 2**-15 (a slope of 1/8 takes three bits), weights below 8 in steps of 2**-14: a sum
    of 1,152 products stays below 2**50 steps, and float64 holds 2**53.

    Raises:
        ValueError: the layer sums more products than that.
    """

    def __init__(self, layer: nn.Conv2d | nn.Linear):
        super().__init__()
        if layer.weight[0].numel() > MOST:
            raise ValueError(
                f"A layer in whole numbers sums {MOST:,} products at most; this one sums {layer.weight[0].numel():,}: "
                "make the network narrower."
            )
        self.weight = ((layer.weight.detach().double() * WEIGHTS).round() / WEIGHTS).clamp(-LARGEST, LARGEST)
        self.bias = to_grid(layer.bias.detach().double())
        self.padding = getattr(layer, "padding", None)

    def forward(self, x: Tensor) -> Tensor:
        if self.padding is None:
            return _onto_grid(F.linear(x, self.weight, self.bias))
        return _onto_grid(F.conv2d(x, self.weight, self.bias, padding=self.padding))


def exact_layers(layers: nn.ModuleList) -> nn.ModuleList:
    return nn.ModuleList([Exact(layer) for layer in layers])


def to_grid(x: Tensor) -> Tensor:
    """Rounded to what a layer may give and take; the step is a power of two, so scaling rounds nothing."""
    return _onto_grid(x.clone())


def _onto_grid(x: Tensor) -> Tensor:
    """`to_grid` in the place of its argument."""
    return x.mul_(GRID).round_().mul_(1 / GRID).clamp_(-CEILING, CEILING)


@torch.no_grad()
def exact_gains(logarithms: Tensor) -> None:
    """Replace logarithms of gains by the gains, on their grid."""
    logarithms.copy_(((logarithms.exp() * GAINS).round() / GAINS).clamp(min=1 / GAINS))
