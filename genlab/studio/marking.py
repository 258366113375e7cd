"""The seal that everything leaves with: one key for this installation, read once."""

import functools
import os

from audits.provenance import Claim, Key, Sealed, seal, signing_key


@functools.cache
def key() -> Key:
    """The signing key: the one in the environment, else this installation's development key."""
    return signing_key(os.environ)


def mark(media: bytes, media_type: str, claim: Claim) -> Sealed:
    """The media with its signed claim inside."""
    return seal(media, media_type, claim, key=key())
