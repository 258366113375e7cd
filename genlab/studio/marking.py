"""The seal that everything leaves with, and the one place where it is put on: one key for this installation.

What is sealed is written to the ledger before it leaves. A C2PA signature is salted, so sealing an item twice would
give two files; the last ones are remembered, and the same item asked for again is the same file.
"""

import functools
import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence

from audits.provenance import Claim, Key, Sealed, seal
from audits.provenance.certificates import public_certificate, signing_key_with_chain
from audits.provenance.recording import entry_of
from genlab.studio import ledger

KEPT = 64 * 2**20  # bytes of sealed media that are remembered
OWN = ("generate", "card")  # actions that no upload can have a part in

_remembered: OrderedDict[tuple[str, str, str], Sealed] = OrderedDict()
_size = 0
_lock = threading.Lock()


@functools.cache
def key() -> Key:
    """The signing key: the one in the environment, else this installation's development key."""
    return signing_key_with_chain(os.environ)


def certificate() -> bytes:
    """The public certificates in PEM, for anyone who wants to check our manifests without us."""
    return public_certificate(key())


def mark(media: bytes, media_type: str, claim: Claim) -> Sealed:
    """The media with its signed claim inside, written to the ledger.

    Raises:
        ValueError, LedgerProblem: one sentence; nothing leaves then.
    """
    return mark_all([(media, media_type, claim)])[0]


def mark_all(items: Sequence[tuple[bytes, str, Claim]]) -> tuple[Sealed, ...]:
    """Seal several items, (media, media type, claim) each, with one visit to the ledger."""
    asked = [(hashlib.sha256(media).hexdigest(), media_type, claim.digest) for media, media_type, claim in items]
    with _lock:
        made = {name: _remembered[name] for name in asked if name in _remembered}
    fresh = {}
    for name, item in zip(asked, items, strict=True):
        if name not in made:
            made[name] = fresh[name] = seal(*item, key=key())
    if fresh:
        ledger.record([entry_of(sealed, thumbnail=sealed.claim.action in OWN) for sealed in fresh.values()])
        _remember(fresh)
    return tuple(made[name] for name in asked)


def _remember(fresh: dict[tuple[str, str, str], Sealed]) -> None:
    global _size
    with _lock:
        for name, sealed in fresh.items():
            if name not in _remembered:
                _remembered[name] = sealed
                _size += len(sealed.media)
        while _size > KEPT and len(_remembered) > 1:
            _size -= len(_remembered.popitem(last=False)[1].media)
