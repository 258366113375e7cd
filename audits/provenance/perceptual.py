"""Perceptual hashes: 256 bits that stay close when a picture is recompressed, resized, recoloured, flipped or turned.

The hash is PDQ (Davis and Rosen, 2019): luma, a tent filter down to 64 x 64, the 16 x 16 lowest frequencies of a cosine
transform without the constant one, and a bit for each that is above their median. Flips and quarter turns only change
signs of those frequencies and transpose them, so the hashes of all eight views come from one transform.
A hash is four uint64; the distance between two is the number of bits that differ, about 128 for unrelated pictures.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

SIDE = 64  # of the filtered picture
LOW = 16  # frequencies kept each way
VIEWS = (
    *("as it is", "mirrored", "upside down", "turned by 180°"),
    *("transposed", "turned by 90°", "turned by 270°", "transposed about the other diagonal"),
)


@dataclass(frozen=True)
class Print:
    """A picture's hashes: `views` (8, 4) uint64 in the order of `VIEWS`, and `quality` from 0 (flat) to 100."""

    views: np.ndarray
    quality: int

    @property
    def upright(self) -> np.ndarray:
        """The hash of the picture as it is: (4,) uint64."""
        return self.views[0]


def luma(pixels: np.ndarray) -> np.ndarray:
    """Pixels (h, w) or (h, w, c), uint8, as float32 luma (h, w) from 0 to 255; alpha is laid on white."""
    pixels = np.asarray(pixels)
    if pixels.ndim == 2:
        return pixels.astype(np.float32)
    colours = pixels[..., :3].astype(np.float32) if pixels.shape[-1] > 2 else pixels[..., :1].astype(np.float32)
    grey = colours @ np.float32([0.299, 0.587, 0.114]) if colours.shape[-1] == 3 else colours[..., 0]
    if pixels.shape[-1] in (2, 4):
        opaque = pixels[..., -1].astype(np.float32) / 255
        grey = grey * opaque + 255 * (1 - opaque)
    return grey


def shrunk(grey: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Luma (h, w) under a tent filter down (or up) to (side, side), float32.

    Two passes of a box are a tent, and Pillow's bilinear reduction is that tent with antialiasing.
    """
    from PIL import Image

    return np.asarray(Image.fromarray(np.ascontiguousarray(grey)).resize((side, side), Image.Resampling.BILINEAR))


@functools.cache
def _cosines() -> np.ndarray:
    """(LOW, SIDE): rows are the cosine transform's frequencies 1 to 16."""
    k, n = np.arange(1, LOW + 1)[:, None], np.arange(SIDE)[None]
    return (np.sqrt(2 / SIDE) * np.cos(np.pi / (2 * SIDE) * k * (2 * n + 1))).astype(np.float32)


def hashed(small: np.ndarray) -> Print:
    """The hashes of a filtered picture (64, 64), float32 from 0 to 255."""
    d = _cosines()
    b = d @ small @ d.T
    # Frequency k is odd about the middle when k is odd: a mirrored picture flips the sign of those columns.
    flip = np.where(np.arange(1, LOW + 1) % 2, -1, 1).astype(np.float32)
    t = b.T
    views = [b, b * flip, flip[:, None] * b, flip[:, None] * b * flip]
    views += [t, flip[:, None] * t, t * flip, flip[:, None] * t * flip]
    stacked = np.stack(views).reshape(8, -1)
    bits = stacked > np.median(stacked, axis=1, keepdims=True)
    words = np.packbits(bits, axis=1).view(">u8").astype(np.uint64)
    return Print(words, quality(small))


def quality(small: np.ndarray) -> int:
    """How much there is in a filtered picture to tell it by, 0 to 100: the sum of its steps, as PDQ counts them."""
    steps = np.abs(np.diff(small, axis=0)).sum() + np.abs(np.diff(small, axis=1)).sum()
    return int(min(100, steps * 100 / 255 / 90))


def print_of(pixels: np.ndarray) -> Print:
    """The hashes of a picture: uint8 (h, w) or (h, w, c)."""
    return hashed(shrunk(luma(pixels)))


def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Bits that differ between hashes (..., 4) and (..., 4)."""
    return np.bitwise_count(np.asarray(a) ^ np.asarray(b)).sum(-1)
