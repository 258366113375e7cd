"""Parts of a picture: hashes of sub-windows, so that a cut-out is found and its place in the whole is known.

A stored picture is scaled to a shorter side of 128, and windows of 64 x 64 are hashed on a grid of 21: 64 bits each,
the 8 x 8 lowest frequencies against their median, which forgive a shift of three hundredths. A cut-out of unknown
scale is looked through in many scales in steps of two pixels. Two windows that agree say which rectangle of the stored
picture the cut-out would be; rectangles that most windows agree on are compared with the thumbnail, which decides.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from audits.provenance.perceptual import luma

SHORT = 128  # pixels of a stored picture's shorter side
SIDE = 64  # of a window
GRID = 21  # between stored windows
MOST = 24  # windows of a stored picture
LOW = 8
SCALES = tuple(round(SIDE * 2 ** (i / 14)) for i in range(15))  # shorter sides of a cut-out: half to all of the whole
STEP = 2
LONGEST = 4  # times longer than wide: beyond that nothing is looked for
CONTRAST = 6.0  # standard deviation of luma below which a window is too flat to hash
COMPARED = 48  # pixels a side at which a cut-out and a thumbnail are compared
FINE = ((0.04, 0.03), (0.015, 0.012), (0.006, 0.005), (0.003, 0.002))  # steps of place and size, to find where it fits


@dataclass(frozen=True)
class Windows:
    """Hashes (n,) uint64 and where they are: left, top and side (n,) in parts of the picture's shorter side."""

    hashes: np.ndarray
    left: np.ndarray
    top: np.ndarray
    side: np.ndarray


@dataclass(frozen=True)
class Rectangle:
    """A part of a stored picture: left, top and shorter side, in parts of that picture's shorter side."""

    left: float
    top: float
    side: float


def stored_windows(pixels: np.ndarray) -> Windows:
    """The windows of a picture that go into the ledger, at most 24."""
    return _windows(luma(pixels), SHORT, GRID, MOST)


def scanned_windows(pixels: np.ndarray) -> Windows:
    """Every window of a cut-out, in all scales."""
    grey = luma(pixels)
    parts = [_windows(grey, short, STEP, 10**6) for short in SCALES]
    return Windows(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("hashes", "left", "top", "side")))


def rectangle(cut: Windows, i: np.ndarray, stored: Windows, j: np.ndarray) -> tuple[np.ndarray, ...]:
    """(left, top, side) that the cut-out would have where its windows i are the stored windows j."""
    scale = stored.side[j] / cut.side[i]
    return stored.left[j] - cut.left[i] * scale, stored.top[j] - cut.top[i] * scale, scale


@dataclass(frozen=True)
class Fit:
    """How far a cut-out is a part of a picture: correlations of luma and of its slopes, and where it fits best.

    Luma follows large shapes, which two pieces of clothing share; slopes follow what is drawn on them.
    """

    luma: float
    slopes: float
    place: Rectangle


def fitted(pixels: np.ndarray, thumbnail: np.ndarray, place: Rectangle) -> Fit:
    """The cut-out laid on the picture, moved a little from `place` to where it fits best.

    Args:
        pixels: the cut-out.
        thumbnail: the whole, small.
    """
    from PIL import Image

    grey = luma(pixels)
    tall, wide = grey.shape
    cut = _reduced(Image.fromarray(np.ascontiguousarray(grey)), (0, 0, wide, tall))
    mine = _levelled(cut)
    whole = Image.fromarray(np.ascontiguousarray(luma(thumbnail)))
    unit = min(whole.size)
    longer = wide / min(tall, wide), tall / min(tall, wide)

    def part(at: Rectangle) -> np.ndarray | None:
        left, top = at.left * unit, at.top * unit
        box = (left, top, left + at.side * longer[0] * unit, top + at.side * longer[1] * unit)
        box = (max(0.0, box[0]), max(0.0, box[1]), min(whole.width, box[2]), min(whole.height, box[3]))
        if box[2] - box[0] < 8 or box[3] - box[1] < 8:
            return None
        return _reduced(whole, box)

    def score(at: Rectangle) -> float:
        there = part(at)
        return -1.0 if there is None else float((mine * _levelled(there)).sum())

    best, most = place, score(place)
    for shift, grow in FINE:
        for _ in range(3):
            moved = [
                Rectangle(best.left + dx * shift, best.top + dy * shift, best.side * (1 + ds * grow))
                for dx, dy, ds in ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (-0.5, -0.5, 1), (0.5, 0.5, -1))
            ]
            scores = [score(place) for place in moved]
            if max(scores) <= most:
                break
            most, best = max(scores), moved[int(np.argmax(scores))]
    there = part(best)
    slopes = -1.0 if there is None else float((_levelled(_slopes(cut)) * _levelled(_slopes(there))).sum())
    return Fit(most, slopes, best)


def whole_slopes(pixels: np.ndarray, thumbnail: np.ndarray) -> float:
    """Correlation of slopes of two whole pictures at 48 pixels a side: what drawings of one kind do not share."""
    from PIL import Image

    both = []
    for picture in (pixels, thumbnail):
        image = Image.fromarray(np.ascontiguousarray(luma(picture)))
        both.append(_levelled(_slopes(_reduced(image, (0, 0, *image.size)))))
    return float((both[0] * both[1]).sum())


def _reduced(image, box: tuple[float, ...]) -> np.ndarray:
    """A part of a luma image at (48, 48)."""
    from PIL import Image

    return np.asarray(image.resize((COMPARED, COMPARED), Image.Resampling.BILINEAR, box=box))


def _slopes(small: np.ndarray) -> np.ndarray:
    """Differences across two pixels, each way."""
    return np.stack([small[1:-1, 2:] - small[1:-1, :-2], small[2:, 1:-1] - small[:-2, 1:-1]])


def _levelled(values: np.ndarray) -> np.ndarray:
    """The values with their mean taken off, of length 1."""
    values = values - values.mean()
    return values / max(float(np.linalg.norm(values)), 1e-6)


def _windows(grey: np.ndarray, short: int, step: int, most: int) -> Windows:
    small = _scaled(grey, short)
    tall, wide = small.shape
    if max(tall, wide) > LONGEST * min(tall, wide):
        return Windows(np.empty(0, np.uint64), *(np.empty(0) for _ in range(3)))
    tops, lefts = np.arange(0, tall - SIDE + 1, step), np.arange(0, wide - SIDE + 1, step)
    across = small @ _moved_cosines(wide, step).T  # (tall, x 8)
    both = (_moved_cosines(tall, step) @ across).reshape(len(tops), LOW, len(lefts), LOW)
    flat = both.transpose(0, 2, 1, 3).reshape(-1, LOW * LOW)
    middle = LOW * LOW // 2 - 1
    bits = flat > np.partition(flat, middle, axis=1)[:, middle, None]  # as above the median, which lies next to it
    hashes = np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)
    top, left = (a.ravel() for a in np.meshgrid(tops, lefts, indexing="ij"))
    telling = np.sqrt((flat**2).sum(1)) / SIDE > CONTRAST  # Parseval: the deviation that these frequencies make
    kept = np.flatnonzero(telling)[:most]
    return Windows(hashes[kept], left[kept] / short, top[kept] / short, np.full(len(kept), SIDE / short))


def _scaled(grey: np.ndarray, short: int) -> np.ndarray:
    """Luma under a tent filter to a shorter side of so many pixels, the shape kept."""
    from PIL import Image

    tall, wide = grey.shape
    scale = short / min(tall, wide)
    size = (max(short, round(wide * scale)), max(short, round(tall * scale)))
    return np.asarray(Image.fromarray(np.ascontiguousarray(grey)).resize(size, Image.Resampling.BILINEAR))


@functools.cache
def _cosines() -> np.ndarray:
    k, n = np.arange(1, LOW + 1)[:, None], np.arange(SIDE)[None]
    return (np.sqrt(2 / SIDE) * np.cos(np.pi / (2 * SIDE) * k * (2 * n + 1))).astype(np.float32)


@functools.lru_cache(maxsize=32)
def _moved_cosines(length: int, step: int) -> np.ndarray:
    """The cosines of windows that begin at 0, `step`, 2 `step`... of so many pixels: (windows times 8, length)."""
    starts = range(0, length - SIDE + 1, step)
    moved = np.zeros((len(starts), LOW, length), np.float32)
    for row, start in zip(moved, starts, strict=True):
        row[:, start : start + SIDE] = _cosines()
    return moved.reshape(-1, length)
