"""Pictures that come back bit for bit: with a model's likelihood where that is shorter, else the best classical codec.

Every payload is decoded before it is given out, so a file that would not come back is never written.
"""

import logging
import math
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from genlab.codec import classical
from genlab.codec.container import ContainerError, Stream

log = logging.getLogger(__name__)
Tick = Callable[[], None]


class LikelihoodCoder(Protocol):
    """Codes pictures uint8 (n, c, h, w) with a model's probabilities: n >= 1, one shape."""

    shape: tuple[int, int, int]

    def encode(self, items: np.ndarray, *, progress: Tick | None = None) -> bytes: ...

    def decode(self, payload: bytes, count: int, *, progress: Tick | None = None) -> np.ndarray: ...


@dataclass(frozen=True)
class Learned:
    """A model as files name it: `weights` is the SHA-256 of its weights in hexadecimal."""

    name: str
    weights: str
    model: Any

    @property
    def stamp(self) -> bytes:
        """What a file keeps of the weights' hash."""
        return bytes.fromhex(self.weights)[:8]


_coders: "weakref.WeakKeyDictionary[Any, LikelihoodCoder]" = weakref.WeakKeyDictionary()


def kind_of(model: Any) -> str | None:
    """Which kind of stream a model writes without loss; None where it cannot.

    A family with another way to code gets its kind here and its coder in `coder_of`.
    """
    from genlab.codec import autoregressive, bits_back

    return "bits-back" if bits_back.usable(model) else "autoregressive" if autoregressive.usable(model) else None


def coder_of(model: Any) -> LikelihoodCoder:
    """The model's coder, made once.

    Raises:
        ContainerError: it has none.
    """
    kind = kind_of(model)
    if kind is None:
        raise ContainerError("This model codes no pictures without loss: only a likelihood of 8-bit values can.")
    if model not in _coders:
        from genlab.codec import autoregressive, bits_back

        _coders[model] = {"bits-back": bits_back, "autoregressive": autoregressive}[kind].Coder(model)
    return _coders[model]


def shape_of(model: Any) -> tuple[int, int, int]:
    """(height, width, channels) of the pictures that a model codes."""
    channels, height, width = model.shape
    return height, width, channels


def encode(items: Sequence[np.ndarray], models: Sequence[Learned], *, progress: Tick | None = None) -> Stream:
    """The shortest stream of pictures uint8 (h, w, c); models are tried where all pictures have their shape.

    Args:
        progress: called twice a picture and model: coded, and checked.
    """
    shapes = tuple(item.shape for item in items)
    best = Stream("classical", shapes, classical.encode(items))
    for learned in models:
        if set(shapes) != {shape_of(learned.model)}:
            continue
        stacked = np.stack(items).transpose(0, 3, 1, 2)
        payload = _checked(coder_of(learned.model), np.ascontiguousarray(stacked), learned.name, progress)
        if payload is not None and len(payload) + len(learned.name) + 9 < len(best.payload):
            best = Stream(kind_of(learned.model), shapes, payload, learned.name, learned.stamp)
    return best


def _checked(coder: LikelihoodCoder, items: np.ndarray, name: str, progress: Tick | None) -> bytes | None:
    """The payload, if it decodes to the pictures here and now."""
    payload = coder.encode(items, progress=progress)
    try:
        if np.array_equal(coder.decode(payload, len(items), progress=progress), items):
            return payload
    except ValueError as error:
        log.warning("%s does not decode what it coded (%s)", name, error)
        return None
    log.warning("%s does not decode what it coded: other pixels came back", name)
    return None


def decode(stream: Stream, learned: Learned | None, *, progress: Tick | None = None) -> list[np.ndarray]:
    """The pictures (h, w, c) of a stream.

    Raises:
        ValueError: it is damaged, or not of this model; one sentence.
    """
    if stream.kind == "classical":
        return classical.decode(stream.payload, stream.shapes)
    if learned is None or kind_of(learned.model) != stream.kind or set(stream.shapes) != {shape_of(learned.model)}:
        raise ContainerError(f"The file says that {stream.model[:60]!r} coded it, which codes no such pictures.")
    items = coder_of(learned.model).decode(stream.payload, len(stream.shapes), progress=progress)
    return list(np.ascontiguousarray(items.transpose(0, 2, 3, 1)))


def bits_per_pixel(size: int, items: Sequence[np.ndarray]) -> float:
    """Bits of a file of `size` bytes for each pixel place, whatever its channels."""
    return 8 * size / sum(math.prod(item.shape[:2]) for item in items)
