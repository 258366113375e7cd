"""What goes wrong in a live training, told from samples and losses alone: the truth behind the data is not asked for.

**Mode collapse.** Every generated item feeds the held-out real ones around it: its k nearest, or all that are less than
twice as far as the nearest, so that a blurred item feeds all of the mode that it lies beside; an item out of reach of
all of them feeds nothing. A real item that receives under a fifth of its part is starved, and the share of starved ones
is what the generator misses: the counts of Richardson and Weiss (2018) without bins. Other real items of the same
number give the floor. **Divergence.** Losses or items that are not finite, losses that grow without bound, items far
outside of the data. **Posterior collapse.** Latents whose KL divergence to the prior is nothing (Bowman et al. 2016).

One look proves little, so an alarm needs several in a row after a warm-up, and no hope of recovery before the end.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

KINDS = ("mode collapse", "divergence", "posterior collapse")
ANCHORS = 500  # held-out real items that are fed
NEIGHBOURS = 0.02  # of the anchors are fed by an item at least
WIDER = 2.0  # times the distance to the nearest anchor, within which anchors are fed too
REACH = 0.125  # of the data's radius (root mean square), or three times as far as real items are apart: out of reach
FEEDING = 0.1  # share of items within reach, below which there is nothing that the generator does not miss
STARVED = 0.2  # of an equal part of what is fed
MISSING = 0.06  # share of starved anchors above the floor from which modes count as lost
LOST = 8  # looks in a row that miss so much
PATIENCE = 5  # looks in a row of any other kind
RECENT = 10  # looks that a line is drawn through, to see where a run ends
GROWTH = 30.0  # times the median size of the first looks
LARGE = 10.0  # a loss below is never called large
LOSSES = ("critic", "generator", "loss", "elbo_bits")
OUTSIDE = 3.0  # radii of the real items; an item farther from their mean is no item
STRAY = 0.5  # share of items outside that is divergence
SILENT = 0.02  # nats a latent: below it says nothing
MUTE = 0.9  # share of silent latents that is posterior collapse


@dataclass(frozen=True)
class Alarm:
    """A finding of a run: what, at which step it was raised, since which step it shows, and on what evidence."""

    kind: str
    step: int
    since: int
    reading: str


class Watch:
    """Looks at a run again and again; `alarms` holds at most one Alarm of each of `KINDS`.

    Args:
        real: held-out items (n, w), points or features of pictures, n >= 100; half of them set the floor.
        steps: length of the run.
        warm_up: share of the run in which neither lost modes nor silent latents are called.
        seed: of the halves.

    Raises:
        ValueError: too few real items, or some that are not finite.
    """

    def __init__(self, real, *, steps: int, warm_up: float = 0.3, seed: int = 0):
        real = np.asarray(real, np.float64).reshape(len(real), -1)
        if len(real) < 100 or not np.isfinite(real).all():
            raise ValueError(f"A watch needs at least 100 finite held-out items; {len(real)} were given.")
        order = np.random.default_rng(seed).permutation(len(real))[: 2 * ANCHORS]
        half = len(order) // 2
        self.anchors, self.others = real[order[:half]], real[order[half:]]
        self.steps, self.warm = steps, warm_up * steps
        self.centre = real.mean(0)
        self.radius = float(np.sqrt(((real - self.centre) ** 2).sum(1)).max())
        self.k = max(3, round(NEIGHBOURS * half))
        apart = np.sqrt(np.median(_squared(self.others, self.anchors).min(1)))
        self.reach = max(REACH * float(np.sqrt(((real - self.centre) ** 2).sum(1).mean())), 3 * float(apart))
        self.floor = self.missing(self.others)
        self.alarms: dict[str, Alarm] = {}
        self.missed: list[tuple[int, float]] = []
        self.strayed: list[tuple[int, float]] = []
        self.silent: list[tuple[int, float, int]] = []
        self.sizes: dict[str, list[tuple[int, float]]] = {}

    def missing(self, items: np.ndarray) -> float:
        """The share of anchors that `items` (m, w) starve; rows that are not finite feed nothing."""
        squared = _squared(items[np.isfinite(items).all(1)], self.anchors)
        squared = squared[squared.min(1, initial=np.inf) <= self.reach**2]
        if len(squared) < FEEDING * len(items):
            return 1.0
        nearest = np.partition(squared, (0, self.k - 1), axis=1)
        fed = squared <= np.maximum(nearest[:, self.k - 1], WIDER**2 * nearest[:, 0])[:, None]
        received = (self.k / fed.sum(1)) @ fed
        return float((received < STARVED * self.k * len(squared) / len(self.anchors)).mean())

    def look(self, step: int, items, *, losses: Mapping[str, float] | None = None, kl=None) -> list[Alarm]:
        """The alarms that this look raises, each kind once a run.

        Args:
            step: of `steps`, counted from 1.
            items: generated ones (m, w), as many as there are held-out ones or half as many; None to look at the rest.
            losses: latest values by name; all have to be finite, those named in `LOSSES` not to grow.
            kl: divergence to the prior in nats of every latent (d,), where there are latents.
        """
        raised = []
        if items is not None:
            items = np.asarray(items, np.float64).reshape(len(items), -1)
            raised += [self._diverged(step, items), self._collapsed(step, items)]
        raised += [self._grown(step, losses or {}), None if kl is None else self._silenced(step, np.asarray(kl))]
        new = []
        for alarm in raised:
            if alarm is not None and alarm.kind not in self.alarms:
                self.alarms[alarm.kind] = alarm
                new.append(alarm)
        return new

    def _collapsed(self, step: int, items: np.ndarray) -> Alarm | None:
        self.missed.append((step, self.missing(items)))
        since = _lasting(self.missed, self.floor + MISSING, self.warm, self.steps, patience=LOST)
        if since is None:
            return None
        now = float(np.median([value for _, value in self.missed[-LOST:]]))
        return Alarm("mode collapse", step, since, (
            f"Mode collapse: since step {since:,} the generator leaves out {now:.0%} of held-out real items (hardly "
            f"anything lies around them); other real items leave out {self.floor:.0%}."
        ))  # fmt: skip

    def _diverged(self, step: int, items: np.ndarray) -> Alarm | None:
        finite = np.isfinite(items).all(1)
        if not finite.all():
            reading = f"Divergence: at step {step:,}, {(~finite).mean():.0%} of generated items are not finite numbers."
            return Alarm("divergence", step, step, reading)
        stray = float((np.sqrt(((items - self.centre) ** 2).sum(1)) > OUTSIDE * self.radius).mean())
        self.strayed.append((step, stray))
        since = _lasting(self.strayed, STRAY)
        if since is None:
            return None
        return Alarm("divergence", step, since, (
            f"Divergence: since step {since:,} most items ({stray:.0%} now) lie more than {OUTSIDE:.0f} times "
            "as far out as the farthest real one."
        ))  # fmt: skip

    def _grown(self, step: int, losses: Mapping[str, float]) -> Alarm | None:
        for name, value in losses.items():
            if not math.isfinite(value):
                reading = f"Divergence: at step {step:,} the loss called {name} is not a finite number."
                return Alarm("divergence", step, step, reading)
            if name not in LOSSES:
                continue
            sizes = self.sizes.setdefault(name, [])
            sizes.append((step, abs(value)))
            if len(sizes) < 2 * PATIENCE:
                continue
            first = float(np.median([size for _, size in sizes[:PATIENCE]]))
            since = _lasting(sizes[PATIENCE:], max(LARGE, GROWTH * first))
            if since is not None:
                return Alarm("divergence", step, since, (
                    f"Divergence: since step {since:,} the loss called {name} is over {GROWTH:.0f} times what it was "
                    f"at first ({abs(value):,.3g} now, {first:,.3g} then)."
                ))  # fmt: skip
        return None

    def _silenced(self, step: int, kl: np.ndarray) -> Alarm | None:
        quiet = int((kl < SILENT).sum())
        self.silent.append((step, quiet / kl.size))
        since = _lasting(self.silent, MUTE, self.warm, self.steps)
        if since is None:
            return None
        return Alarm("posterior collapse", step, since, (
            f"Posterior collapse: since step {since:,}, {quiet} of {kl.size} latents tell the decoder nothing: their "
            f"KL divergence to the prior is below {SILENT} nats."
        ))  # fmt: skip


def _squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances (n, m), never below 0."""
    return np.maximum(0.0, (a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1))


def _lasting(
    seen: list[tuple[int, float]], bound: float, after: float = 0, steps: int = 0, patience: int = PATIENCE
) -> int | None:
    """The step since which values reach `bound`, once they have in `patience` looks after the warm-up; else None.

    Where the run has `steps`, it is also None while a line through the latest looks falls below the bound by its end.
    """
    run = next((i for i, (_, value) in enumerate(reversed(seen)) if value < bound), len(seen))
    if sum(step > after for step, _ in seen[len(seen) - run :]) < patience:
        return None
    latest = np.array(seen[-RECENT:])
    if seen[-1][0] < steps and np.polyval(np.polyfit(*latest.T, 1), steps) < bound:
        return None
    return seen[len(seen) - run][0]
