"""The seal that everything leaves with: one key for this installation, read once."""

import functools
import hashlib
import os
import threading
from collections import OrderedDict

from audits.provenance import Claim, Key, Sealed, seal
from audits.provenance.certificates import signing_key_with_chain

KEPT = 64 * 2**20  # bytes of sealed media that are remembered

_sealed: OrderedDict[tuple[str, str, str], Sealed] = OrderedDict()
_lock = threading.Lock()


@functools.cache
def key() -> Key:
    """The signing key: the one in the environment, else this installation's development key."""
    return signing_key_with_chain(os.environ)


def mark(media: bytes, media_type: str, claim: Claim) -> Sealed:
    """The media with its signed claim inside. The same item asked for again is the same file, for a while.

    A C2PA signature is salted, so sealing twice gives two files; remembering the last ones keeps them one.
    """
    asked = (hashlib.sha256(media).hexdigest(), media_type, claim.digest)
    with _lock:
        if asked in _sealed:
            _sealed.move_to_end(asked)
            return _sealed[asked]
    made = seal(media, media_type, claim, key=key())
    with _lock:
        made = _sealed.setdefault(asked, made)
        while len(_sealed) > 1 and sum(len(s.media) for s in _sealed.values()) > KEPT:
            _sealed.popitem(last=False)
    return made
