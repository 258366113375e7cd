"""Files of a learned codec: `encode(model, pixels, quality)` and `decode(model, payload)`, for any width and height.

What decides how bits are read is computed twice, when writing and when reading, on whole numbers (`exact.py`): files
can be read with any number of threads and on any machine. Only the pixels themselves come from a float32 network: they
may differ by 1/255 between machines.

Pictures are cut into tiles of 1,024 pixels. Each is coded by itself; the transforms see beyond its edge as far as
they look, so that no seam is left.
"""

import copy
import functools
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from genlab.codec.rounding import CENTRES, thrifty
from genlab.codec.tables import (
    DAMAGED,
    Reader,
    Writer,
    checked,
    cost,
    indices,
    read_varint,
    varint,
    with_check,
)
from genlab.models.exact import exact_gains, exact_layers, to_grid
from genlab.models.photo_codec import STRIDE, PhotoCodec, checkerboard, chosen

TILE = 1024  # pixels; a multiple of 64
LONGEST, LARGEST = 65_535, 2**27  # pixels of a side, of a picture
QUALITIES = (1.0, 100.0)
HEADER = struct.Struct("<BH")  # version, quality in hundredths
VERSION = 1


@functools.lru_cache(maxsize=4)
def exact(model: PhotoCodec) -> PhotoCodec:
    """A copy of the model in float64 on the CPU whose entropy model is exact. The model must not change any more."""
    whole = copy.deepcopy(model).cpu().double().requires_grad_(False)
    for name in ("hyper_synthesis", "first_half", "second_half", "to_fine", "first_fine", "second_fine"):
        setattr(whole, name, exact_layers(getattr(whole, name)))
    for name in ("log_gain", "log_back"):  # used as gains from here on
        exact_gains(getattr(whole, name))
    return whole


@dataclass(frozen=True)
class Rates:
    """What a quality means for every latent: one row each, float64 (1, k, 1, 1)."""

    level: Tensor
    gain: Tensor
    back: Tensor
    unit: Tensor
    base: Tensor
    hyper_mean: Tensor
    hyper_scale: Tensor

    @staticmethod
    def of(whole: PhotoCodec, hundredths: int) -> "Rates":
        level = torch.tensor([(hundredths - 100) / 9900 * (whole.levels - 1)], dtype=torch.float64)
        gain = whole.at(whole.log_gain, level)
        return Rates(
            level, gain, whole.at(whole.log_back, level), gain * whole.spread[None, :, None, None],
            whole.at(whole.log_scale, level), whole.at(whole.hyper_mean, level), whole.at(whole.hyper_scale, level),
        )  # fmt: skip


def encode(model: PhotoCodec, pixels: np.ndarray, quality: float) -> bytes:
    """The compressed picture: version, quality, sides, then a stream a tile.

    Args:
        pixels: uint8 (h, w, 3).
        quality: 1 to 100; the steps of rounding shrink geometrically.

    Raises:
        ValueError: not such pixels, too large a picture, or no such quality.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(f"Pixels are uint8 (height, width, 3); {pixels.dtype} {pixels.shape} was given.")
    height, width, _ = pixels.shape
    if not sides_allowed(height, width):
        raise ValueError(
            f"Pictures have sides up to {LONGEST:,} and {LARGEST:,} pixels at most; {width:,} x {height:,} was given."
        )
    if not QUALITIES[0] <= quality <= QUALITIES[1]:
        raise ValueError(f"Quality is a number from 1 to 100; {quality!r} was given.")
    hundredths = round(quality * 100)
    parts = [HEADER.pack(VERSION, hundredths), varint(height), varint(width)]
    for _, writing in _written(model, pixels, hundredths, measured=False):
        parts.append(writing.writer.finish())
    return with_check(b"".join(parts))


def spent(model: PhotoCodec, pixels: np.ndarray, quality: float) -> np.ndarray:
    """Where the bits of `encode` go: those of each square of 16 pixels, float64 (h/16, w/16), rounded up."""
    found = np.zeros([-(-side // STRIDE) for side in pixels.shape[:2]])
    for (top, left, _, _), writing in _written(model, pixels, round(quality * 100), measured=True):
        part = writing.bits
        found[top // STRIDE :, left // STRIDE :][: part.shape[0], : part.shape[1]] = part
    return found


def _written(
    model: PhotoCodec, pixels: np.ndarray, hundredths: int, *, measured: bool
) -> Iterator[tuple[tuple[int, ...], "Writing"]]:
    """Every tile with what was written for it."""
    whole, device, halo = exact(model), next(model.parameters()).device, model.sight
    rates = Rates.of(whole, hundredths)
    for top, left, bottom, right in tiles(*pixels.shape[:2]):
        rows, columns = (slice(max(0, start - halo), stop + halo) for start, stop in ((top, bottom), (left, right)))
        images = torch.from_numpy(padded(pixels[rows, columns])).permute(2, 0, 1)[None].to(device).float() / 255
        with torch.no_grad():
            coarse, fine = model.analyse(images)
        a, b = (top - rows.start) // STRIDE, (left - columns.start) // STRIDE
        h, w = -(-(bottom - top) // STRIDE), -(-(right - left) // STRIDE)
        coarse, fine = coarse[:, :, a : a + h, b : b + w], fine[:, :, 2 * a : 2 * (a + h), 2 * b : 2 * (b + w)]
        writing = Writing(model, rates, coarse, fine, measured=measured)
        walk(whole, rates, writing, h, w)
        yield (top, left, bottom, right), writing


def decode(model: PhotoCodec, payload: bytes) -> np.ndarray:
    """The picture of a payload, uint8 (h, w, 3).

    Raises:
        ValueError: the payload is damaged, or of a later version.
    """
    payload = checked(payload)
    height, width, hundredths, at = read_header(payload)
    whole, device = exact(model), next(model.parameters()).device
    rates = Rates.of(whole, hundredths)
    grid_h, grid_w = -(-height // STRIDE), -(-width // STRIDE)
    coarse = torch.empty(1, model.coarse, grid_h, grid_w)
    fine = torch.empty(1, model.fine, 2 * grid_h, 2 * grid_w)
    for top, left, bottom, right in tiles(height, width):
        a, b, c, d = top // STRIDE, left // STRIDE, -(-bottom // STRIDE), -(-right // STRIDE)
        reader = Reader(payload, at)
        low, high = walk(whole, rates, Reading(reader), c - a, d - b)
        at = reader.finish()
        coarse[:, :, a:c, b:d] = low * rates.back[:, : model.coarse]
        fine[:, :, 2 * a : 2 * c, 2 * b : 2 * d] = high * rates.back[:, model.coarse :]
    if at != len(payload):
        raise ValueError(DAMAGED)
    pixels = np.empty((height, width, 3), np.uint8)
    halo = -(-model.sight // STRIDE)
    for top, left, bottom, right in tiles(height, width):
        a, b = max(0, top // STRIDE - halo), max(0, left // STRIDE - halo)
        c, d = -(-bottom // STRIDE) + halo, -(-right // STRIDE) + halo
        with torch.no_grad():
            found = model.synthesise(
                coarse[:, :, a:c, b:d].to(device), fine[:, :, 2 * a : 2 * c, 2 * b : 2 * d].to(device)
            )[0]
        found = found[:, top - a * STRIDE : bottom - a * STRIDE, left - b * STRIDE : right - b * STRIDE]
        pixels[top:bottom, left:right] = found.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
    return pixels


def read_header(payload: bytes) -> tuple[int, int, int, int]:
    """Height, width, quality in hundredths, and where the tiles start.

    Raises:
        ValueError: another version, impossible sides, or fewer bytes than such a picture must have.
    """
    if len(payload) < HEADER.size:
        raise ValueError(DAMAGED)
    version, hundredths = HEADER.unpack_from(payload)
    if version != VERSION:
        raise ValueError(f"The compressed picture is of version {version}; this is version {VERSION}: update GenLab.")
    height, at = read_varint(payload, HEADER.size)
    width, at = read_varint(payload, at)
    fewest = 2 * -(-height // TILE) * -(-width // TILE)  # bytes: the two lengths of each tile
    if not sides_allowed(height, width) or not 100 <= hundredths <= 10_000 or len(payload) - at < fewest:
        raise ValueError(DAMAGED)
    return height, width, hundredths, at


def sides_allowed(height: int, width: int) -> bool:
    return 1 <= height <= LONGEST and 1 <= width <= LONGEST and height * width <= LARGEST


def tiles(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Top, left, bottom, right of every tile, row by row."""
    return [
        (top, left, min(top + TILE, height), min(left + TILE, width))
        for top in range(0, height, TILE)
        for left in range(0, width, TILE)
    ]


def padded(pixels: np.ndarray) -> np.ndarray:
    """Sides filled up to multiples of 16 with edge pixels."""
    bottom, right = (-side % STRIDE for side in pixels.shape[:2])
    return np.pad(pixels, ((0, bottom), (0, right), (0, 0)), mode="edge")


class Writing:
    """Rounds latents and hands them to a Writer, in the order of `walk`; if measured, notes what each place cost."""

    shows = False

    def __init__(self, model: PhotoCodec, rates: Rates, coarse: Tensor, fine: Tensor, *, measured: bool):
        spreads, c = model.spread[None, :, None, None], model.coarse
        low, high = coarse / spreads[:, :c], fine / spreads[:, c:]
        bottom, right = (-side % 4 for side in low.shape[2:])
        low = F.pad(low, (0, right, 0, bottom), mode="replicate")
        high = F.pad(high, (0, 2 * right, 0, 2 * bottom), mode="replicate")
        self.writer, self.measured, self.bits = Writer(), measured, np.zeros(coarse.shape[2:])
        with torch.no_grad():
            hyper = model.hyper_encode(low, high, rates.level.to(low))
        self.wanted = {
            "hyper": hyper.cpu().double(),
            "coarse": coarse.cpu() * rates.gain[:, :c],
            "fine": fine.cpu() * rates.gain[:, c:],
        }

    def __call__(self, name: str, mean: Tensor, index: np.ndarray, places: np.ndarray) -> Tensor:
        wanted = self.wanted[name][0].flatten(1).numpy().take(np.flatnonzero(places), 1)
        apart = np.subtract(wanted, mean.numpy(), out=wanted)
        values = (
            np.where(index > 0, np.rint(apart), 0).astype(np.int64)
            if name == "hyper"
            else thrifty(apart, index, CENTRES)
        )
        self.writer.put(values.ravel(), index.ravel())
        if self.measured:
            self._pay(name, cost(values, index), places)
        return torch.from_numpy(values.astype(np.float64))

    def _pay(self, name: str, bits: np.ndarray, places: np.ndarray) -> None:
        paid, (rows, columns) = np.zeros(places.shape), self.bits.shape
        paid[places] = bits.sum(0)
        if name == "hyper":
            paid = paid.repeat(4, 0).repeat(4, 1)[:rows, :columns] / 16
        elif name == "fine":
            paid = paid.reshape(rows, 2, columns, 2).sum((1, 3))
        self.bits += paid


class Reading:
    """Takes the same numbers from a Reader."""

    shows = True

    def __init__(self, reader: Reader):
        self.reader = reader

    def __call__(self, name: str, mean: Tensor, index: np.ndarray, places: np.ndarray) -> Tensor:
        values = self.reader.take(index.ravel()).reshape(index.shape)
        return torch.from_numpy(values.astype(np.float64))


@torch.no_grad()
def walk(whole: PhotoCodec, rates: Rates, visit, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Go through the latents of a tile in the order they are coded; both sides run this.

    Args:
        visit: (name, means (k, places), table numbers (k, places), places (h, w)) -> whole numbers (k, places);
            `shows` where what is returned will be looked at.
        height, width: of the coarse latents.

    Returns:
        Coarse (1, coarse, height, width) and fine (1, fine, 2 height, 2 width) latents to show, gains still in them.
    """

    def go(name, mean, log_scale, places, where, got, shown):
        mean, index = mean[0, ..., 0], indices(log_scale[0, ..., 0].numpy())
        values = visit(name, mean, index, places)
        found = mean + values
        got[0].flatten(1).index_copy_(1, where, found)
        if visit.shows:
            off = values.sign_().mul_(torch.from_numpy(CENTRES[index]))
            shown[0].flatten(1).index_copy_(1, where, found.add_(off))

    def both(name, first, second, low, high, h, w):
        unit, base = rates.unit[:, low:high], rates.base[:, low:high]
        got, shown = (torch.zeros(1, high - low, h, w, dtype=torch.float64) for _ in range(2))
        even = checkerboard(got)[0, 0].bool().numpy()
        for places in (even, ~even):
            where = torch.from_numpy(np.flatnonzero(places))
            if len(where):
                told = first(where) if places is even else second(to_grid((got / unit).clamp(-16, 16)), where)
                mean, scale = told.chunk(2, 1)
                go(name, mean * unit, base + scale, places, where, got, shown)
        return got, shown

    c, rows, columns = whole.coarse, -(-height // 4), -(-width // 4)
    z = torch.zeros(1, rates.hyper_mean.shape[1], rows, columns, dtype=torch.float64)
    all_of_them, mean = np.ones((rows, columns), bool), rates.hyper_mean.expand(-1, -1, rows * columns, 1)
    scale, everywhere = rates.hyper_scale.expand_as(mean), torch.arange(rows * columns)
    go("hyper", mean, scale, all_of_them, everywhere, z, z.clone())
    h = whole.hyper_decode(to_grid(z), rates.level)[:, :, :height, :width]
    coarse, shown_coarse = both(
        "coarse", lambda at: whole.coarse_first(chosen(h, at)), functools.partial(whole.coarse_second, h),
        0, c, height, width,
    )  # fmt: skip
    known = to_grid((coarse / rates.unit[:, :c]).clamp(-16, 16))
    g = whole.fine_features(h, known)
    _, shown_fine = both(
        "fine", lambda at: whole.fine_first(chosen(g, at)), functools.partial(whole.fine_second, g),
        c, c + whole.fine, 2 * height, 2 * width,
    )  # fmt: skip
    return shown_coarse, shown_fine
