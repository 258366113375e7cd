"""The seal that everything leaves with, and the one place where it is put on: one key for this installation.

Pixels are marked first, the marked file gets its manifest, and what is sealed is written to the ledger before it
leaves. A C2PA signature is salted, so sealing an item twice would give two files; the last ones are remembered, and
the same item asked for again is the same file.
"""

import functools
import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from audits.provenance import Claim, Key, Sealed, keys, pixel_marks, seal
from audits.provenance.certificates import public_certificate, signing_key_with_chain
from audits.provenance.recording import entry_of
from genlab.studio import ledger

KEPT = 64 * 2**20  # bytes of sealed media that are remembered
OWN = ("generate", "card")  # actions that no upload can have a part in

_remembered: OrderedDict[tuple[str, str, str], Sealed] = OrderedDict()
_size = 0
_lock = threading.Lock()


@dataclass(frozen=True)
class Drawn:
    """Pixels that are marked on their way into a file.

    Attributes:
        pixels: uint8 (c, h, w), or frames (n, c, h, w); below 64 pixels a side they stay as they are.
        write: those pixels -> the file.
    """

    pixels: np.ndarray
    write: Callable[[np.ndarray], bytes]

    @property
    def digest(self) -> str:
        """SHA-256 of pixels and shape."""
        return hashlib.sha256(repr(self.pixels.shape).encode() + self.pixels.tobytes()).hexdigest()

    def file(self, claim: Claim) -> tuple[bytes, int | None]:
        """The file with the mark of its claim in every frame, and what the mark says; None where there is none."""
        if not pixel_marks.fits(*self.pixels.shape[-2:]):
            return self.write(self.pixels), None
        frames = self.pixels if self.pixels.ndim == 4 else self.pixels[None]
        marked = np.stack([_marked(frame, claim) for frame in frames])
        return self.write(marked.reshape(self.pixels.shape)), pixel_marks.payload_of(claim)


def _marked(item: np.ndarray, claim: Claim) -> np.ndarray:
    """One item (c, h, w) with its mark; a grey one stays grey."""
    flat = item[0] if item.shape[0] == 1 else np.ascontiguousarray(item.transpose(1, 2, 0))
    marked = pixel_marks.marked(flat, key(), claim)
    return marked[None] if item.shape[0] == 1 else marked.transpose(2, 0, 1)


@functools.cache
def key() -> Key:
    """The signing key: the one in the environment, else this installation's development key."""
    return signing_key_with_chain(os.environ)


@functools.cache
def old_keys() -> tuple[Key, ...]:
    """Keys of the environment that were in use here before; what they signed and marked is still ours."""
    return keys.old_keys(os.environ)


def certificate() -> bytes:
    """The public certificates in PEM, for anyone who wants to check our manifests without us."""
    return public_certificate(key())


def mark(media: bytes | Drawn, media_type: str, claim: Claim) -> Sealed:
    """The media with its signed claim inside, written to the ledger; see `mark_all`.

    Raises:
        ValueError, LedgerProblem: one sentence; nothing leaves then.
    """
    return mark_all([(media, media_type, claim)])[0]


def mark_all(items: Sequence[tuple[bytes | Drawn, str, Claim]]) -> tuple[Sealed, ...]:
    """Seal several items, (media, media type, claim) each, with one visit to the ledger.

    What is `Drawn` gets the mark in its pixels; bytes stay as they are and carry the manifest alone.
    """
    asked = [(_digest(media), media_type, claim.digest) for media, media_type, claim in items]
    with _lock:
        made = {name: _remembered[name] for name in asked if name in _remembered}
    fresh, entries = {}, []
    for name, (media, media_type, claim) in zip(asked, items, strict=True):
        if name not in made:
            file, payload = media.file(claim) if isinstance(media, Drawn) else (media, None)
            made[name] = fresh[name] = seal(file, media_type, claim, key=key())
            entries.append(entry_of(made[name], thumbnail=claim.action in OWN, payload=payload))
    if fresh:
        ledger.record(entries)
        _remember(fresh)
    return tuple(made[name] for name in asked)


def exhibit(media: bytes, media_type: str, claim: Claim) -> Sealed:
    """The media with its signed claim, and no entry in the ledger: an edited copy that is only shown.

    Raises:
        ValueError: one sentence.
    """
    return seal(media, media_type, claim, key=key())


def _digest(media: bytes | Drawn) -> str:
    return media.digest if isinstance(media, Drawn) else hashlib.sha256(media).hexdigest()


def _remember(fresh: dict[tuple[str, str, str], Sealed]) -> None:
    global _size
    with _lock:
        for name, sealed in fresh.items():
            if name not in _remembered:
                _remembered[name] = sealed
                _size += len(sealed.media)
        while _size > KEPT and len(_remembered) > 1:
            _size -= len(_remembered.popitem(last=False)[1].media)
