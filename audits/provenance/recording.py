"""From a sealed file to its entry in the ledger."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from audits.provenance import content, looks
from audits.provenance.crops import stored_windows
from audits.provenance.ledger import Entry
from audits.provenance.parts import packed
from audits.provenance.sealing import Sealed


def entry_of(sealed: Sealed, *, thumbnail: bool, payload: int | None = None) -> Entry:
    """The entry of a sealed file, still without number and link.

    Args:
        thumbnail: whether a small picture of it may be kept: never where an upload was involved.
        payload: what the mark in its pixels says; None where they carry none.
    """
    digest = sealed.content or content.content_digest(sealed.media)
    sha256 = hashlib.sha256(sealed.media).hexdigest()
    entry = Entry(sha256, digest, sealed.media_type, sealed.claim, payload=payload)
    seen = looks.look(sealed.media, sealed.media_type)
    if seen is None:
        return entry
    width, height = seen.size
    phash = None if seen.plain else seen.print.upright.astype(">u8").tobytes()
    if not thumbnail:
        return replace(entry, phash=phash, width=width, height=height)
    windows = None if seen.plain else packed(stored_windows(seen.pixels)) or None
    small = looks.thumbnail(seen.pixels)
    return replace(entry, phash=phash, windows=windows, thumbnail=small, width=width, height=height)
