"""PixelCNN: the probability of a picture as a product over its values, each given those before it in reading order.

log p(x) = sum_i log p(x_i | x_1 ... x_{i-1}) is exact (van den Oord, Kalchbrenner and Kavukcuoglu 2016). A wide masked
convolution looks at what was drawn around a value, gated units of one place follow (van den Oord et al. 2016, equation
2), and the answer is one of 256 levels or a mixture of discretised logistics (Salimans et al. 2017). Since only the
first layer looks around, training takes a few places of many pictures, and drawing one value costs one look, whatever
the picture's size. Pictures whose contrast was stretched use some levels and skip others; so the network is also told
which levels the picture has used so far.

Values are drawn, and coded, in whole-number arithmetic (`genlab/models/exact.py`): an item is the same to the bit
whatever its neighbours or the number of threads, and built to be so on any machine.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.device import autocast, one_thread
from genlab.models.contract import Batch, Images, Labels, check_labels, knob
from genlab.models.exact import Exact, exact_layers
from genlab.models.layers import Descent
from genlab.models.likelihoods import discretised_logistic
from genlab.models.pixel_reader import LEVELS, Before, Reader, drawn
from genlab.seeds import Seeds

NEAR = 4  # values before and above whose level has an embedding of its own
CHUNK = 16 * 784  # values whose probabilities are computed at once
OUTPUTS = ("levels", "logistics")


@dataclass(frozen=True)
class Knobs:
    """What a visitor may turn when drawing."""

    temperature: float = knob(1.0, 0.3, 1.5, help="Divides log-probabilities: less is more typical and smoother, more "
                              "is rougher; 1 draws from the model itself.")  # fmt: skip


class PixelCNN(nn.Module):
    """Autoregressive model of 8-bit pictures.

    Args:
        shape: (channels, height, width).
        classes: number of classes (0: unconditional); the likelihood is that of a picture whose class is not told.
        width: units of a layer.
        depth: gated residual layers.
        reach: places above and to each side that the first layer sees.
        output: "levels", a softmax over 256, or "logistics", a mixture of discretised logistics.
        mixtures: logistics of a value.
        memory: whether the network is told which levels the picture has used ("levels" only).
        hidden: share of training items whose class is hidden.
        places: values of a picture that one training step asks for.
    """

    Knobs = Knobs
    likelihood, exact_likelihood = "logistic", True  # of 8-bit values: bits per dimension mean something

    def __init__(
        self,
        *,
        shape: tuple[int, int, int] = (1, 28, 28),
        classes: int = 0,
        width: int = 192,
        depth: int = 3,
        reach: int = 7,
        output: str = "levels",
        mixtures: int = 5,
        memory: bool = True,
        hidden: float = 0.5,
        places: int = 16,
    ):
        super().__init__()
        if output not in OUTPUTS:
            raise ValueError(f"Outputs are {', '.join(OUTPUTS)}; {output!r} was given.")
        if memory and output != "levels":
            raise ValueError('The levels used so far are told to the output "levels" only: set memory to False.')
        self.shape, self.classes, self.output, self.hidden = tuple(shape), classes, output, hidden
        self.count, self.asked = math.prod(shape), min(places, math.prod(shape))
        self.register_buffer("around", window(self.shape, reach), persistent=False)
        self.near = min(NEAR, self.around.shape[1])
        inputs = 2 * self.around.shape[1] + 16 * self.near + 64 + 2 * LEVELS * memory
        self.grey = nn.Embedding(LEVELS + 1, 16)  # the last stands for what is outside
        self.place, self.label = nn.Embedding(self.count, 32), nn.Embedding(classes + 1, 32)  # the last: any class
        self.stem = nn.Linear(inputs, width)
        self.enter = nn.ModuleList(nn.Linear(width, 2 * width) for _ in range(depth))
        self.leave = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.answer = nn.Linear(width, LEVELS if output == "levels" else 3 * mixtures)
        self.trust = nn.Linear(width, 3) if memory else None
        self.comb = nn.Linear(LEVELS, LEVELS) if memory else None  # which levels a stretched contrast leaves
        for embedding in (self.grey, self.place, self.label):
            nn.init.normal_(embedding.weight, std=0.3)
        for layer in (*self.leave, *([self.trust, self.comb] if memory else [])):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def trainer(self, lr: float) -> Descent:
        return Descent(self, self.loss, lr=lr, clip=1.0, betas=(0.9, 0.98), steady=True)

    def loss(self, batch: Batch, fraction: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Nats of a value, over some places of every picture drawn at random."""
        flat = in_order(batch.items)
        n, device = len(flat), flat.device
        rows = torch.arange(n, device=device).repeat_interleave(self.asked)
        places = torch.randint(0, self.count, (n * self.asked,), device=device)
        labels = torch.full((n,), self.classes, device=device)
        if self.classes:
            labels = torch.where(torch.rand(n, device=device) < self.hidden, self.classes, batch.labels)
        counts = counts_at(flat, rows, places) if self.trust is not None else None
        with autocast(device):
            logits = self.logits(self.look(flat, rows, places, labels[rows], counts), counts, self)
        loss = F.cross_entropy(logits, flat[rows, places])
        return loss, {"bits": loss.detach() / math.log(2)}

    # ---- the network

    def look(
        self, flat: Tensor, rows: Tensor, places: Tensor, labels: Tensor, counts: Tensor | None, embed=F.embedding
    ) -> Tensor:
        """All that the first layer is told of places (m,) of pictures rows (m,), (m, inputs).

        Args:
            flat: values (n, count), whole numbers; only those before a place are looked at.
            counts: how often each level came before, (m, 256).
        """
        index = self.around[places]
        inside = index < self.count
        values = F.pad(flat, (0, 1))[rows[:, None], index]
        shown = torch.where(inside, values / 128 - 1, 0.0)
        near = torch.where(inside, values, LEVELS)[:, : self.near]
        parts = [shown, (inside & (values > 0)).to(shown.dtype), embed(near, self.grey.weight).flatten(1)]
        parts += [embed(places, self.place.weight), embed(labels, self.label.weight)]
        if counts is not None:
            parts += [(counts > 0).to(shown.dtype), counts / (counts + 1)]
        return torch.cat([part.to(shown.dtype) for part in parts], 1)

    def logits(self, seen: Tensor, counts: Tensor | None, layers, snap=lambda x: x) -> Tensor:
        """Log-probabilities of the 256 levels up to a constant, (m, 256), from what `look` gives.

        Args:
            layers: this module, or its `exact` layers.
            snap: rounds what a product gives to the grid of the next layer.
        """
        before = None
        if counts is not None:
            used = (counts > 0).to(seen.dtype)
            before = Before(used, snap(counts / (counts + 1)), layers.comb(used))
        return self.answers(layers.stem(seen), before, layers, snap)

    def answers(self, h: Tensor, before: Before | None, layers, snap) -> Tensor:
        """The same from what the first layer gives, (m, width)."""
        for enter, leave in zip(layers.enter, layers.leave, strict=True):
            value, gate = enter(h).chunk(2, dim=1)
            h = snap(h + leave(snap(value * opened(gate))))
        answer = layers.answer(h)
        if self.output == "logistics":
            return level_masses(answer)
        if before is not None:
            used, share = before.used.to(answer.dtype), before.share.to(answer.dtype)
            much, often, skipped = layers.trust(h).chunk(3, dim=1)
            answer = answer + (snap(much * used) + snap(often * share) + snap(opened(skipped) * before.combed))
        return answer.float() if answer.dtype == torch.bfloat16 else answer

    def exact(self) -> SimpleNamespace:
        """The layers in whole-number arithmetic, and the same embeddings on their grid."""
        one = {name: Exact(getattr(self, name)) for name in ("stem", "answer")}
        if self.trust is not None:
            one |= {"trust": Exact(self.trust), "comb": Exact(self.comb)}
        return SimpleNamespace(enter=exact_layers(self.enter), leave=exact_layers(self.leave), **one)

    # ---- likelihood

    @torch.no_grad()
    def log_prob(self, images: Images, seeds: Seeds | None = None, *, k: int = 1) -> Tensor:
        """log p(x) in nats an item, (n,): exact, so neither seeds nor k change it."""
        flat, found = in_order(images), []
        every = torch.arange(self.count, device=flat.device)
        for part in flat.split(max(1, CHUNK // self.count)):
            rows, places = (x.flatten() for x in torch.meshgrid(
                torch.arange(len(part), device=flat.device), every, indexing="ij"))  # fmt: skip
            counts = counts_before(part).flatten(0, 1) if self.trust is not None else None
            labels = torch.full_like(rows, self.classes)
            logits = self.logits(self.look(part, rows, places, labels, counts), counts, self)
            found.append(-F.cross_entropy(logits, part.flatten(), reduction="none").view(len(part), -1).sum(1))
        return torch.cat(found) if found else images.new_zeros(0)

    # ---- drawing

    def sample(self, seeds: Seeds, labels: Labels | None = None, knobs: Knobs | None = None) -> Images:
        """Pictures (n, c, h, w) of the asked-for classes."""
        labels = check_labels(labels, seeds, self.classes)
        flat = torch.zeros(len(seeds), self.count, dtype=torch.long, device=seeds.device)
        with one_thread():
            for _ in self.draw(flat, torch.ones_like(flat, dtype=torch.bool), seeds, labels, knobs):
                pass
        return as_images(flat, self.shape)

    def trace(
        self, seeds: Seeds, labels: Labels | None = None, knobs: Knobs | None = None, *, every: int = 28
    ) -> Iterator[Images]:
        """The pictures as they appear, after every so many values; what is not drawn yet is black."""
        labels = check_labels(labels, seeds, self.classes)
        flat = torch.zeros(len(seeds), self.count, dtype=torch.long, device=seeds.device)
        for place in self.draw(flat, torch.ones_like(flat, dtype=torch.bool), seeds, labels, knobs):
            if (place + 1) % every == 0 or place + 1 == self.count:
                yield as_images(flat, self.shape)

    def complete(
        self, images: Images, missing: Tensor, seeds: Seeds, labels: Labels | None = None, knobs: Knobs | None = None
    ) -> Images:
        """The pictures with their missing places drawn, given those before them in reading order.

        This is p(missing | rest) where nothing that is kept comes after something missing (`in_reading_order`);
        elsewhere what is kept further down does not speak up, and the result is approximate.

        Args:
            missing: bool (n, h, w).
            labels: None tells the model no class.
        """
        labels = None if labels is None else check_labels(labels, seeds, self.classes)
        flat = in_order(images)
        holes = missing[..., None].expand(*missing.shape, self.shape[0]).flatten(1)
        with one_thread():
            for _ in self.draw(flat, holes, seeds, labels, knobs):
                pass
        return as_images(flat, self.shape)

    @torch.no_grad()
    def draw(
        self, flat: Tensor, missing: Tensor, seeds: Seeds, labels: Labels | None, knobs: Knobs | None
    ) -> Iterator[int]:
        """Draw missing values of pictures (n, count) in place, yielding each place when it is done."""
        labels = torch.full((len(flat),), self.classes, device=flat.device) if labels is None else labels
        chances, warmth = seeds.rand(self.count).double(), (knobs or Knobs()).temperature
        reader = Reader(self, flat, labels)
        for place in range(self.count):
            if bool(missing[:, place].any()):
                values = drawn(reader.frequencies(place, warmth), chances[:, place])
                flat[:, place] = torch.where(missing[:, place], values, flat[:, place])
            reader.saw(place)
            yield place


def opened(gate: Tensor) -> Tensor:
    """How far a gate lets through, 0 to 1: a straight line with two corners, which whole numbers can follow."""
    return (gate / 4 + 0.5).clamp(0, 1)


def level_masses(parameters: Tensor) -> Tensor:
    """log p of the 256 levels, (m, 256), under mixtures of logistics (m, 3 mixtures)."""
    m = len(parameters)
    values = (torch.arange(LEVELS, device=parameters.device) / 255).view(1, 1, 1, LEVELS).expand(m, 1, 1, LEVELS)
    spread = parameters[:, :, None, None].expand(*parameters.shape, 1, LEVELS)
    return discretised_logistic(values, spread).view(m, LEVELS)


# ---- values in reading order


def in_order(images: Images) -> Tensor:
    """Values 0 to 255 in reading order, channels innermost, int64 (n, h w c)."""
    return images.permute(0, 2, 3, 1).flatten(1).mul(255).round().long()


def as_images(flat: Tensor, shape: tuple[int, int, int]) -> Images:
    """Undoes `in_order`."""
    channels, height, width = shape
    return flat.view(len(flat), height, width, channels).permute(0, 3, 1, 2).float() / 255


def in_reading_order(missing: Tensor) -> bool:
    """Whether in every picture (n, h, w) nothing that is kept comes after something missing."""
    flat = missing.flatten(1).long()
    return bool((flat.diff(dim=1) >= 0).all())


def window(shape: tuple[int, int, int], reach: int) -> Tensor:
    """Where the values are that each place sees, nearest first, int64 (count, seen); `count` stands for outside.

    A place sees all channels of the places above and before it, and the channels of its own that come first: the
    mask of the first layer ("A" in van den Oord, Kalchbrenner and Kavukcuoglu 2016).
    """
    channels, height, width = shape
    offsets = [
        (dy, dx, back)
        for dy, dx, back in product(range(-reach, 1), range(-reach, reach + 1), range(channels))
        if dy < 0 or dx < 0 or (dx == 0 and back > 0)
    ]
    offsets.sort(key=lambda o: (o[0] ** 2 + o[1] ** 2, -o[0], o[1], o[2]))
    dy, dx, part = (torch.tensor(column) for column in zip(*offsets, strict=True))
    place = torch.arange(channels * height * width)
    y, x, own = place // channels // width, place // channels % width, place % channels
    here = (dy == 0) & (dx == 0)
    channel = torch.where(here, own[:, None] - part, part)
    there_y, there_x = y[:, None] + dy, x[:, None] + dx
    inside = (there_y >= 0) & (there_x >= 0) & (there_x < width) & (channel >= 0)
    return torch.where(inside, (there_y * width + there_x) * channels + channel, len(place))


def counts_at(flat: Tensor, rows: Tensor, places: Tensor) -> Tensor:
    """How often each level comes before a place, (m, 256), for places (m,) of pictures rows (m,)."""
    before = torch.arange(flat.shape[1], device=flat.device) < places[:, None]
    return torch.zeros(len(rows), LEVELS, device=flat.device).scatter_add_(1, flat[rows], before.float())


def counts_before(flat: Tensor) -> Tensor:
    """The same for every place, (n, count, 256)."""
    return (
        F.one_hot(flat, LEVELS)
        .cumsum(1)
        .roll(1, dims=1)
        .index_fill_(1, torch.tensor([0], device=flat.device), 0)
        .float()
    )
