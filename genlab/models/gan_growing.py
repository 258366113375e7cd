"""Networks that grow while they learn, from 4x4 maps to whole pictures (progressive growing: Karras et al. 2018).

Both networks are made whole and used up to a level: a new level fades in over the one before, so that nothing learnt is
lost. The weights are drawn from N(0, 1) and scaled when they are used, so that Adam moves all layers alike
(equalised learning rate, section 4.1); the generator's features keep unit length at every place (section 4.2), and
the critic sees how varied neighbours are (section 3). Pictures always have their full side: below the last level they
are coarser ones, enlarged.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.models.contract import Labels
from genlab.models.gan_networks import minibatch_deviation

GROWTH = 0.6  # share of the run in which levels are added: for half of a part the last one learns, then one fades in
PARTS = 4096  # of a level: whole numbers, so that a moving average copies them


def level_at(fraction: float, stages: int) -> float:
    """How far the networks have grown: 2.25 is level 2 with a quarter of level 3."""
    part, within = divmod(fraction / GROWTH * stages, 1)
    return float(stages) if part >= stages else part + max(0.0, 2 * within - 1)


def widths_of(width: int, stages: int) -> list[int]:
    """Channels at each level, the coarsest first: twice as many a level down, at most 5 times `width`."""
    return [min(width * 2 ** (stages - level), 5 * width) for level in range(stages + 1)]


class Equalised(nn.Module):
    """A linear layer, or a convolution of odd or 4x4 kernel, whose stored weights have unit variance."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 0, *, gain: float = math.sqrt(2), padding: int | None = None
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, *(kernel,) * 2 if kernel else ()))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = gain / math.sqrt(inputs * max(kernel, 1) ** 2)  # He et al. 2015
        self.padding = kernel // 2 if padding is None else padding

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight * self.scale
        return (
            F.linear(x, weight, self.bias) if weight.ndim == 2 else F.conv2d(x, weight, self.bias, padding=self.padding)
        )


def pixel_norm(x: Tensor) -> Tensor:
    """The features of each place at unit mean square."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def coarsened(images: Tensor, level: float, *, stages: int) -> Tensor:
    """Pictures without what the level does not show yet; between two levels a blend of both."""
    below, alpha = int(level), level - int(level)

    def at(k: int) -> Tensor:
        factor = 2 ** (stages - k)
        return enlarged(F.avg_pool2d(images, factor), factor) if factor > 1 else images

    return at(below) if not alpha else torch.lerp(at(below), at(below + 1), alpha)


def enlarged(images: Tensor, factor: int = 2) -> Tensor:
    """Every pixel as a block."""
    return images if factor == 1 else F.interpolate(images, scale_factor=factor, mode="nearest")


class Growing(nn.Module):
    """What both networks know: how many levels there are, and how far they have grown."""

    def __init__(self, stages: int):
        super().__init__()
        self.stages = stages
        self.register_buffer("grown", torch.tensor(stages * PARTS))

    def grow(self, level: float) -> None:
        """Use the levels up to here."""
        self.grown.fill_(round(level * PARTS))

    @property
    def level(self) -> float:
        return int(self.grown) / PARTS


class GrowingPainter(Growing):
    """The generator: noise (n, latent) to pictures in about [-1, 1]."""

    def __init__(self, *, shape: tuple, latent: int, width: int, stages: int, patch: int):
        super().__init__(stages)
        self.side, self.patch = shape[1] // (patch * 2**stages), patch
        widths = widths_of(width, stages)
        self.start = Equalised(latent, widths[0] * self.side**2, gain=math.sqrt(2) / 4)
        self.first = Equalised(widths[0], widths[0], 3)
        self.levels = nn.ModuleList(
            nn.ModuleList([Equalised(a, b, 3), Equalised(b, b, 3)]) for a, b in pairwise(widths)
        )
        self.leave = nn.ModuleList(Equalised(w, shape[0] * patch**2, 1, gain=1.0) for w in widths)

    def forward(self, noise: Tensor, labels: Labels | None = None) -> Tensor:
        level = self.level
        h = self.start(pixel_norm(noise)).view(len(noise), -1, self.side, self.side)
        h = tamed(h.contiguous(memory_format=torch.channels_last))
        h = tamed(self.first(h))
        picture = self.shown(0, h)
        for k, (first, second) in enumerate(self.levels[: math.ceil(level)], 1):
            h = tamed(second(tamed(first(enlarged(h)))))
            picture = blend(enlarged(picture), self.shown(k, h), min(1.0, level - k + 1))
        return enlarged(picture, 2 ** (self.stages - math.ceil(level)))

    def shown(self, level: int, h: Tensor) -> Tensor:
        return F.pixel_shuffle(self.leave[level](h), self.patch)


class GrowingCritic(Growing):
    """Pictures in [-1, 1] to one number an item, high for real."""

    def __init__(self, *, shape: tuple, width: int, stages: int, patch: int):
        super().__init__(stages)
        self.patch, side = patch, shape[1] // (patch * 2**stages)
        widths = widths_of(width, stages)
        self.enter = nn.ModuleList(Equalised(shape[0] * patch**2, w, 1) for w in widths)
        self.levels = nn.ModuleList(
            nn.ModuleList([Equalised(b, b, 3), Equalised(b, a, 3)]) for a, b in pairwise(widths)
        )
        self.last = Equalised(widths[0] + 1, widths[0], 3)
        self.gather = Equalised(widths[0], widths[0], side, padding=0)
        self.head = Equalised(widths[0], 1, gain=1.0)

    def forward(self, images: Tensor, labels: Labels | None = None) -> Tensor:
        return self.judge(images, labels)[0]

    def judge(self, images: Tensor, labels: Labels | None = None) -> tuple[Tensor, None]:
        """The number an item (n,); there is no auxiliary classifier."""
        level = self.level
        top = math.ceil(level)
        seen = F.avg_pool2d(images, 2 ** (self.stages - top)) if top < self.stages else images
        h = self.look(top, seen)
        for k in range(top, 0, -1):
            first, second = self.levels[k - 1]
            h = F.avg_pool2d(F.leaky_relu(second(F.leaky_relu(first(h), 0.2)), 0.2), 2)
            seen = F.avg_pool2d(seen, 2)
            h = blend(self.look(k - 1, seen), h, min(1.0, level - k + 1))
        h = F.leaky_relu(self.last(torch.cat([h, minibatch_deviation(h)], 1)), 0.2)
        return self.head(F.leaky_relu(self.gather(h), 0.2).flatten(1))[:, 0], None

    def look(self, level: int, images: Tensor) -> Tensor:
        blocks = F.pixel_unshuffle(images, self.patch).contiguous(memory_format=torch.channels_last)
        return F.leaky_relu(self.enter[level](blocks), 0.2)


def tamed(h: Tensor) -> Tensor:
    """Rectified, then at unit length."""
    return pixel_norm(F.leaky_relu(h, 0.2))


def blend(old: Tensor, new: Tensor, alpha: float) -> Tensor:
    """The new level over the old one: a fade-in; past it the old one is still there, at weight 0."""
    return (1 - alpha) * old + alpha * new
