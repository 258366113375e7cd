"""A solver of few calls whose numbers are fitted to one diffusion network.

A multistep solver weighs the pictures that the network made out so far by formulas that hold for any smooth path. With
four calls the paths of one network are better followed by numbers of its own (Shaul et al. 2024, bespoke
non-stationary solvers): at which noise levels it is called, what it is told they are, by how much its input is
multiplied, and how a step weighs all that it has made out. What it is told is more than a level: a vector is added to
the embedding of the level, a step its own, as prompts are tuned for language models (Lester et al. 2021). The weights
stay as they are.

They are fitted by gradient descent, so that draws match those of many steps from the same noise: sums over patches and
over whole pictures are to be distributed alike (the sliced Wasserstein distance: Rabin et al. 2012), and pictures near
each other. No judge is asked, and no real picture; but for one number, what is added to every value at the end: it is
chosen afterwards (`genlab/shorten_command.py`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.device import autocast

if TYPE_CHECKING:
    from genlab.models.diffusion import Diffusion

PATCHES, LINES = (5, 9), 128  # sides of patches that are compared, and random sums of each
NEAR = 0.05  # what the mean squared error counts beside those distributions
BATCH, RATE, RATE_OF_LEVELS = 64, 0.02, 0.03
DIGITS = 5  # of the vectors, after the point
_nudge: ContextVar[Tensor | None] = ContextVar("nudge", default=None)


@dataclass(frozen=True)
class FittedSteps:
    """The numbers of K steps.

    Attributes:
        levels: noise levels t of the steps, falling, in 0 to 999; between whole ones they are interpolated.
        told: what the network is told of each.
        shown: what its input is multiplied by.
        kept: what the noisy picture is multiplied by after each call.
        weights: and what the pictures made out so far add to it; row i has i + 1.
        nudges: what is added to the embedding of the level, each of its width.
        lift: what is added to the last picture, of values from -1 to 1: a little less than 0 takes haze off black.
    """

    levels: tuple[float, ...]
    told: tuple[float, ...]
    shown: tuple[float, ...]
    kept: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    nudges: tuple[tuple[float, ...], ...]
    lift: float = 0.0

    @classmethod
    def of(cls, kept: dict, width: int) -> "FittedSteps":
        """From what `config.json` keeps, for embeddings of that width.

        Raises:
            ValueError, KeyError, TypeError: it is no such table.
        """
        rows, nudges = (tuple(tuple(map(float, row)) for row in kept[key]) for key in ("weights", "nudges"))
        columns = {key: tuple(map(float, kept[key])) for key in ("levels", "told", "shown", "kept")}
        if not rows or {len(c) for c in columns.values()} != {len(rows)}:
            raise ValueError("a fitted solver has as many levels as rows of weights")
        if [len(row) for row in rows] != list(range(1, len(rows) + 1)):
            raise ValueError("row i of a fitted solver has i + 1 weights")
        if [len(nudge) for nudge in nudges] != [width] * len(rows):
            raise ValueError(f"a fitted solver has a nudge of {width} numbers a step")
        return cls(**columns, weights=rows, nudges=nudges, lift=float(kept.get("lift", 0.0)))

    def plain(self) -> dict:
        return asdict(self)

    def __len__(self) -> int:
        return len(self.levels)

    def advance(self, step: int, z: Tensor, told: Tensor, seen: list[Tensor], model: "Diffusion") -> Tensor:
        """The next z, given the network's answer; what it made out joins `seen`."""
        seen.append(model.parts(z, told, torch.tensor(self.levels[step], device=z.device))[0])
        z = self.kept[step] * z + sum(w * x for w, x in zip(self.weights[step], seen, strict=True))
        return z + self.lift if step == len(self) - 1 else z


@contextmanager
def nudged(by: Tensor) -> Iterator[None]:
    """Inside, the calling thread's networks add this to the embedding of the level that they are told."""
    before = _nudge.set(by)
    try:
        yield
    finally:
        _nudge.reset(before)


def nudging() -> bool:
    return _nudge.get() is not None


def add_nudge(module: nn.Module, given: tuple, embedded: Tensor) -> Tensor:
    """The forward hook of a network's embedding of levels."""
    by = _nudge.get()
    return embedded if by is None else embedded + by.to(embedded)


class Fit(nn.Module):
    """The numbers while they are fitted: what is learnt is how far each is from the second-order multistep solver's."""

    def __init__(self, model: "Diffusion", levels: Sequence[float]):
        super().__init__()
        self.model, self.top, count = [model], len(model.signal) - 0.5, len(levels)  # in a list: no part of this one
        edges = torch.tensor([self.top, *levels, 0.0])
        self.gaps = nn.Parameter((-edges.diff() / self.top).log())
        self.told, self.shown, self.kept = (nn.Parameter(torch.zeros(count)) for _ in range(3))
        self.weights = nn.Parameter(torch.zeros(count, count))
        self.nudges = nn.Parameter(torch.zeros(count, model.embedding))

    def levels(self) -> Tensor:
        return self.top * (1 - self.gaps.softmax(0).cumsum(0)[:-1])

    def numbers(self) -> list[tuple[Tensor, ...]]:
        """(level, told, shown, kept, weights) of each step."""
        model, levels = self.model[0], self.levels()
        a, s = model.shares(levels)
        told = (levels + 100 * self.told).clamp(0, len(model.signal) - 1)
        b, r = torch.cat([a[1:], a.new_ones(1)]), torch.cat([s[1:], s.new_zeros(1)])
        carried, clear, steps = r / s, (a / s).log(), []
        for i in range(len(levels)):
            plain = F.one_hot(torch.tensor(i), i + 1).float()
            if 0 < i < len(levels) - 1:  # DPM-Solver++(2M): a step along the line through the last two
                reach = (clear[i + 1] - clear[i]) / (clear[i] - clear[i - 1]) / 2
                plain = plain + reach * (plain - F.one_hot(torch.tensor(i - 1), i + 1))
            weights = (b[i] - a[i] * carried[i]) * (plain + self.weights[i, : i + 1])
            steps.append((levels[i], told[i], 1 + self.shown[i], carried[i] * (1 + self.kept[i]), weights))
        return steps

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Draws, folded, from noise."""
        model, seen = self.model[0], []
        for nudge, (level, told, shown, kept, weights) in zip(self.nudges, self.numbers(), strict=True):
            with nudged(nudge), autocast(z.device):
                answer = model.told(shown * z, told.expand(len(z)), labels, 1.0).to(z.dtype)
            seen.append(model.parts(z, answer, level)[0])
            z = kept * z + sum(w * x for w, x in zip(weights, seen, strict=True))
        return z

    @torch.no_grad()
    def table(self) -> FittedSteps:
        *columns, rows = zip(*self.numbers(), strict=True)
        nudges = tuple(tuple(round(float(x), DIGITS) for x in row) for row in self.nudges)
        rows = tuple(tuple(map(float, row)) for row in rows)
        return FittedSteps(*(tuple(map(float, column)) for column in columns), rows, nudges)


def fit(
    model: "Diffusion", z: Tensor, labels: Tensor | None, ends: Tensor, *, levels: Sequence[float], steps: int
) -> Iterator[tuple[Fit, float]]:
    """The numbers after each step of fitting them, and its loss.

    Args:
        z, labels, ends: noise, classes, and the draws (folded) that many steps make of them.
        levels: to start from, falling.
    """
    fitted, stream = Fit(model, levels), torch.Generator().manual_seed(0)
    others = [p for name, p in fitted.named_parameters() if name != "gaps"]
    groups = [{"params": [fitted.gaps], "lr": RATE_OF_LEVELS}, {"params": others, "lr": RATE}]
    optimiser = torch.optim.Adam(groups, betas=(0.9, 0.95))
    slower = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: (1 - step / steps) ** 0.5)
    for _ in range(steps):
        rows = torch.randint(len(z), (BATCH,), generator=stream)
        made = fitted(z[rows], None if labels is None else labels[rows])
        pictures = [F.pixel_shuffle(x, model.patch) for x in (made, ends[rows])]
        loss = NEAR * F.mse_loss(*pictures) + apart(*pictures, stream)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(fitted.parameters(), 1.0)
        optimiser.step()
        slower.step()
        yield fitted, float(loss.detach())


def apart(made: Tensor, ends: Tensor, stream: torch.Generator) -> Tensor:
    """How differently random sums over patches, and over whole pictures, are distributed: sliced Wasserstein."""
    total = made.new_zeros(())
    channels = made.shape[1]
    for side in (side for side in PATCHES if side <= min(made.shape[2:])):
        lines = torch.randn(LINES, channels, side, side, generator=stream).to(made)
        lines = lines / lines.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        a, b = (F.conv2d(x, lines).transpose(0, 1).flatten(1).sort(1).values for x in (made, ends))
        total = total + (a - b).square().mean()
    lines = torch.randn(made[0].numel(), LINES, generator=stream).to(made) / made[0].numel() ** 0.5
    a, b = ((x.flatten(1) @ lines).sort(0).values for x in (made, ends))
    return total + 0.2 * (a - b).square().mean()
