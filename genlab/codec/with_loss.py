"""Pictures that come back a little different: the smallest of what lossy codecs and the lossless ones make of them."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from genlab.codec import classical
from genlab.codec.container import ContainerError, Stream
from genlab.codec.lossless import Learned, shape_of

ITEMS, ANY = "compress_items", "compress"  # methods of the capabilities: many of one shape, or one of any


def runs(items: Sequence[np.ndarray], models: Sequence[Learned]) -> Iterator[list[np.ndarray]]:
    """Pictures one after the other that a codec takes together; every other one by itself."""
    together = {shape_of(learned.model) for learned in models if hasattr(learned.model, ITEMS)}
    keys = [item.shape if item.shape in together else i for i, item in enumerate(items)]
    for _, run in groupby(zip(keys, items, strict=True), key=lambda pair: pair[0]):
        yield [item for _, item in run]


def encode(items: Sequence[np.ndarray], models: Sequence[Learned], quality: float) -> tuple[Stream, list[np.ndarray]]:
    """A run as its smallest stream, the lossless one included, and what comes back from it.

    Raises:
        ContainerError: a picture has transparency, or nobody codes with a loss.
    """
    if not models:
        raise ContainerError("No model on the shelf codes with a loss yet: leave the quality out.")
    if any(item.shape[2] in (2, 4) for item in items):
        raise ContainerError("A picture has transparency, which the lossy codec does not keep: leave quality out.")
    best, back = Stream("classical", tuple(item.shape for item in items), classical.encode(items)), list(items)
    smallest = len(best.payload)
    for learned in models:
        for stream in _streams(items, learned, quality):
            size = len(stream.payload) + len(learned.name) + 13  # of the header
            if size < smallest:
                best, smallest, back = stream, size, decode(stream, learned)
    return best, back


def _streams(items: Sequence[np.ndarray], learned: Learned, quality: float) -> Iterator[Stream]:
    """What one model makes of a run."""
    model = learned.model
    if hasattr(model, ITEMS) and {item.shape for item in items} == {shape_of(model)}:
        stacked = np.ascontiguousarray(np.stack(items).transpose(0, 3, 1, 2))
        payload, shapes = model.compress_items(stacked, quality=quality), tuple(item.shape for item in items)
        yield Stream("lossy", shapes, payload, learned.name, learned.stamp, quality)
    if hasattr(model, ANY) and len(items) == 1:
        h, w, _ = items[0].shape
        rgb = np.ascontiguousarray(np.broadcast_to(items[0], (h, w, 3)))
        payload = model.compress(rgb, quality=quality)
        yield Stream("lossy", ((h, w, 3),), payload, learned.name, learned.stamp, quality)


def decode(stream: Stream, learned: Learned) -> list[np.ndarray]:
    """The pictures (h, w, c) of a stream.

    Raises:
        ValueError: it is damaged, or not of this model; one sentence.
    """
    model = learned.model
    if hasattr(model, ITEMS) and set(stream.shapes) == {shape_of(model)}:
        items = list(np.ascontiguousarray(model.decompress_items(stream.payload).transpose(0, 2, 3, 1)))
    elif hasattr(model, ANY) and len(stream.shapes) == 1:
        items = [model.decompress(stream.payload)]
    else:
        raise ContainerError(f"The file says that {stream.model[:60]!r} coded it, which codes no such pictures.")
    if any(item.dtype != np.uint8 for item in items) or tuple(item.shape for item in items) != stream.shapes:
        raise ContainerError("The file's pictures do not have the sizes that its header says.")
    return items
