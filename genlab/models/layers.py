"""Blocks that more than one family uses."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.device import Recorded

MICRO_BATCH = 16
MICRO_BATCH_CUDA = 256  # small batches leave such a device idle


def micro_batch(device: torch.device) -> int:
    """Rows of the padded batches that a network is applied to on a device."""
    return MICRO_BATCH_CUDA if device.type == "cuda" else MICRO_BATCH


def in_micro_batches(function: Callable[..., Tensor], *inputs: Tensor | None, size: int | None = None) -> Tensor:
    """Apply a network to padded batches of one fixed size, so that no item depends on its neighbours.

    Args:
        function: maps tensors of `size` rows to one tensor of `size` rows.
        inputs: tensors of n rows each, or None, which is passed on.
        size: left out, that of the device.
    """
    first = next(x for x in inputs if x is not None)
    n, size = len(first), size or micro_batch(first.device)
    parts = []
    for start in range(0, max(n, 1), size):
        rows = [None if x is None else x[start : start + size] for x in inputs]
        kept = next(len(x) for x in rows if x is not None)
        parts.append(function(*[None if x is None else pad_rows(x, size) for x in rows])[:kept])
    return torch.cat(parts)


def pad_rows(x: Tensor, size: int) -> Tensor:
    """`x` with rows of zeros appended up to `size`."""
    return x if len(x) == size else torch.cat([x, x.new_zeros(size - len(x), *x.shape[1:])])


def perceptron(inputs: int, outputs: int, *, width: int, hidden: int) -> nn.Sequential:
    """`hidden` layers of `width` units and one of outputs, with leaky rectifiers between them."""
    sizes = [inputs, *[width] * hidden]
    inner = [module for a, b in pairwise(sizes) for module in (nn.Linear(a, b), nn.LeakyReLU(0.2))]
    return nn.Sequential(*inner, nn.Linear(width, outputs))


class Residual(nn.Module):
    """Residual block of two 3x3 convolutions without normalisation; it starts as the identity (Child 2021, VDVAE).

    With `dimensions=1` it is one for series.
    """

    def __init__(self, channels: int, dimensions: int = 2):
        super().__init__()
        convolution = nn.Conv1d if dimensions == 1 else nn.Conv2d
        self.conv1, self.conv2 = (convolution(channels, channels, 3, padding=1) for _ in range(2))
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(F.relu(x))))


def shift(images: Tensor, reach: int, *, fill: str = "replicate") -> Tensor:
    """Move each item by its own whole number of pixels, up to `reach` each way.

    What comes in at the border is edge pixels, or zeros with `fill="constant"`.
    """
    if not reach:
        return images
    n, _, height, width = images.shape
    device = images.device
    padded = F.pad(images, (reach,) * 4, mode=fill).permute(0, 2, 3, 1)
    top, left = (torch.randint(2 * reach + 1, (n, 1), device=device) for _ in range(2))
    rows, columns = top + torch.arange(height, device=device), left + torch.arange(width, device=device)
    item = torch.arange(n, device=device)[:, None, None]
    return padded[item, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def sinusoid(t: Tensor, width: int, longest: float = 1000.0) -> Tensor:
    """Sine and cosine features of times in [0, 1], (n,) -> (n, width) (Vaswani et al. 2017, section 3.5)."""
    half = width // 2
    rates = torch.exp(-math.log(longest) * torch.arange(half, device=t.device, dtype=torch.float32) / half)
    angles = t.float()[:, None] * longest * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def attention(query: Tensor, key: Tensor, heads: int, barred: Tensor | None = None) -> Tensor:
    """Weights (heads, t, t) of scaled dot-product attention (Vaswani et al. 2017, equation 1) from (t, d) each.

    Args:
        barred: bool (t, t), what may not be looked at.
    """
    query, key = (x.unflatten(-1, (heads, -1)).transpose(0, 1) for x in (query, key))
    scores = query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])
    return (scores if barred is None else scores.masked_fill(barred, -torch.inf)).softmax(-1)


def cosine(fraction: float, warm_up: float = 0.02, final: float = 0.01) -> float:
    """Learning-rate factor: a linear rise over `warm_up` of the run, then half a cosine down to `final`."""
    if fraction < warm_up:
        return max(fraction / warm_up, 0.01)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * (fraction - warm_up) / (1 - warm_up)))


class Descent:
    """A training step over one loss and one Adam optimiser: the usual case.

    Args:
        network: the module that learns.
        loss: (batch, fraction) -> (scalar to descend, scalars to report).
        lr: the highest learning rate; its course is `schedule`.
        slow: parameters that start near where they should end: they take a tenth of the rate.
        steady: the loss does not look at `fraction` and asks the device nothing, so that on CUDA a step is recorded
            once and played again: networks of many small operations learn several times as fast.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Callable[..., tuple[Tensor, dict[str, Tensor]]],
        *,
        lr: float,
        schedule: Callable[[float], float] = cosine,
        weight_decay: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.99),
        clip: float = 0.0,
        slow: Sequence[nn.Parameter] = (),
        steady: bool = False,
    ):
        self.network, self.loss, self.lr, self.schedule, self.clip = network, loss, lr, schedule, clip
        held = {id(p) for p in slow}
        parameters = [p for p in network.parameters() if p.requires_grad and id(p) not in held]
        decayed = [p for p in parameters if p.ndim > 1]
        plain = [p for p in parameters if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]
        if slow:
            groups.append({"params": list(slow), "weight_decay": 0.0, "part": 0.1})
        recorded = steady and parameters[0].device.type == "cuda"
        rate = torch.tensor(lr, device=parameters[0].device) if recorded else lr
        self.optimiser = torch.optim.AdamW(groups, lr=rate, betas=betas, fused=True, capturable=recorded)
        self.step = Recorded(self.descend) if recorded else self.descend

    def __call__(self, batch, fraction: float) -> dict[str, Tensor]:
        for group in self.optimiser.param_groups:
            rate = self.lr * self.schedule(fraction) * group.get("part", 1.0)
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        return self.step(batch, fraction)

    def descend(self, batch, fraction: float) -> dict[str, Tensor]:
        """One step of the optimiser."""
        self.optimiser.zero_grad(set_to_none=True)
        loss, reported = self.loss(batch, fraction)
        loss.backward()
        if self.clip:
            parameters = [p for g in self.optimiser.param_groups for p in g["params"]]
            reported["gradient"] = nn.utils.clip_grad_norm_(parameters, self.clip)
        self.optimiser.step()
        return {"loss": loss.detach(), **reported}

    def state_dict(self) -> dict:
        return self.optimiser.state_dict()

    def load_state_dict(self, state: dict) -> None:
        self.optimiser.load_state_dict(state)
        for group in self.optimiser.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"] = group["lr"].to(group["params"][0].device)
