"""The judge: a small residual classifier whose features measure what the generators make.

A convolutional network with batch normalisation (He et al. 2016) names the class of an item; the
activations before its last layer are the features in which Fréchet and kernel distances, precision
and recall are taken. Its figures are comparable only with figures of the same judge, so its weights'
hash travels with them.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.device import autocast
from genlab.models.contract import Batch, Images
from genlab.models.layers import Descent, in_micro_batches, shift


class Judge(nn.Module):
    """Classifier of images.

    Args:
        shape: (channels, height, width) of an item.
        classes: number of classes.
        width: channels of the first stage; they double at each of the two reductions.
        feature: size of the feature vector.
        smoothing: label smoothing of the training loss.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, int, int] = (1, 28, 28),
        classes: int = 10,
        width: int = 32,
        feature: int = 64,
        smoothing: float = 0.05,
    ):
        super().__init__()
        self.shape, self.n_classes, self.smoothing = tuple(shape), classes, smoothing
        stages = []
        channels = width
        for out, stride, depth in ((width, 1, 1), (2 * width, 2, 2), (4 * width, 2, 2)):
            stages += [Block(channels, out, stride=stride), *(Block(out, out, stride=1) for _ in range(depth - 1))]
            channels = out
        self.stem = nn.Sequential(nn.Conv2d(shape[0], width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
        self.body = nn.Sequential(*stages)
        self.embed = nn.Sequential(nn.Linear(channels, feature), nn.BatchNorm1d(feature))
        self.head = nn.Linear(feature, classes)

    def trainer(self, lr: float) -> Descent:
        return Descent(self, self.loss, lr=lr, schedule=one_cycle, weight_decay=0.02)

    def loss(self, batch: Batch, fraction: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy on flipped and shifted items."""
        images = augment(batch.items)
        with autocast(images.device):
            logits = self.head(F.silu(self._embed(images)))
        loss = F.cross_entropy(logits.float(), batch.labels, label_smoothing=self.smoothing)
        return loss, {"accuracy": (logits.argmax(1) == batch.labels).float().mean()}

    def _embed(self, images: Tensor) -> Tensor:
        x = images.contiguous(memory_format=torch.channels_last)
        return self.embed(self.body(F.relu(self.stem(x * 2 - 1))).mean((2, 3)))

    @torch.no_grad()
    def features(self, images: Images) -> Tensor:
        """Activations before the last layer, (n, feature), linear (no rectifier), float32."""
        return in_micro_batches(self._embed, images, size=64)

    @torch.no_grad()
    def logits(self, images: Images) -> Tensor:
        """Unnormalised log-probabilities, (n, classes)."""
        return self.head(F.silu(self.features(images)))


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


def one_cycle(fraction: float) -> float:
    """Learning-rate factor of Smith and Topin (2019): up over 30 % of the run, down to zero over the rest."""
    return max(fraction / 0.3, 0.02) if fraction < 0.3 else (1 - fraction) / 0.7
