"""One entry of the ledger, and the hash that chains it to the one before."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from audits.provenance.claim import Claim

FIRST = hashlib.sha256(b"genlab ledger 1").hexdigest()  # what the first entry is chained to


@dataclass(frozen=True)
class Entry:
    """One sealed file.

    Attributes:
        sha256: of the whole sealed file, in hexadecimal.
        content: the digest of its content, the same before and after sealing.
        phash: 32 bytes, None for what is no picture or too plain to be told from others.
        windows: hashes of parts of the picture, as `parts.packed` makes them; None without a thumbnail.
        thumbnail: a small JPEG, None where an upload was involved.
        width, height: of a picture, 0 for other media.
        payload: what the mark in its pixels says, 32 bits; None where they carry none.
        id, made, link: given by the ledger: a number from 1, UTC time, and the hash that chains it to the entry before.
    """

    sha256: str
    content: str
    media_type: str
    claim: Claim
    phash: bytes | None = None
    windows: bytes | None = None
    thumbnail: bytes | None = None
    width: int = 0
    height: int = 0
    payload: int | None = None
    id: int = 0
    made: str = ""
    link: str = ""

    def linked(self, before: str) -> str:
        """The hash over the entry before and all of this one."""
        thumbnail = None if self.thumbnail is None else hashlib.sha256(self.thumbnail).hexdigest()
        hashes = [None if h is None else h.hex() for h in (self.phash, self.windows)]
        body = [self.id, self.made, self.sha256, self.content, self.media_type, self.claim.to_json()]
        body += [*hashes, thumbnail, self.width, self.height]
        body += [] if self.payload is None else [self.payload]
        return hashlib.sha256(f"{before}\n{json.dumps(body)}".encode()).hexdigest()
