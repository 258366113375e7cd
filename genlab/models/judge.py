"""The judge: a small residual classifier whose features measure what the generators make.

A convolutional network with batch normalisation (He et al. 2016) names the class of an item; the
activations before its last layer are the features in which Fréchet and kernel distances, precision
and recall are taken. Its figures are comparable only with figures of the same judge, so its weights'
hash travels with them. With `attributes` the trunk has a head for each of several questions, and knows the
distance beyond which an item is nothing like what it learnt from (Mahalanobis: Lee et al. 2018).
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.device import autocast
from genlab.models.contract import Batch, Images
from genlab.models.layers import Descent, in_micro_batches, shift


class Opinion(NamedTuple):
    """What a judge of several attributes says of n items: logits (n, groups) of each, features, strangeness (n,)."""

    logits: dict[str, Tensor]
    features: Tensor
    strangeness: Tensor


class Judge(nn.Module):
    """Classifier of images.

    Args:
        shape: (channels, height, width) of an item.
        classes: number of classes.
        width: channels of the first stage; they double at each of the two reductions.
        feature: size of the feature vector.
        smoothing: label smoothing of the training loss.
        attributes: groups of each attribute by its name; labels are then places in their product (`joint`).
        patch: side of the pixel blocks that the stem takes as channels.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, int, int] = (1, 28, 28),
        classes: int = 10,
        width: int = 32,
        feature: int = 64,
        smoothing: float = 0.05,
        attributes: Mapping[str, int] | None = None,
        patch: int = 1,
    ):
        super().__init__()
        self.attributes, self.patch = dict(attributes or {}), patch
        classes = sum(self.attributes.values()) or classes
        self.shape, self.n_classes, self.smoothing = tuple(shape), classes, smoothing
        stages = []
        channels = width
        for out, stride, depth in ((width, 1, 1), (2 * width, 2, 2), (4 * width, 2, 2)):
            stages += [Block(channels, out, stride=stride), *(Block(out, out, stride=1) for _ in range(depth - 1))]
            channels = out
        self.stem = nn.Sequential(
            nn.Conv2d(shape[0] * patch**2, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )
        self.body = nn.Sequential(*stages)
        self.embed = nn.Sequential(nn.Linear(channels, feature), nn.BatchNorm1d(feature))
        self.head = nn.Linear(feature, classes)
        if self.attributes:
            self.register_buffer("centre", torch.zeros(feature))
            self.register_buffer("precision", torch.eye(feature))
            self.register_buffer("limit", torch.tensor(math.inf))

    def trainer(self, lr: float) -> Descent:
        return Descent(self, self.loss, lr=lr, schedule=one_cycle, weight_decay=0.02)

    def loss(self, batch: Batch, fraction: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy on flipped and shifted items, summed over the attributes where there are several."""
        images = augment(batch.items)
        if self.attributes:
            images = soften(images)
        with autocast(images.device):
            logits = self.head(F.silu(self._embed(images))).float()
        if not self.attributes:
            loss = F.cross_entropy(logits, batch.labels, label_smoothing=self.smoothing)
            return loss, {"accuracy": (logits.argmax(1) == batch.labels).float().mean()}
        loss, reported = torch.zeros((), device=images.device), {}
        labels = disjoint(batch.labels, self.attributes)
        for name, part in self._split(logits).items():
            loss = loss + F.cross_entropy(part, labels[name], label_smoothing=self.smoothing)
            reported[name] = (part.argmax(1) == labels[name]).float().mean()
        return loss, reported

    def _embed(self, images: Tensor) -> Tensor:
        x = F.pixel_unshuffle(images * 2 - 1, self.patch).contiguous(memory_format=torch.channels_last)
        return self.embed(self.body(F.relu(self.stem(x))).mean((2, 3)))

    @torch.no_grad()
    def features(self, images: Images) -> Tensor:
        """Activations before the last layer, (n, feature), linear (no rectifier), float32."""
        return in_micro_batches(self._embed, images, size=64)

    @torch.no_grad()
    def logits(self, images: Images) -> Tensor:
        """Unnormalised log-probabilities, (n, classes); of all attributes side by side where there are several."""
        return self.head(F.silu(self.features(images)))

    def attribute_logits(self, images: Images) -> dict[str, Tensor]:
        """Unnormalised log-probabilities of each attribute's groups, (n, groups) each."""
        return self._split(self.logits(images))

    def attribute_slopes(self, images: Images) -> dict[str, Tensor]:
        """As `attribute_logits`, but in one batch, and with a gradient that leads back to the images."""
        return self._split(self.head(F.silu(self._embed(images))))

    def _split(self, logits: Tensor) -> dict[str, Tensor]:
        parts = logits.split(list(self.attributes.values()), dim=1)
        return dict(zip(self.attributes, parts, strict=True))

    @torch.no_grad()
    def strangeness(self, images: Images) -> Tensor:
        """Mahalanobis distance to the training items in features, (n,); above `limit` the judge knows nothing."""
        return self._distance(self.features(images))

    def _distance(self, features: Tensor) -> Tensor:
        away = features - self.centre
        return torch.einsum("ni,ij,nj->n", away, self.precision, away).clamp(min=0).sqrt()

    @torch.no_grad()
    def opinion(self, images: Images) -> Opinion:
        """`attribute_logits`, `features` and `strangeness` in one pass."""
        features = self.features(images)
        return Opinion(self._split(self.head(F.silu(features))), features, self._distance(features))

    @torch.no_grad()
    def learn_limit(self, training: Images, held_out: Images, *, known: float = 0.99) -> None:
        """Set centre and precision from training items, and the limit that `known` of the held-out items keep."""
        found = torch.cat([self.features(part).double() for part in training.split(1024)])
        covariance = torch.cov(found.T)
        ridge = 1e-4 * covariance.diagonal().mean() * torch.eye(len(covariance), device=found.device)
        self.centre.copy_(found.mean(0))
        self.precision.copy_(torch.linalg.inv(covariance + ridge))
        far = torch.cat([self.strangeness(part) for part in held_out.split(1024)])
        self.limit.copy_(far.quantile(known))


class Block(nn.Module):
    """Residual block with batch normalisation; `stride` 2 halves the side."""

    def __init__(self, channels: int, out: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(out), nn.BatchNorm2d(out)
        same = stride == 1 and channels == out
        self.skip = nn.Identity() if same else nn.Conv2d(channels, out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.skip(x) + self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x))))))


def augment(images: Tensor) -> Tensor:
    """Mirror half the items and shift each by up to two pixels."""
    flip = torch.rand(len(images), device=images.device) < 0.5
    return shift(torch.where(flip[:, None, None, None], images.flip(3), images), 2, fill="constant")


def soften(images: Tensor) -> Tensor:
    """Half the items a little blurred, half with a little noise: generated items are seldom as crisp as real ones."""
    n, device = len(images), images.device
    blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)
    weight = torch.rand(n, 1, 1, 1, device=device) * (torch.rand(n, 1, 1, 1, device=device) < 0.5)
    spread = 0.06 * torch.rand(n, 1, 1, 1, device=device) * (torch.rand(n, 1, 1, 1, device=device) < 0.5)
    return (torch.lerp(images, blurred, weight) + spread * torch.randn_like(images)).clamp(0, 1)


def joint(attributes: Mapping[str, Tensor], sizes: Mapping[str, int]) -> Tensor:
    """Groups of several attributes, (n,) each, as one number an item: their place in the product, last fastest."""
    place = torch.zeros(len(next(iter(attributes.values()))), dtype=torch.long)
    for name, size in sizes.items():
        place = place * size + torch.as_tensor(attributes[name])
    return place


def disjoint(place: Tensor, sizes: Mapping[str, int]) -> dict[str, Tensor]:
    """The inverse of `joint`."""
    found = {}
    for name in reversed(sizes):
        found[name] = place % sizes[name]
        place = place // sizes[name]
    return {name: found[name] for name in sizes}


def one_cycle(fraction: float) -> float:
    """Learning-rate factor of Smith and Topin (2019): up over 30 % of the run, down to zero over the rest."""
    return max(fraction / 0.3, 0.02) if fraction < 0.3 else (1 - fraction) / 0.7
