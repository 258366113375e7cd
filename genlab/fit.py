"""The one training loop: a generator of Progress, so that a shell prints it, a tab plots it, a test takes three."""

import copy
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from genlab.models.contract import Batch


@dataclass(frozen=True)
class Progress:
    """Where a run stands after `step` of `steps`; losses by name; seconds it has trained, over all its processes.

    `average` is the moving average as it stands, the model itself where none is kept; it goes on changing.
    """

    step: int
    steps: int
    losses: dict[str, float]
    seconds: float
    average: nn.Module | None = field(default=None, repr=False, compare=False)


class Diverged(RuntimeError):
    """The losses of a run are no numbers any more; the message says when, and which."""


class Batches:
    """Batch `t` of an endless shuffled walk through the data, the same for the same seed.

    Args:
        items: array or tensor of n rows; uint8 is scaled to [0, 1].
        labels: int64, (n,); None where there are none, which gives zeros.
    """

    def __init__(self, items, labels=None, *, batch: int, seed: int = 0, device: str | torch.device = "cpu"):
        self.items = torch.as_tensor(items).to(device)
        labels = torch.zeros(len(self.items), dtype=torch.int64) if labels is None else labels
        self.labels = torch.as_tensor(labels).to(device)
        self.batch, self.seed, self.device = min(batch, len(self.items)), seed, device
        self._epoch, self._order = -1, None

    def __getitem__(self, t: int) -> Batch:
        per_epoch = len(self.items) // self.batch
        epoch, within = divmod(t, per_epoch)
        if epoch != self._epoch:
            order = np.random.default_rng((self.seed, epoch)).permutation(len(self.items))
            self._epoch, self._order = epoch, torch.from_numpy(order).to(self.device)
        rows = self._order[within * self.batch : (within + 1) * self.batch]
        items = self.items[rows]
        return Batch(items.float() / 255 if items.dtype == torch.uint8 else items, self.labels[rows])


def fit(
    model: nn.Module,
    batches: Batches,
    *,
    steps: int,
    lr: float,
    ema: float = 0.999,
    seed: int = 0,
    resume: Path | None = None,
    every: int = 1,
    save_seconds: float = 120.0,
) -> Iterator[Progress]:
    """Train the model in place, yielding Progress every `every` steps; at the end it holds its moving average.

    The random numbers of step t depend on (seed, t) alone and the global state is put back after each
    step; with `resume`, a killed run goes on from its last save to the same weights, bit for bit on the
    same machine, versions and thread count. Closing the generator in mid-run saves first.

    Args:
        ema: decay of the exponential moving average of the weights (0: none), warmed up over the first steps.
        resume: file that the state is kept in; removed at the end.
        save_seconds: time between saves.

    Raises:
        Diverged: a loss is infinite or no number; what was saved before stays, and nothing of that step is saved.
    """
    step, average = model.trainer(lr), copy.deepcopy(model) if ema else None
    shown = model if average is None else average
    done, earlier = 0, 0.0
    if resume and resume.exists():
        state = torch.load(resume, map_location="cpu", weights_only=True)
        model.load_state_dict(state["model"])
        step.load_state_dict(state["step"])
        if average is not None:
            average.load_state_dict(state["average"])
        done, earlier = state["done"], state["seconds"]
    started = saved = time.monotonic()
    model.train()
    device = next(model.parameters()).device

    def save(done: int) -> None:
        save_state(resume, {
            "model": model.state_dict(), "step": step.state_dict(), "done": done,
            "seconds": earlier + time.monotonic() - started,
            "average": average.state_dict() if average is not None else {},
        })  # fmt: skip

    for t in range(done, steps):
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            reseed(seed * 1_000_003 + t, device)
            losses = step(batches[t], t / steps)
        due = (t + 1) % every == 0 or t + 1 == steps
        saving = resume is not None and time.monotonic() - saved > save_seconds
        numbers = {name: float(value) for name, value in losses.items()} if due or saving else {}
        check_finite(numbers, t + 1, lr)
        if average is not None:
            blend(average, model, min(ema, (1 + t) / (10 + t)))
        if saving:
            save(t + 1)
            saved = time.monotonic()
        if due:
            try:
                yield Progress(t + 1, steps, numbers, earlier + time.monotonic() - started, shown)
            except GeneratorExit:
                if resume:
                    save(t + 1)
                raise
    if average is not None:
        model.load_state_dict(average.state_dict())
    model.eval()
    if resume:
        resume.unlink(missing_ok=True)


def reseed(seed: int, device: torch.device) -> None:
    """What torch.manual_seed does for the CPU and CUDA; that one also formats a stack trace for each absent device."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed_all(seed)


def check_finite(losses: dict[str, float], step: int, lr: float) -> None:
    """Raise Diverged where a loss of this step is infinite or no number."""
    lost = [name.replace("_", " ") for name, value in losses.items() if not math.isfinite(value)]
    if lost:
        value = "infinite" if all(math.isinf(v) for v in losses.values() if not math.isfinite(v)) else "no number"
        raise Diverged(
            f"Training stopped at step {step:,}: {' and '.join(lost)} became {value}, so the weights ran away. A lower "
            f"learning rate than {lr:g} holds them; what was saved before is kept."
        )


@torch.no_grad()
def blend(average: nn.Module, model: nn.Module, decay: float) -> None:
    """average <- decay * average + (1 - decay) * model; counters are copied."""
    pairs = zip(average.state_dict().values(), model.state_dict().values(), strict=True)
    floats, others = [], []
    for a, b in pairs:
        (floats if a.is_floating_point() else others).append((a, b))
    if floats:
        olds, news = zip(*floats, strict=True)
        torch._foreach_lerp_(list(olds), list(news), 1 - decay)
    for a, b in others:
        a.copy_(b)


def save_state(path: Path, state: dict) -> None:
    """Write by temporary file and rename, so that a cut never leaves half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)
