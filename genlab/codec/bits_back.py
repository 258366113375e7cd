"""Bits-back coding with a VAE: files of about -ELBO bits (Hinton and van Camp 1993; BB-ANS: Townsend et al. 2019).

Encoding a picture takes latents off a stack of bits with q(latents | x), then puts x on it with p(x | latents); the
latents go on a second stack with their prior. Decoding undoes each step. What q took comes back, so a picture costs
what the one-sample bound says. There are two stacks because q must take bits that nobody chose: from a single one it
would take those of the latents before, and their quantiles would be handed on from picture to picture.

In standard units every latent of this VAE has the prior N(0, 1), whatever stands above it. They are rounded to steps
as wide as their posteriors, which costs nothing to first order and keeps the bits that must lie on the stack before
the first picture few; channels whose posterior is the prior are left at its mean. The bits that the first picture
takes are not invented: the last picture of an archive is put on the empty stacks without bits back, its latents at
coarser steps, and so is every other that finds too few.

The network runs in float64, one picture at a time on one thread, and its numbers are rounded to grids, after which all
is whole arithmetic. So batches and threads cannot matter on a machine; elsewhere a number would have to lie within
some 1e-13 of a grid's boundary to fall on its other side, which the container's checksum would tell.
"""

import contextlib
import copy
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import constriction
import numpy as np
import torch
from torch import Tensor

from genlab import device
from genlab.codec.container import Reader, varint
from genlab.codec.logistic import frequencies, on_grids
from genlab.codec.stacks import PayloadError, Stacks
from genlab.models.vae import VAE

Categorical, QuantizedGaussian = constriction.stream.model.Categorical, constriction.stream.model.QuantizedGaussian
GRID = 256  # grid points a step that posterior means are rounded to
DEVIATIONS = 32  # grid points a unit of log-deviation
WIDEST, FINEST = 0, 100  # codes of steps: 2^(2 - code / 8) standard deviations of the prior
FAR = 9  # prior deviations that a latent may lie from 0
SILENT = 0.003  # nats a number below which a channel is left at the prior's mean
LOOKED_AT = 24  # pictures that steps are chosen from
COARSER = (0, 6, 10, 13, 16, 20)  # eighths of an octave that the first pictures' steps may be wider
DRY, DEAREST = 64, 24  # bits that must be left on the stack, and the most that one number can take off it
MOST_PER_BYTE = 64  # pictures a byte of a payload: no model finds any so plain, and nobody may ask for hours of work
_lock = threading.Lock()
_pixels = Categorical(perfect=False)


class _Dry(Exception):
    """The stack has too few bits to take latents from."""


def usable(model: object) -> bool:
    """Whether pictures can be coded with the model: a VAE of grey 8-bit values that needs no class."""
    return isinstance(model, VAE) and model.likelihood == "logistic" and not model.conditional


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """torch on one thread and without gradients while the coder's network runs; one coder at a time."""
    with _lock, torch.no_grad(), device.one_thread():
        yield


@dataclass(frozen=True)
class Steps:
    """How one latent is rounded: one step, and which channels are coded at all (`free`)."""

    code: int
    free: np.ndarray

    @property
    def width(self) -> float:
        """The step in prior deviations; a multiple of 2^-30, so that every machine has the same."""
        return round(2.0 ** (2 - self.code / 8) * 2**30) / 2**30

    def coarser(self, by: int) -> "Steps":
        """A step 2^(by / 8) times as wide; where nothing is left of the latent it is fixed."""
        code = self.code - by
        return Steps(max(code, WIDEST), self.free & (code >= WIDEST))


class Latent:
    """The models of one latent (channels, height, width): prior and posterior over whole numbers of steps."""

    def __init__(self, steps: Steps, shape: tuple[int, ...]):
        self.shape, self.free, self.width = shape, steps.free, steps.width
        count = int(self.free.sum()) * int(np.prod(shape[1:]))
        self.most = int(np.ceil(FAR / self.width))
        self.family = QuantizedGaussian(-self.most, self.most)
        self.prior = (np.zeros(count), np.full(count, 1 / self.width))

    def posterior(self, mean: Tensor, log_deviation: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation in steps, on grids, of every number that is coded."""
        mean, log_deviation = (
            np.nan_to_num(x.numpy().reshape(self.shape)[self.free].ravel()) for x in (mean, log_deviation)
        )
        mean = np.round(np.clip(mean, -FAR, FAR) / self.width * GRID) / GRID
        grid = np.round(np.clip(log_deviation, -8, 3) * DEVIATIONS)
        return mean, np.round(np.exp(grid / DEVIATIONS) * 2**24) / 2**24 / self.width

    def nearest(self, mean: np.ndarray) -> np.ndarray:
        """Posterior means as whole numbers of steps."""
        return np.clip(np.round(mean), -self.most, self.most).astype(np.int32)

    def value(self, symbols: np.ndarray) -> Tensor:
        """Whole numbers as the latent's tensor (1, channels, height, width) in standard units."""
        full = np.zeros(self.shape)
        full[self.free] = (symbols * self.width).reshape(-1, *self.shape[1:])
        return torch.from_numpy(full)[None]


class Coder:
    """One VAE ready to code: a float64 copy of its networks on the CPU.

    Raises:
        ValueError: the model is not `usable`.
    """

    def __init__(self, model: VAE):
        if not usable(model):
            raise ValueError("Bits-back coding needs a VAE with the logistic likelihood that takes no class.")
        self.vae = copy.deepcopy(model).cpu().double().eval().requires_grad_(False)
        self.shape = tuple(self.vae.shape)
        self.shapes = [(self.vae.latent,), *self.vae.local_shapes()]

    # ---- archives

    def encode(self, items: np.ndarray, *, progress: Callable[[], None] | None = None) -> bytes:
        """Pictures uint8 (n, c, h, w), n >= 1, as one payload."""
        if items.dtype != np.uint8 or items.shape[1:] != self.shape or not len(items):
            raise ValueError(f"Pictures of uint8 (n, {', '.join(map(str, self.shape))}) are needed, not {items.shape}.")
        with one_thread():
            steps = self.choose_steps(items[:: max(1, len(items) // LOOKED_AT)][:LOOKED_AT])
            fine = self.latents(steps, 0)
            by, stacks = min(
                ((by, self._alone(items[-1], self.latents(steps, by))) for by in COARSER), key=lambda pair: pair[1].bits
            )
            coarse, plain = self.latents(steps, by), [0]  # pictures without bits back, counted from the last
            enough = DRY + DEAREST * sum(len(latent.prior[0]) for latent in fine)
            for at in range(1, len(items)):
                item = items[-1 - at]
                before = stacks.copy() if stacks.pixels.num_valid_bits() < enough else stacks
                try:
                    self.push(stacks, item, fine, back=True)
                except _Dry:
                    stacks = before
                    plain.append(at)
                    self.push(stacks, item, coarse, back=False)
                if progress:
                    progress()
        return header_of(plain, by, steps) + stacks.to_bytes()

    def decode(self, payload: bytes, count: int, *, progress: Callable[[], None] | None = None) -> np.ndarray:
        """What `encode` was given.

        Raises:
            PayloadError, ContainerError: the payload is cut short, damaged or of another model.
        """
        plain, by, steps, at = header_from(payload, self.shapes)
        if not len(plain) <= count <= MOST_PER_BYTE * len(payload):
            raise PayloadError("The coded pictures are cut short or damaged.")
        stacks, items = Stacks.of(payload[at:]), []
        with one_thread():
            fine, coarse = self.latents(steps, 0), self.latents(steps, by)
            for at in range(count - 1, -1, -1):
                alone = at in plain
                items.append(self.pop(stacks, coarse if alone else fine, back=not alone))
                if progress:
                    progress()
        if not stacks.empty:
            raise PayloadError("The coded pictures are cut short or damaged.")
        return np.stack(items)

    def costs(self, payload: bytes) -> dict[str, np.ndarray]:
        """Bits of the last picture of a payload, which had none back: of each latent, summed, and of every pixel."""
        _, by, steps, at = header_from(payload, self.shapes)
        latents, stacks, found, waiting = self.latents(steps, by), Stacks.of(payload[at:]), {}, None

        def take(*_) -> Tensor:
            latent, name = next(waiting)
            before = stacks.latents.num_valid_bits()
            symbols = stacks.latents.decode(latent.family, *latent.prior)
            found[name] = np.asarray(float(before - stacks.latents.num_valid_bits()))
            return latent.value(symbols)

        names = ["the code", *(f"local latent {i}" for i in range(1, len(latents)))]
        waiting = iter(zip(latents, names, strict=True))
        with one_thread():
            table = self.pixels(self.vae.descend(take(), None, take))
        values = stacks.pixels.decode(_pixels, table)
        share = table[np.arange(len(values)), values] / table.sum(1)
        return found | {"pixels": -np.log2(np.maximum(share, 2.0**-24))}

    def _alone(self, item: np.ndarray, latents: list[Latent]) -> Stacks:
        stacks = Stacks()
        self.push(stacks, item, latents, back=False)
        return stacks

    def latents(self, steps: list[Steps], coarser: int) -> list[Latent]:
        return [Latent(s.coarser(coarser), shape) for s, shape in zip(steps, self.shapes, strict=True)]

    def choose_steps(self, items: np.ndarray) -> list[Steps]:
        """A step for each latent: as wide as its posterior is in the middle; channels that say nothing are fixed."""
        widths, costs = [[] for _ in self.shapes], [[] for _ in self.shapes]
        for item in items:
            at = iter(range(len(self.shapes)))

            def note(mean: Tensor, log_deviation: Tensor, at=at) -> Tensor:
                which = next(at)
                kl = 0.5 * (mean.square() + (2 * log_deviation).exp() - 1) - log_deviation
                channels = self.shapes[which][0]
                costs[which].append(kl.reshape(channels, -1).mean(1).numpy())
                widths[which].append(log_deviation.reshape(channels, -1).mean(1).numpy())
                return mean

            mean, log_deviation, features = self.look(item)
            note(mean, log_deviation)
            self.vae.descend(mean, None, lambda local, h, level, f=features: note(*local.look(h, f[level])))
        chosen = []
        for width, cost in zip(widths, costs, strict=True):
            free = np.mean(cost, 0) > SILENT
            middle = float(np.mean(np.mean(width, 0)[free])) if free.any() else 0.0
            code = int(np.clip(round(8 * (2 - middle / np.log(2))), WIDEST, FINEST))
            chosen.append(Steps(code, free))
        return chosen

    # ---- one picture

    def push(self, stacks: Stacks, item: np.ndarray, latents: list[Latent], *, back: bool) -> None:
        """Put a picture on the stacks; with `back` its latents are taken off first, else they are posterior means."""
        taken, waiting = [], iter(latents)

        def take(mean: Tensor, log_deviation: Tensor) -> Tensor:
            latent = next(waiting)
            middle, deviation = latent.posterior(mean, log_deviation)
            taken.append(stacks.pixels.decode(latent.family, middle, deviation) if back else latent.nearest(middle))
            return latent.value(taken[-1])

        mean, log_deviation, features = self.look(item)
        code = take(mean, log_deviation)
        out = self.vae.descend(code, None, lambda local, h, level: take(*local.look(h, features[level])))
        if back and stacks.pixels.num_valid_bits() < DRY:
            raise _Dry
        stacks.pixels.encode_reverse(item.ravel().astype(np.int32), _pixels, self.pixels(out))
        for latent, symbols in reversed(list(zip(latents, taken, strict=True))):
            stacks.latents.encode_reverse(symbols, latent.family, *latent.prior)

    def pop(self, stacks: Stacks, latents: list[Latent], *, back: bool) -> np.ndarray:
        """Take a picture off the stacks; with `back` what its latents had taken is put back."""
        taken, seen, waiting = [], [], iter(latents)

        def take() -> Tensor:
            latent = next(waiting)
            taken.append(stacks.latents.decode(latent.family, *latent.prior))
            return latent.value(taken[-1])

        def choose(local, h: Tensor, level: int) -> Tensor:
            seen.append((local, h, level))
            return take()

        out = self.vae.descend(take(), None, choose)
        item = stacks.pixels.decode(_pixels, self.pixels(out)).astype(np.uint8).reshape(self.shape)
        if back:
            mean, log_deviation, features = self.look(item)
            said = [(mean, log_deviation)] + [local.look(h, features[level]) for local, h, level in seen]
            for latent, symbols, posterior in reversed(list(zip(latents, taken, said, strict=True))):
                stacks.pixels.encode_reverse(symbols, latent.family, *latent.posterior(*posterior))
        return item

    def look(self, item: np.ndarray) -> tuple[Tensor, Tensor, list[Tensor]]:
        """What the encoder says of one picture uint8 (c, h, w)."""
        return self.vae.look(torch.from_numpy(item / 255)[None], None)

    def pixels(self, out: Tensor) -> np.ndarray:
        """Frequencies of every pixel's values from the decoder's numbers."""
        return frequencies(*on_grids(out.numpy()[0].reshape(out.shape[1], -1)))


# ---- the payload's own header

NONE, SOME, ALL = 0, 1, 2  # of a latent's channels are coded


def header_of(plain: list[int], by: int, steps: list[Steps]) -> bytes:
    """Which pictures beside the last have no bits back, how much coarser they are, each latent's step and channels."""
    gaps = np.diff(plain)
    parts = [varint(len(gaps)), *(varint(int(gap)) for gap in gaps), bytes([by])]
    for s in steps:
        kind = ALL if s.free.all() else SOME if s.free.any() else NONE
        mask = np.packbits(s.free).tobytes() if kind == SOME else b""
        parts.append(bytes([kind]) if kind == NONE else bytes([kind, s.code]) + mask)
    return b"".join(parts)


def header_from(payload: bytes, shapes: list[tuple[int, ...]]) -> tuple[set[int], int, list[Steps], int]:
    """What `header_of` wrote, and where it ends.

    Raises:
        PayloadError, ContainerError: it is cut short or out of range.
    """
    reader, steps = Reader(payload), []
    plain, at = {0}, 0
    for _ in range(reader.varint(len(payload))):
        at += reader.varint(2**31)
        plain.add(at)
    by = reader.take(1)[0]
    for channels, *_ in shapes:
        kind = reader.take(1)[0]
        code = reader.take(1)[0] if kind != NONE else WIDEST
        free = np.full(channels, kind == ALL)
        if kind == SOME:
            mask = np.frombuffer(reader.take((channels + 7) // 8), np.uint8)
            free = np.unpackbits(mask)[:channels].astype(bool)
        if kind > ALL or code > FINEST:
            raise PayloadError("The coded pictures are damaged: a step is out of range.")
        steps.append(Steps(code, free))
    return plain, by, steps, reader.at
