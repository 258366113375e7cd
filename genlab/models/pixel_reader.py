"""Going through pictures value by value with a PixelCNN: what it says of the next value, in whole numbers.

Of what the first layer takes in, most was there at the place before. So its sums are kept and only what a new value
adds goes in; in whole-number arithmetic (`genlab/models/exact.py`) that changes no bit of them.
"""

import functools
import math
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from genlab.models.exact import to_grid

if TYPE_CHECKING:
    from genlab.models.pixel import PixelCNN

LEVELS = 256
FINE = 32  # steps a nat that log-probabilities are rounded to before values are drawn or coded


class Before(NamedTuple):
    """The levels that a picture has used before a place, each (m, 256)."""

    used: Tensor  # 1 or 0
    share: Tensor  # c / (c + 1) of a level that came c times
    combed: Tensor  # which levels those let expect


class Reader:
    """Says how likely each level is next, a place after the other in reading order.

    Args:
        flat: values (n, count), filled in by whoever draws or decodes; those of a place are read when it is `saw`n.
        labels: classes (n,), `model.classes` for any.
    """

    def __init__(self, model: "PixelCNN", flat: Tensor, labels: Tensor):
        self.model, self.flat, self.layers = model, flat, model.exact()
        n, around, memory = len(flat), model.around.shape[1], model.trust is not None
        parts = [around, around, 16 * model.near, 32, 32, *[LEVELS] * (2 * memory)]
        shown, inked, near, place, label, *levels = self.layers.stem.weight.T.split(parts)
        self.sight = torch.cat([torch.stack([shown, inked], 1).flatten(0, 1), near])
        self.tones, self.grey = tones(flat.device), to_grid(model.grey.weight.double())
        self.places = to_grid(model.place.weight.double()) @ place + self.layers.stem.bias
        self.known = on_grid(labels, model.label.weight) @ label
        self.seen = flat.new_full((n, model.count + 1), LEVELS)  # the last stands for what is outside
        self.before, self.counts = None, flat.new_zeros(n, LEVELS)
        if memory:
            self.used, self.shared, self.combed = *levels, self.layers.comb.weight.T
            nothing = self.known.new_zeros(n, LEVELS)
            self.before = Before(nothing, nothing.clone(), self.layers.comb.bias.expand(n, -1).clone())
            times = torch.arange(model.count + 1, device=flat.device).double()
            self.shares = to_grid(times / (times + 1))

    def frequencies(self, place: int, temperature: float = 1.0) -> Tensor:
        """Whole numbers in proportion to the probabilities of the levels at a place, int64 (n, 256)."""
        levels = self.seen[:, self.model.around[place]]
        near = F.embedding(levels[:, : self.model.near], self.grey)
        seen = torch.cat([F.embedding(levels, self.tones).flatten(1), near.flatten(1)], 1)
        h = to_grid(torch.addmm(self.known + self.places[place], seen, self.sight))
        before = self.before and self.before._replace(combed=to_grid(self.before.combed))
        return frequencies_of(self.model.answers(h, before, self.layers, to_grid), temperature)

    def saw(self, place: int) -> None:
        """The values at a place are known now."""
        level = self.flat[:, place, None]
        self.seen[:, place, None] = level
        if self.before is not None:
            times = self.counts.gather(1, level)
            share, first = self.shares[times + 1], (times == 0).double()
            self.known += first * self.used[level[:, 0]] + (share - self.shares[times]) * self.shared[level[:, 0]]
            self.before.combed.add_(first * self.combed[level[:, 0]])
            self.before.used.scatter_(1, level, 1.0)
            self.before.share.scatter_(1, level, share)
            self.counts.scatter_(1, level, times + 1)


def tones(device: torch.device) -> Tensor:
    """What the first layer is shown of a level, and of what is outside: its grey, and whether it is above 0."""
    level = torch.arange(LEVELS + 1, device=device).double()
    return torch.stack([level / 128 - 1, (level > 0).double()], 1) * (level < LEVELS)[:, None]


def frequencies_of(logits: Tensor, temperature: float) -> Tensor:
    """Whole numbers in proportion to exp(logits / temperature), int64 (n, 256)."""
    steps = ((logits.amax(1, keepdim=True) - logits) * (FINE / temperature)).round().long()
    return table().to(logits.device)[steps.clamp(max=len(table()) - 1)]


@functools.cache
def table() -> Tensor:
    """2^30 exp(-i / 32) as whole numbers, down to 0."""
    return torch.tensor([round(2**30 * math.exp(-i / FINE)) for i in range(FINE * 21 + 1)])


def drawn(frequencies: Tensor, chances: Tensor) -> Tensor:
    """The level that each chance in [0, 1), float64 (n,), falls on, (n,)."""
    edges = frequencies.cumsum(1)
    return (edges <= (chances[:, None] * edges[:, -1:]).floor()).sum(1)


def on_grid(index: Tensor, weight: Tensor) -> Tensor:
    """Embeddings as the whole-number layers take them."""
    return to_grid(F.embedding(index, weight.double()))
