"""The two networks of a GAN: what paints from noise, and what tells the painted from the real."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from genlab.models.contract import Labels
from genlab.models.layers import Residual, perceptron

OCTAVES = 7  # of a critic of points: waves as long as the unit square, and halves of them down to a 64th


class ConditionalNorm(nn.Module):
    """Batch normalisation whose scale and shift depend on the class."""

    def __init__(self, channels: int, classes: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.affine = nn.Embedding(max(classes, 1), 2 * channels)
        nn.init.zeros_(self.affine.weight)

    def forward(self, x: Tensor, labels: Labels) -> Tensor:
        scale, offset = self.affine(labels)[:, :, None, None].to(x.dtype).chunk(2, dim=1)
        return self.norm(x) * (1 + scale) + offset


class Painter(nn.Module):
    """The generator: noise (n, latent) and labels (n,) to pictures in [-1, 1]."""

    def __init__(
        self, *, shape: tuple, classes: int, latent: int, width: int, depth: int, stages: int, patch: int, palette: int,
        detail: int,
    ):  # fmt: skip
        super().__init__()
        self.side, self.patch, self.palette = shape[1] // (patch * 2**stages), patch, palette
        widths = [8 * width, 4 * width, *([2 * width] * (stages - 2)), detail or width]
        deep = widths[0]
        self.label = nn.Embedding(max(classes, 1), latent)
        self.start = nn.Linear(2 * latent, 2 * width * self.side**2)
        self.widen = nn.Conv2d(2 * width, deep, 1)
        self.blocks = nn.ModuleList(Residual(deep) for _ in range(depth))
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in widths[1:])
        self.by_class = ConditionalNorm(deep, classes)
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in pairwise(widths))
        self.leave = nn.Conv2d(widths[-1], (palette or shape[0]) * patch**2, 3, padding=1)
        if palette:
            self.mix = nn.Sequential(nn.Linear(2 * latent, 128), nn.ReLU(), nn.Linear(128, palette * shape[0]))

    def forward(self, noise: Tensor, labels: Labels | None) -> Tensor:
        labels = torch.zeros(len(noise), dtype=torch.long, device=noise.device) if labels is None else labels
        given = torch.cat([noise, self.label(labels)], 1)
        h = self.start(given).view(len(noise), -1, self.side, self.side)
        h = self.widen(h.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            h = block(h)
        h = F.relu(self.by_class(h, labels))
        for norm, up in zip(self.norms, self.up, strict=True):
            h = F.relu(norm(up(h)))
        h = F.pixel_shuffle(self.leave(h), self.patch)
        if not self.palette:
            return torch.tanh(h)
        colours = torch.tanh(self.mix(given)).view(len(noise), self.palette, -1)
        return torch.einsum("nkhw,nkc->nchw", h.softmax(1), colours)


class Critic(nn.Module):
    """Pictures in [-1, 1] and labels to one number an item, high for real."""

    def __init__(
        self, *, shape: tuple, classes: int, width: int, depth: int, stages: int, patch: int, spectral: bool,
        auxiliary: bool, detail: int,
    ):  # fmt: skip
        super().__init__()
        self.patch = patch
        keep = spectral_norm if spectral else (lambda layer: layer)
        pixels = shape[0] * patch**2
        widths = [detail or pixels, *([width] * (stages - 2)), 2 * width, 4 * width]
        deep = widths[-1]
        self.look = keep(nn.Conv2d(pixels, detail, 3, padding=1)) if detail else None
        self.down = nn.ModuleList(keep(nn.Conv2d(a, b, 4, 2, 1)) for a, b in pairwise(widths))
        self.blocks = nn.ModuleList(
            nn.ModuleList([keep(nn.Conv2d(deep, deep, 3, padding=1)) for _ in range(2)]) for _ in range(depth)
        )
        self.last = keep(nn.Conv2d(deep + 1, 2 * deep, 3, padding=1))
        self.head = keep(nn.Linear(2 * deep, 1))
        self.label = keep(nn.Embedding(classes, 2 * deep)) if classes else None
        self.names = nn.Linear(2 * deep, classes) if auxiliary else None

    def forward(self, images: Tensor, labels: Labels | None) -> Tensor:
        return self.judge(images, labels)[0]

    def judge(self, images: Tensor, labels: Labels | None) -> tuple[Tensor, Tensor | None]:
        """The number an item (n,), and the auxiliary classifier's logits (n, classes) where there is one."""
        h = self.features(images)
        score = self.head(h)[:, 0]
        if self.label is not None:
            score = score + (self.label(labels) * h).sum(1)
        return score, None if self.names is None else self.names(h)

    def features(self, images: Tensor) -> Tensor:
        """What the score is read off, (n, features)."""
        h = F.pixel_unshuffle(images, self.patch).contiguous(memory_format=torch.channels_last)
        if self.look is not None:
            h = F.leaky_relu(self.look(h), 0.2)
        for layer in self.down:
            h = F.leaky_relu(layer(h), 0.2)
        for first, second in self.blocks:
            h = h + second(F.leaky_relu(first(F.leaky_relu(h, 0.2)), 0.2))
        return F.leaky_relu(self.last(torch.cat([h, minibatch_deviation(h)], 1)), 0.2).sum((2, 3))


def minibatch_deviation(h: Tensor, group: int = 4) -> Tensor:
    """Mean deviation of the first features over neighbouring items, one map an item (Karras et al. 2018, 3)."""
    n, _, height, width = h.shape
    group = math.gcd(n, group)
    deviation = (h[:, :32].reshape(n // group, group, -1).float().var(1, correction=0) + 1e-8).sqrt().mean(1)
    return deviation.repeat_interleave(group).view(n, 1, 1, 1).expand(n, 1, height, width).to(h.dtype)


class PointPainter(nn.Module):
    """The generator of points: noise (n, latent) to (n, d) at about unit variance.

    It sees each noise number beside its sign: a continuous map alone would join separate modes by bridges.
    """

    def __init__(self, size: int, *, latent: int, width: int, hidden: int):
        super().__init__()
        self.layers = perceptron(2 * latent, size, width=width, hidden=hidden)

    def forward(self, noise: Tensor, labels: Labels | None = None) -> Tensor:
        return self.layers(torch.cat([noise, noise.sign()], 1))


class PointCritic(nn.Module):
    """Points at about unit variance to one number each, high for real.

    It sees each coordinate beside its sine and cosine at `OCTAVES` frequencies, without which plain layers are blind to
    details (Tancik et al. 2020); the finer, the fainter, so that the coarse comes first.
    """

    def __init__(self, size: int, *, width: int, hidden: int, spectral: bool):
        super().__init__()
        self.layers = perceptron(size * (1 + 2 * OCTAVES), 1, width=width, hidden=hidden)
        if spectral:
            for layer in self.layers[::2]:
                spectral_norm(layer)

    def forward(self, points: Tensor, labels: Labels | None = None) -> Tensor:
        return self.judge(points, labels)[0]

    def judge(self, points: Tensor, labels: Labels | None = None) -> tuple[Tensor, None]:
        """The number a point (n,); there is no auxiliary classifier."""
        rates = 2.0 ** torch.arange(OCTAVES, device=points.device)
        angles = points[:, :, None] * rates * (math.pi / 2)
        waves = torch.cat([angles.sin(), angles.cos()], 1) * rates.rsqrt()
        return self.layers(torch.cat([points, waves.flatten(1)], 1))[:, 0], None
