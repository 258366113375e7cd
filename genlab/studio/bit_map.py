"""Where the bits of a picture go: how many each pixel costs, and each part of the file."""

from dataclasses import dataclass

import numpy as np

from genlab.codec import archive, lossless
from genlab.codec.container import Stream
from genlab.studio.compress import load


@dataclass(frozen=True)
class Spent:
    """Bits of one picture's file.

    Attributes:
        parts: names and bits; they sum to the file.
        pixels: bits of every pixel (h, w), of the part that pixels cost.
        exact: whether `pixels` is what the coder paid, or an estimate.
    """

    parts: tuple[tuple[str, float], ...]
    pixels: np.ndarray
    exact: bool


def spent(file: bytes, item: np.ndarray) -> Spent:
    """Where the bits of a file go that holds this one picture (h, w, c)."""
    (stream,) = archive.read(file).streams
    payload = 8 * len(stream.payload)
    header = 8 * len(file) - payload
    if stream.kind == "bits-back":
        return _bits_back(stream, item, header, payload)
    if stream.kind == "autoregressive":
        costs = lossless.coder_of(load(stream.model).model).costs(item.transpose(2, 0, 1))
        rest = ("the coder's whole words", payload - costs.sum())
        return Spent((("headers and checksums", header), ("pixels", float(costs.sum())), rest), costs, True)
    costs = predicted(item)
    costs *= payload / max(costs.sum(), 1e-9)
    return Spent((("headers and checksums", header), ("pixels", payload)), costs, False)


def _bits_back(stream: Stream, item: np.ndarray, header: float, payload: float) -> Spent:
    costs = lossless.coder_of(load(stream.model).model).costs(stream.payload)
    pixels = float(costs["pixels"].sum())
    parts = [("headers and checksums", header), *((name, bits) for name, bits in costs.items() if name != "pixels")]
    parts = [(name, float(bits)) for name, bits in parts] + [("pixels, given the latents", pixels)]
    parts.append(("the coder's own header, and whole words", payload + header - sum(bits for _, bits in parts)))
    return Spent(tuple(parts), costs["pixels"].reshape(item.shape[:2]), True)


def predicted(item: np.ndarray) -> np.ndarray:
    """An estimate (h, w): the bits of what is left after predicting each pixel from its left and upper neighbours.

    The prediction is that of LOCO-I (Weinberger, Seroussi and Sapiro 2000, equation 1), the bits those of an ideal code
    that knows how often each difference comes in the picture.
    """
    x = item.astype(np.int16)
    left, up, corner = (np.zeros_like(x) for _ in range(3))
    left[:, 1:], up[1:], corner[1:, 1:] = x[:, :-1], x[:-1], x[:-1, :-1]
    low, high = np.minimum(left, up), np.maximum(left, up)
    guess = np.where(corner >= high, low, np.where(corner <= low, high, left + up - corner))
    rest = (x - guess) % 256
    counts = np.bincount(rest.ravel(), minlength=256)
    return -np.log2(counts[rest] / rest.size).sum(2)
