"""Stacks of bits, last in, first out: the entropy coder under bits-back coding (ANS: Duda 2013)."""

import constriction
import numpy as np

from genlab.codec.container import Reader, varint

AnsCoder = constriction.stream.stack.AnsCoder


class PayloadError(ValueError):
    """The payload is not one that this model wrote; the message is one sentence."""


class Stacks:
    """The two stacks of bits: of pixels, from which posteriors take theirs, and of latents."""

    def __init__(self, pixels: AnsCoder | None = None, latents: AnsCoder | None = None):
        self.pixels, self.latents = pixels or AnsCoder(), latents or AnsCoder()

    @classmethod
    def of(cls, raw: bytes) -> "Stacks":
        """What `to_bytes` wrote; PayloadError where it cannot have."""
        reader = Reader(raw)
        first = 4 * reader.varint(len(raw) // 4)
        parts = [reader.take(first), raw[reader.at :]]
        try:
            return cls(*(AnsCoder(np.frombuffer(part, "<u4").astype(np.uint32)) for part in parts))
        except ValueError:
            raise PayloadError("The coded pictures are cut short or damaged.") from None

    def to_bytes(self) -> bytes:
        words = [stack.get_compressed().astype("<u4").tobytes() for stack in (self.pixels, self.latents)]
        return varint(len(words[0]) // 4) + b"".join(words)

    def copy(self) -> "Stacks":
        return Stacks(self.pixels.clone(), self.latents.clone())

    @property
    def bits(self) -> int:
        return self.pixels.num_valid_bits() + self.latents.num_valid_bits()

    @property
    def empty(self) -> bool:
        return self.pixels.is_empty() and self.latents.is_empty()
