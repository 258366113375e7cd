"""Archives of a learned codec for small pictures of one kind: `encode` and `decode` of all items at once.

One stream holds the same place of every item, then the next place; an archive costs a few bytes beside its items. The
entropy model runs on whole numbers (`exact.py`), so an archive can be read in any batch, with any number of threads.
"""

import copy
import functools
import struct
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from genlab.codec.tables import DAMAGED, Reader, Writer, checked, indices, read_varint, varint, with_check
from genlab.models.exact import exact_gains, exact_layers, to_grid
from genlab.models.item_codec import BEFORE, REACH, ItemCodec
from genlab.models.layers import in_micro_batches
from genlab.models.rates import along

VERSION, MOST = 1, 2**20  # items of an archive
HEADER = struct.Struct("<BH")  # version, quality in hundredths
BATCH = 64


@functools.lru_cache(maxsize=4)
def exact(model: ItemCodec) -> ItemCodec:
    """A copy of the model in float64 on the CPU whose entropy model is exact. The model must not change any more."""
    whole = copy.deepcopy(model).cpu().double().requires_grad_(False)
    whole.context = exact_layers(whole.context)
    whole.place.copy_(to_grid(whole.place))
    exact_gains(whole.log_gain), exact_gains(whole.log_back)
    return whole


def encode(model: ItemCodec, items: np.ndarray, quality: float) -> bytes:
    """The archive of items, uint8 (n, c, h, w), at a quality from 1 to 100.

    Raises:
        ValueError: items of another shape, too many of them, or no such quality.
    """
    if (
        items.dtype != np.uint8
        or items.ndim != 4
        or tuple(items.shape[1:]) != model.shape
        or not 0 < len(items) <= MOST
    ):
        raise ValueError(
            f"Items are uint8 (n, {', '.join(map(str, model.shape))}); {items.dtype} {items.shape} was given."
        )
    if not 1 <= quality <= 100:
        raise ValueError(f"Quality is a number from 1 to 100; {quality!r} was given.")
    hundredths, whole, device = round(quality * 100), exact(model), next(model.parameters()).device
    images = torch.from_numpy(items)
    with torch.no_grad():
        parts = [
            in_micro_batches(model.analyse, part.to(device).float() / 255, size=BATCH).cpu()
            for part in images.split(1024)
        ]
    level = level_of(whole, hundredths)
    wanted, writer = torch.cat(parts).double() * along(whole.log_gain, level)[:, :, None, None], Writer()

    def visit(mean: Tensor, index: np.ndarray, row: int, column: int) -> Tensor:
        apart = (wanted[:, :, row, column] - mean).numpy()
        values = np.where(index > 0, np.rint(apart), 0).astype(np.int64)
        writer.put(values.ravel(), index.ravel())
        return torch.from_numpy(values.astype(np.float64))

    walk(whole, level, visit, len(items))
    return with_check(HEADER.pack(VERSION, hundredths) + varint(len(items)) + writer.finish())


def decode(model: ItemCodec, payload: bytes) -> np.ndarray:
    """The items of an archive, uint8 (n, c, h, w).

    Raises:
        ValueError: the archive is damaged, or of a later version.
    """
    payload = checked(payload)
    if len(payload) < HEADER.size:
        raise ValueError(DAMAGED)
    version, hundredths = HEADER.unpack_from(payload)
    if version != VERSION:
        raise ValueError(f"The archive is of version {version}; this is version {VERSION}: update GenLab.")
    count, at = read_varint(payload, HEADER.size)
    if not 0 < count <= min(MOST, 64 * len(payload)) or not 100 <= hundredths <= 10_000:
        raise ValueError(DAMAGED)
    whole, device, reader = exact(model), next(model.parameters()).device, Reader(payload, at)

    def visit(mean: Tensor, index: np.ndarray, row: int, column: int) -> Tensor:
        return torch.from_numpy(reader.take(index.ravel()).reshape(index.shape).astype(np.float64))

    level = level_of(whole, hundredths)
    latents = walk(whole, level, visit, count) * along(whole.log_back, level)[:, :, None, None]
    if reader.finish() != len(payload):
        raise ValueError(DAMAGED)
    found = np.empty((count, *model.shape), np.uint8)
    for start in range(0, count, 1024):
        with torch.no_grad():
            part = in_micro_batches(model.synthesise, latents[start : start + 1024].float().to(device), size=BATCH)
        found[start : start + 1024] = part.clamp(0, 1).mul(255).round().byte().cpu().numpy()
    return found


def level_of(model: ItemCodec, hundredths: int) -> Tensor:
    return torch.tensor([(hundredths - 100) / 9900 * (model.levels - 1)], dtype=torch.float64)


@torch.no_grad()
def walk(whole: ItemCodec, level: Tensor, visit: Callable[..., Tensor], count: int) -> Tensor:
    """Go through the latents in the order they are coded; both sides run this.

    Args:
        visit: (means (count, latents), table numbers of the same shape, row, column) -> whole numbers.

    Returns:
        Latents (count, latents, rows, columns) as decoded, gains still in them.
    """
    rows, columns = whole.grid
    gain, base = along(whole.log_gain, level), along(whole.log_scale, level)
    k, side = whole.latents, 2 * REACH + 1
    got = torch.zeros(count, k, rows, columns, dtype=torch.float64)
    seen = torch.zeros(count, k, rows + 2 * REACH, columns + 2 * REACH, dtype=torch.float64)
    for row in range(rows):
        for column in range(columns):
            around = seen[:, :, row : row + side, column : column + side].flatten(2)[:, :, BEFORE]
            place = whole.place[row * columns + column].expand(count, -1)
            found = whole.predict(around.transpose(1, 2).flatten(1), place, level.expand(count))
            mean, scale = (found[:, :k] * gain), found[:, k:] + base
            got[:, :, row, column] = mean + visit(mean, indices(scale.numpy()), row, column)
            seen[:, :, row + REACH, column + REACH] = to_grid((got[:, :, row, column] / gain).clamp(-16, 16))
    return got
