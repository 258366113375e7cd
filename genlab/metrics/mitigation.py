"""Giving the groups of a trained generator the shares that somebody asks for, without training it again.

A generator is cut into halves: a law of latents, and one network pass that decodes each. Methods that choose latents
before anything is decoded (`latent_groups.py`) cost one decode an item; methods that choose among decoded items
(`selection.py`) cost more. All of them read groups with one classifier, so their success must be read with another
instrument: what is chosen by a classifier also carries that classifier's mistakes (Goodhart's law). Item i depends on
seed i and on the fit alone.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from genlab.models.contract import Images
from genlab.models.gan import GAN, truncate
from genlab.models.vae import VAE
from genlab.seeds import GOLDEN, Seeds, mixed

CHUNK = 256  # items between two reports of progress
POOL, CALIBRATION = 3_000_000_000, 3_500_000_000  # first seeds of one-time draws, far from those that anybody types
APART = 1_000_000  # between the calibration seeds of two groups
FEWEST = 40  # items of a group below which nothing is fitted to it

Reader = Callable[[Images], Tensor]  # the chance of each group, (n, K), in pictures
Placer = Callable[[Seeds, Tensor], Tensor]  # latents (n, d) for seeds and the groups asked for (n,)
Work = Generator[int, None, "object"]  # yields how many items were decoded since the last report, returns a result


@dataclass(frozen=True)
class Halves:
    """A generator cut where one vector decides a picture.

    Attributes:
        size: d, of a latent.
        draw: latents (n, d) as the model itself draws them.
        decode: their pictures (n, c, h, w) in [0, 1]: one network pass an item.
        bound: latents beyond it were never drawn (infinite: any may be).
    """

    size: int
    draw: Callable[[Seeds], Tensor]
    decode: Callable[[Tensor, Seeds], Images]
    bound: float = float("inf")


class Pool(NamedTuple):
    """Latents (m, d) drawn from the model, and the chance (m, K) of each group in each one's picture."""

    latents: Tensor
    chances: Tensor

    @property
    def groups(self) -> Tensor:
        """The likeliest group, (m,)."""
        return self.chances.argmax(1)


class Drawn(NamedTuple):
    """Pictures (n, c, h, w), and how many network passes each cost, (n,) int64."""

    images: Images
    decodes: np.ndarray


class MitigationError(ValueError):
    """A mitigation cannot be fitted; the message says why and what to do."""


def halves(model, knobs=None) -> Halves:
    """The halves of an unconditional VAE or GAN with these knobs (None: its defaults).

    Raises:
        MitigationError: the model is of another kind, or draws by class.
    """
    if not isinstance(model, VAE | GAN) or model.classes:
        raise MitigationError("Mitigation works on VAEs and GANs without classes: choose another model.")
    if isinstance(model, GAN):
        bound = (knobs or model.Knobs()).truncation

        def noise(seeds: Seeds) -> Tensor:
            drawn = seeds.randn(model.latent)
            return drawn if bound >= 4 else truncate(drawn, bound)

        return Halves(model.latent, noise, lambda z, seeds: model.paint(z), bound)
    knobs = replace(knobs or model.default_knobs(), guidance=1.0)  # without classes guidance changes nothing

    def codes(seeds: Seeds) -> Tensor:
        drawn, choice = seeds.randn(model.latent), seeds.rand(1)[:, 0]
        return model.draw_codes(drawn * knobs.temperature, choice, None, knobs)

    return Halves(model.latent, codes, lambda z, seeds: model.decode(z, seeds=seeds, detail=knobs.detail))


def streams(seeds: Seeds, rows: Sequence[int], turn: int) -> Seeds:
    """Stream number `turn` of the items `rows`: number 0 is the item's own, the others are unrelated to it.

    torch's generator keeps 32 bits of a seed, so an offset is not enough: seed and turn are mixed.
    """
    return Seeds([mixed(seeds.seeds[i], turn) if turn else seeds.seeds[i] for i in rows], seeds.device)


def finish(work: Work):
    """Run work to its end and give its result."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


# ---- what is learnt once


def fill_pool(cut: Halves, read: Reader, count: int, *, have: Pool | None = None, device="cpu") -> Work:
    """Draw and decode items of the model until there are `count`, and read their groups; returns a Pool.

    Item i has seed `POOL` + i whatever the count, so a pool that was begun (`have`) is gone on with.
    """
    parts = [] if have is None else [have]
    begun = 0 if have is None else len(have.latents)
    for start in range(begun, count, CHUNK):
        seeds = Seeds.count_from(POOL + start, min(CHUNK, count - start), device)
        drawn = cut.draw(seeds)
        parts.append(Pool(drawn.cpu(), read(cut.decode(drawn, seeds)).cpu()))
        yield len(drawn)
    return Pool(*(torch.cat(column)[:count] for column in zip(*parts, strict=True)))


def enough(pool: Pool, target: np.ndarray, names: Sequence[str]) -> None:
    """Raise MitigationError where a group that is wanted was hardly drawn."""
    counts = np.bincount(pool.groups.numpy(), minlength=len(target))
    rare = [f"{n} of {names[g]}" for g, n in enumerate(counts) if target[g] > 0 and n < FEWEST]
    if rare:
        raise MitigationError(
            f"Among {len(pool.groups):,} items of this model only {' and '.join(rare)} were read, and {FEWEST} are "
            "needed: ask for none of that group, or choose a model that draws it."
        )


# ---- shares


def allocate(seeds: Seeds, shares: np.ndarray) -> Tensor:
    """The group of every item, (n,), from its seed alone and at these shares.

    The place of a seed in [0, 1) is its multiple of the golden ratio (Weyl's sequence; Knuth's Fibonacci hashing), so
    that any run of seeds has every group close to its share, closer than independent draws would.
    """
    places = np.array([(seed * GOLDEN % 2**64) / 2**64 for seed in seeds.seeds])
    edges = np.cumsum(shares) / np.sum(shares)
    return torch.from_numpy(np.searchsorted(edges, places, side="right").clip(max=len(shares) - 1))


def drawing_shares(counts: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The shares to ask for, (K,), so that what is read comes closest to `target` (K,).

    Solves A^T w = target for w on the simplex, A the rows of `counts` (K, K): groups asked for, groups read (the
    classical confusion-matrix correction, Buonaccorsi 2010, chapter 3, turned around). Rows never asked for must be 0.
    """
    from scipy.optimize import nnls

    asked = counts.sum(1) > 0
    rows = counts[asked] / counts[asked].sum(1, keepdims=True)
    heavy = 1e4  # the row that makes the shares sum to 1
    solution = nnls(np.vstack([rows.T, heavy * np.ones(len(rows))]), np.append(target, heavy))[0]
    shares = np.zeros(len(counts))
    shares[asked] = solution / solution.sum()
    return shares


@dataclass(frozen=True)
class Plain:
    """The model as it is, for comparison."""

    cut: Halves

    def draw(self, seeds: Seeds) -> Drawn:
        """Items of these seeds."""
        return Drawn(self.cut.decode(self.cut.draw(seeds), seeds), np.ones(len(seeds), np.int64))


@dataclass(frozen=True)
class Steered:
    """A method that places each item's latent for a group asked for, and decodes once.

    Attributes:
        place: latents (n, d) for seeds and groups asked for (n,).
        shares: the shares at which groups are asked for, corrected for how well they are obeyed.
        obeyed: groups asked for by groups read, (K, K), items of the calibration.
    """

    cut: Halves
    place: Placer
    shares: np.ndarray
    obeyed: np.ndarray

    def draw(self, seeds: Seeds) -> Drawn:
        """Items of these seeds."""
        latents = self.place(seeds, allocate(seeds, self.shares))
        return Drawn(self.cut.decode(latents, seeds), np.ones(len(seeds), np.int64))


def obedience(
    cut: Halves, place: Placer, read: Reader, *, group: int, groups: int, start: int, count: int, device="cpu"
) -> np.ndarray:
    """How often `count` items asked to be of `group` are read as each of `groups`, (K,); `start` were asked before."""
    seeds = Seeds.count_from(CALIBRATION + group * APART + start, count, device)
    latents = place(seeds, torch.full((count,), group))
    found = read(cut.decode(latents, seeds)).argmax(1).cpu().numpy()
    return np.bincount(found, minlength=groups)


def steer(cut: Halves, place: Placer, read: Reader, target, *, each: int, device="cpu") -> Work:
    """A Steered whose shares hit `target` as `read` sees them; `each` items a group are drawn to learn how."""
    target = np.asarray(target, float)
    counts = np.zeros((len(target), len(target)))
    for group in np.flatnonzero(target > 0).tolist():
        for start in range(0, each, CHUNK):
            size = min(CHUNK, each - start)
            counts[group] += obedience(
                cut, place, read, group=group, groups=len(target), start=start, count=size, device=device
            )
            yield size
    return Steered(cut, place, drawing_shares(counts, target), counts)
