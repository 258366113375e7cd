"""A keyed mark in the noise that a diffusion model starts from: nothing is added to the picture, and nothing lost.

Noise is symmetric, so its signs may be chosen without changing its law: g is replaced by |g| s with secret signs s,
each +1 or -1 with probability 1/2, and what comes out is standard normal again (the one-bit case of Yang et al. 2024,
"Gaussian Shading", section 4.2). A picture so made is a draw of the model like any other; nobody without the key can
tell it from one, nor many from as many others while every picture has signs of its own. There are `NONCES` sets of
signs under a key, so among some hundred pictures two share theirs: whoever could go back to their noise might see it.

To read it, a picture is walked back to its noise x by the model that made it. Under a key that had no part in it the
signs are independent of x, so by Hoeffding's inequality P(s.x / |x| >= t) <= exp(-t^2 / 2) whatever x is. All sets of
signs, pictures and keys that are tried are paid for by Bonferroni.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audits.watermark.streams import WatermarkError, derive

NONCES = 2**16
LARGEST = 2**12  # numbers of one picture's noise: with more, to compare all sets of signs takes seconds
BLOCK = 2**13  # sets of signs that are compared at a time
RATE = 1e-6  # false positives: above it no nonce is reported


@dataclass(frozen=True)
class Shade:
    """What was found in a picture's noise, or in several pictures'.

    Attributes:
        p_value: the chance of at least this much under a key that marked nothing, Bonferroni over all that was tried.
        tried: sets of signs that the p-value pays for.
        nonces: (row, nonce) of each row of noise that is marked by itself.
    """

    p_value: float
    tried: int
    nonces: tuple[tuple[int, int], ...]


def signs(key: bytes, nonces: Sequence[int], size: int) -> np.ndarray:
    """Signs for the first noise of pictures, int8 of +1 and -1, (n, size): the same ones for the same nonce.

    Raises:
        WatermarkError: a nonce outside 0 to 65,535, a key below 16 bytes, or a size outside 1 to 4,096.
    """
    if any(not 0 <= nonce < NONCES for nonce in nonces):
        raise WatermarkError(f"A nonce is a whole number from 0 to {NONCES - 1:,}.")
    return _unpacked(_packed(key, size)[np.asarray(nonces, dtype=np.int64)], size)


def detect(noise: np.ndarray, keys: Sequence[bytes]) -> Shade:
    """Look for the signs of any of these keys in noise (n, size), a row a picture; any numbers that were computed
    without the key will do, and those that tell nothing are best set to 0.

    Raises:
        WatermarkError: no key, or noise of another shape.
    """
    if not keys:
        raise WatermarkError("At least one key is needed to look for a mark.")
    if noise.ndim != 2:
        raise WatermarkError(f"Noise has shape (pictures, numbers); {noise.shape} was given.")
    rows, size = noise.shape
    tried = rows * len(keys) * NONCES
    lengths = np.linalg.norm(noise, axis=1)
    x = np.divide(noise, lengths[:, None], out=np.zeros(noise.shape), where=lengths[:, None] > 0).astype(np.float32)
    best, found = np.full(rows, -np.inf), np.zeros(rows, dtype=np.int64)
    for key in keys:
        packed = _packed(key, size)
        for start in range(0, NONCES, BLOCK):
            scores = _unpacked(packed[start : start + BLOCK], size).astype(np.float32) @ x.T
            top = scores.argmax(0)
            values = scores[top, np.arange(rows)]
            found = np.where(values > best, start + top, found)
            best = np.maximum(best, values)
    bounds = [min(1.0, tried * math.exp(-(max(0.0, float(t)) ** 2) / 2)) for t in best]
    marked = tuple((row, int(found[row])) for row, bound in enumerate(bounds) if bound <= RATE)
    return Shade(min(bounds, default=1.0), tried, marked)


@functools.lru_cache(maxsize=4)
def _packed(key: bytes, size: int) -> np.ndarray:
    """Every nonce's signs as bits, (65,536, bytes): the output of SHAKE-256 under the key."""
    if not 1 <= size <= LARGEST:
        raise WatermarkError(f"A picture's noise has 1 to {LARGEST:,} numbers; {size:,} were given.")
    width = -(-size // 8)
    stream = hashlib.shake_256(derive(key, f"genlab watermark 1 noise {size}", 32)).digest(NONCES * width)
    return np.frombuffer(stream, np.uint8).reshape(NONCES, width)


def _unpacked(bits: np.ndarray, size: int) -> np.ndarray:
    return 1 - 2 * np.unpackbits(bits, axis=1)[:, :size].astype(np.int8)
