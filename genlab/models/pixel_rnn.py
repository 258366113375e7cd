"""PixelRNN: the probability of a grey picture, row by row, with a recurrent network that carries what it saw downwards.

The row LSTM of van den Oord, Kalchbrenner and Kavukcuoglu (2016, section 3.1): a masked convolution looks at what lies
near a place, then in every layer a long short-term memory goes down the rows, all places of a row at once, its state
convolved along the row; so a place sees a triangle of everything above it. The answer is one of 256 levels.

Training goes through whole rows; drawing goes place by place, and keeps what earlier places and rows have made.
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.device import autocast, one_thread
from genlab.models.contract import Batch, Images, Labels, check_labels
from genlab.models.layers import Descent, micro_batch, pad_rows
from genlab.models.pixel import Knobs, as_images, in_order
from genlab.models.pixel_reader import LEVELS, drawn, frequencies_of
from genlab.seeds import Seeds


class PixelRNN(nn.Module):
    """Autoregressive model of 8-bit grey pictures.

    Args:
        shape: (1, height, width).
        classes: number of classes (0: unconditional); the likelihood is that of a picture whose class is not told.
        width: features of a place, and numbers of a state.
        layers: memories above one another.
        reach: places above and to each side that the first convolution sees.
        hidden: share of training items whose class is hidden.
    """

    Knobs = Knobs
    likelihood, exact_likelihood = "logistic", True  # of 8-bit values: bits per dimension mean something

    def __init__(
        self,
        *,
        shape: tuple[int, int, int] = (1, 28, 28),
        classes: int = 0,
        width: int = 48,
        layers: int = 2,
        reach: int = 3,
        hidden: float = 0.5,
    ):
        super().__init__()
        if shape[0] != 1:
            raise ValueError(f"A PixelRNN draws grey pictures, of one channel; {shape[0]} channels were given.")
        self.shape, self.classes, self.width, self.reach, self.hidden = tuple(shape), classes, width, reach, hidden
        self.count = math.prod(shape)
        side = 2 * reach + 1
        mask = torch.ones(reach + 1, side)
        mask[reach, reach:] = 0  # "A": neither the place itself nor what comes after it
        self.register_buffer("mask", mask, persistent=False)
        self.stem = nn.Conv2d(2, width, (reach + 1, side))
        self.label = nn.Embedding(classes + 1, width)  # the last: any class
        self.place = nn.Parameter(0.1 * torch.randn(width, *shape[1:]))
        self.inputs = nn.ModuleList(nn.Conv1d(width, 4 * width, 2) for _ in range(layers))  # the place and its left
        self.states = nn.ModuleList(nn.Conv1d(width, 4 * width, 3, padding=1, bias=False) for _ in range(layers))
        self.merge = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in range(layers))
        self.widen, self.answer = nn.Conv1d(width, 4 * width, 1), nn.Conv1d(4 * width, LEVELS, 1)

    def trainer(self, lr: float) -> Descent:
        return Descent(self, self.loss, lr=lr, clip=1.0, betas=(0.9, 0.98), steady=True)

    def loss(self, batch: Batch, fraction: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Nats of a value."""
        device, n = batch.items.device, len(batch.items)
        labels = torch.full((n,), self.classes, device=device)
        if self.classes:
            labels = torch.where(torch.rand(n, device=device) < self.hidden, self.classes, batch.labels)
        with autocast(device):
            logits = self.logits(batch.items, labels)
        loss = F.cross_entropy(logits.float().flatten(2), in_order(batch.items))
        return loss, {"bits": loss.detach() / math.log(2)}

    # ---- whole pictures

    def logits(self, images: Images, labels: Labels) -> Tensor:
        """Log-probabilities of the levels of every place up to a constant, (n, 256, h, w), from what comes before."""
        _, height, width = self.shape
        padded = F.pad(shown(images), (self.reach, self.reach, self.reach, 0))
        h = F.conv2d(padded, self.stem.weight * self.mask, self.stem.bias) + self.place
        h = h + self.label(labels)[:, :, None, None]
        for give, carry, merge in zip(self.inputs, self.states, self.merge, strict=True):
            rows = h.transpose(1, 2).flatten(0, 1)  # (n height, width, w)
            given = give(F.pad(rows, (1, 0))).view(len(images), height, -1, width)
            state = memory = h.new_zeros(len(images), self.width, width)
            out = []
            for row in range(height):
                state, memory = cell(given[:, row] + carry(state), memory)
                out.append(state)
            h = h + merge(torch.stack(out, 1).flatten(0, 1)).view(len(images), height, -1, width).transpose(1, 2)
        flat = h.flatten(2)
        return self.answer(F.relu(self.widen(F.relu(flat)))).view(len(images), LEVELS, height, width)

    @torch.no_grad()
    def log_prob(self, images: Images, seeds: Seeds | None = None, *, k: int = 1) -> Tensor:
        """log p(x) in nats an item, (n,): exact, so neither seeds nor k change it."""
        found = []
        for part in images.split(64):
            labels = torch.full((len(part),), self.classes, device=part.device)
            nats = F.cross_entropy(self.logits(part, labels).flatten(2), in_order(part), reduction="none")
            found.append(-nats.sum(1))
        return torch.cat(found) if found else images.new_zeros(0)

    # ---- place by place

    def sample(self, seeds: Seeds, labels: Labels | None = None, knobs: Knobs | None = None) -> Images:
        """Pictures (n, 1, h, w) of the asked-for classes."""
        with one_thread():
            drawn_all = list(self.trace(seeds, labels, knobs, every=self.count))
        return drawn_all[0] if drawn_all else torch.zeros(0, *self.shape, device=seeds.device)

    @torch.no_grad()
    def trace(
        self, seeds: Seeds, labels: Labels | None = None, knobs: Knobs | None = None, *, every: int = 28
    ) -> Iterator[Images]:
        """The pictures as they appear, after every so many values; what is not drawn yet is black."""
        labels = check_labels(labels, seeds, self.classes)
        labels = torch.full((len(seeds),), self.classes, device=seeds.device) if labels is None else labels
        chances, warmth = seeds.rand(self.count).double(), (knobs or Knobs()).temperature
        if not len(seeds):
            return
        rows = micro_batch(labels.device)
        parts = [Walk(self, pad_rows(labels[start : start + rows], rows)) for start in range(0, len(seeds), rows)]
        padded = pad_rows(chances, rows * len(parts)).split(rows)
        for place in range(self.count):
            for part, chance in zip(parts, padded, strict=True):
                part.put(place, drawn(frequencies_of(part.logits(place), warmth), chance[:, place]))
            if (place + 1) % every == 0 or place + 1 == self.count:
                yield as_images(torch.cat([part.flat for part in parts])[: len(seeds)], self.shape)


class Walk:
    """Goes through pictures place by place; of each layer it keeps the row at hand, and the state of the row above."""

    def __init__(self, model: PixelRNN, labels: Labels):
        self.model, n = model, len(labels)
        _, height, self.wide = model.shape
        device, reach = labels.device, model.reach
        self.flat = torch.zeros(n, model.count, dtype=torch.long, device=device)
        self.padded = torch.zeros(n, 2, height + reach, self.wide + 2 * reach, device=device)
        self.padded[:, :, reach:, reach : reach + self.wide] = shown(
            torch.zeros(n, 1, height, self.wide, device=device)
        )
        self.label = model.label(labels)
        blank = torch.zeros(n, model.width, self.wide, device=device)
        layers = len(model.inputs)
        self.rows, self.memory, self.state = ([blank.clone() for _ in range(layers)] for _ in range(3))
        self.carried = [blank] * layers

    def logits(self, place: int) -> Tensor:
        """Those of the levels at a place, (n, 256); places must come in reading order."""
        model, (row, at) = self.model, divmod(place, self.wide)
        if at == 0:
            self.carried = [carry(state) for carry, state in zip(model.states, self.state, strict=True)]
        window = self.padded[:, :, row : row + model.reach + 1, at : at + 2 * model.reach + 1]
        h = F.conv2d(window, model.stem.weight * model.mask, model.stem.bias)[:, :, 0, 0]
        h = h + model.place[:, row, at] + self.label
        for i, (give, merge) in enumerate(zip(model.inputs, model.merge, strict=True)):
            left = self.rows[i][:, :, at - 1] if at else torch.zeros_like(h)
            self.rows[i][:, :, at] = h
            given = give(torch.stack([left, h], 2))[:, :, 0]
            state, memory = cell(given + self.carried[i][:, :, at], self.memory[i][:, :, at])
            self.state[i][:, :, at], self.memory[i][:, :, at] = state, memory
            h = h + merge(state[:, :, None])[:, :, 0]
        return model.answer(F.relu(model.widen(F.relu(h)[:, :, None])))[:, :, 0]

    def put(self, place: int, values: Tensor) -> None:
        """The values (n,) at a place are known now."""
        row, at = divmod(place, self.wide)
        self.flat[:, place] = values
        seen = shown(values.view(-1, 1, 1, 1) / 255)[:, :, 0, 0]
        self.padded[:, :, row + self.model.reach, at + self.model.reach] = seen


def shown(images: Images) -> Tensor:
    """What the first convolution sees of pictures, (n, 2, h, w): levels from -1 to 1, and where they are not black."""
    return torch.cat([images * 2 - 1, (images > 0).to(images.dtype)], 1)


def cell(gates: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """State and memory of a long short-term memory after one step, from its four gates side by side."""
    keep, write, show, new = gates.chunk(4, dim=1)
    memory = keep.sigmoid() * memory + write.sigmoid() * new.tanh()
    return show.sigmoid() * memory.tanh(), memory
