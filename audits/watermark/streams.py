"""Secret signs and short authentication codes, drawn from one key by HKDF-SHA256 (RFC 5869) and a label each."""

from __future__ import annotations

import functools
import hashlib
import hmac

import numpy as np

SHORTEST = 16  # bytes of a key


class WatermarkError(ValueError):
    """A mark cannot be written or sought; the message is a single sentence."""


@functools.lru_cache(maxsize=64)
def derive(key: bytes, label: str, length: int) -> bytes:
    """`length` bytes (at most 8,160) that nobody without the key can tell from random ones."""
    if not isinstance(key, bytes) or len(key) < SHORTEST:
        raise WatermarkError(f"A watermark key is bytes, at least {SHORTEST} of them.")
    extracted = hmac.new(bytes(32), key, hashlib.sha256).digest()
    block, found = b"", b""
    for count in range(1, -(-length // 32) + 1):
        block = hmac.new(extracted, block + label.encode() + bytes([count]), hashlib.sha256).digest()
        found += block
    return found[:length]


def signs(key: bytes, label: str, count: int) -> np.ndarray:
    """`count` secret signs, float32 of +1 and -1."""
    bits = np.unpackbits(np.frombuffer(derive(key, label, -(-count // 8)), np.uint8))
    return 1 - 2 * bits[:count].astype(np.float32)


def tag(key: bytes, message: bytes, bits: int) -> int:
    """The first `bits` bits (at most 64) of an HMAC of the message."""
    digest = hmac.new(derive(key, "genlab watermark 1 tag", 32), message, hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - bits)
