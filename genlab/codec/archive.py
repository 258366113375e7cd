"""Pictures to a `.glz` file and back: who codes which, in the order they were given."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from genlab.codec import classical, lossless, with_loss
from genlab.codec.container import ITEMS, PIXELS, Archive, ContainerError, Stream, checksum, read, write
from genlab.codec.lossless import Learned, Tick
from genlab.codec.names import safe_names


@dataclass(frozen=True)
class Limits:
    """How much a file may ask of whoever decodes it; checked before anything is decoded.

    Attributes:
        learned: pictures that models decode, a tenth of a second each.
    """

    pictures: int = ITEMS
    pixels: int = PIXELS
    learned: int = ITEMS

    def check(self, held: Archive) -> None:
        """Raises ContainerError, in one sentence, where a file holds more."""
        found = {
            "pictures": len(held.names),
            "pixels": sum(h * w for h, w, _ in held.shapes),
            "pictures for a model to decode": sum(len(s.shapes) for s in held.streams if s.model),
        }
        for (what, count), most in zip(found.items(), (self.pictures, self.pixels, self.learned), strict=True):
            if count > most:
                raise ContainerError(f"The file holds {count:,} {what}; {most:,} are allowed here.")


@dataclass(frozen=True)
class Decoded:
    """What a file held.

    Attributes:
        names: safe and distinct, without endings.
        items: uint8 (h, w, c).
        claims: a signed claim for each, b"" where there is none.
        coders: how each was coded, in words.
        lossy: whether any was coded with a loss.
        exact: whether the pixels are those that the encoder decoded; always true without loss.
    """

    names: tuple[str, ...]
    items: tuple[np.ndarray, ...]
    claims: tuple[bytes, ...]
    coders: tuple[str, ...]
    lossy: bool
    exact: bool


def encode(
    names: Sequence[str],
    items: Sequence[np.ndarray],
    *,
    models: Sequence[Learned] = (),
    quality: float | None = None,
    claims: Callable[[Sequence[np.ndarray]], Sequence[bytes]] | None = None,
    progress: Tick | None = None,
) -> bytes:
    """A file of pictures uint8 (h, w, c), c from 1 to 4.

    Args:
        models: those that may code; a likelihood without `quality`, a lossy codec with it.
        quality: for a loss; None brings every pixel back.
        claims: given the pixels as they will come back, a signed claim for each or b"".

    Raises:
        ValueError: one sentence.
    """
    if quality is None:
        streams = [lossless.encode(run, models, progress=progress) for run in _runs(items, models)]
        back = list(items)
    else:
        coded = [with_loss.encode(run, models, quality) for run in with_loss.runs(items, models)]
        streams, back = [stream for stream, _ in coded], [item for _, part in coded for item in part]
    held = tuple(claims(back)) if claims else ()
    return write(Archive(safe_names(names), tuple(streams), checksum(back), held))


def _runs(items: Sequence[np.ndarray], models: Sequence[Learned]) -> Iterator[list[np.ndarray]]:
    """Pictures one after the other that the same coders take: of a model's shape, or of any other."""
    shapes = {lossless.shape_of(learned.model) for learned in models}
    for _, run in groupby(items, key=lambda item: item.shape if item.shape in shapes else None):
        yield list(run)


def decode(
    raw: bytes, load: Callable[[str], Learned], *, limits: Limits | None = None, progress: Tick | None = None
) -> Decoded:
    """The pictures of a file.

    Args:
        load: a model by name; raises ValueError in one sentence where there is none.

    Raises:
        ValueError: the file is damaged, or the model is missing or another one; one sentence.
    """
    held = read(raw)
    (limits or Limits()).check(held)
    items, coders = [], []
    for stream in held.streams:
        model = _model_of(stream, load)
        if stream.kind == "lossy":
            items += with_loss.decode(stream, model)
        else:
            items += lossless.decode(stream, model, progress=progress)
        coders += [words(stream)] * len(stream.shapes)
    lossy = any(stream.kind == "lossy" for stream in held.streams)
    exact = checksum(items) == held.checksum
    if not exact and not lossy:
        raise ContainerError(
            "The pictures that came out are not those that went in: this machine computes otherwise than the one that "
            "wrote the file, or its model is another."
        )
    return Decoded(held.names, tuple(items), held.claims or (b"",) * len(items), tuple(coders), lossy, exact)


def _model_of(stream: Stream, load: Callable[[str], Learned]) -> Learned | None:
    if not stream.model:
        return None
    learned = load(stream.model)
    if learned.stamp != stream.weights:
        raise ContainerError(
            f"The file was written with other weights of {learned.name} ({stream.weights.hex()}; here they are "
            f"{learned.stamp.hex()}): get those."
        )
    return learned


def words(stream: Stream) -> str:
    """How a stream was coded, for people."""
    if stream.kind == "classical":
        return classical.name_of(stream.payload)
    ways = {"bits-back": "bits back", "autoregressive": "value by value"}
    return f"{stream.model}, {ways.get(stream.kind, f'quality {stream.quality:g}')}"
