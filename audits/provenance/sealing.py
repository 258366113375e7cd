"""Seal media with a signed claim, and say of any media whether such a seal holds.

Pictures, sound and video carry the claim in a C2PA manifest signed with the certificate of the key, which anyone can
check. Text gets our own signed JSON beside it. Where C2PA cannot be loaded or does not take a video, and in files from
before it came, that JSON stands inside the file. A claim that no known key signed proves nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from audits.provenance import content, manifests
from audits.provenance.claim import Claim, ClaimError
from audits.provenance.containers import MediaError, media_type_of
from audits.provenance.content import CARRIERS, SIDECARS
from audits.provenance.keys import Key
from audits.provenance.statement import Statement, parsed

DEVELOPMENT = " It is a development key: it vouches for this installation only."


@dataclass(frozen=True)
class Sealed:
    """Media with its claim in it, or in `sidecar` for text types: the only form in which media leaves.

    `content` is the digest that the claim is bound to, the same before and after sealing.
    """

    media: bytes
    media_type: str
    claim: Claim
    sidecar: bytes | None = None
    content: str = ""


@dataclass(frozen=True)
class Layer:
    """What one layer of evidence says; `p_value` is None where there is nothing to count."""

    layer: str
    p_value: float | None
    state: str
    detail: str


@dataclass(frozen=True)
class Verdict:
    """`verdict` is "made here", "no evidence", "unreadable" or "altered".

    `claim` is whatever the media says of itself, None where it says nothing; only "made here" vouches for it.
    """

    verdict: str
    claim: Claim | None
    layers: tuple[Layer, ...]

    def to_json(self) -> str:
        body = {
            "verdict": self.verdict,
            "claim": None if self.claim is None else self.claim.as_dict(),
            "layers": [vars(layer) for layer in self.layers],
        }
        return json.dumps(body, indent=2, allow_nan=False) + "\n"


def seal(media: bytes, media_type: str, claim: Claim, *, key: Key | bytes | None = None) -> Sealed:
    """Put `claim` into `media`, signed with `key` (unsigned without one). An earlier claim is replaced.

    Pixels are never re-encoded. Raises MediaError when the bytes are not what `media_type` says, are damaged,
    over 64 megapixels or 256 MiB, or when the type cannot be sealed; KeyProblem on an expired certificate.
    """
    content.check_size(media)
    if media_type not in CARRIERS and media_type not in SIDECARS:
        known = ", ".join([*CARRIERS, *SIDECARS])
        raise MediaError(f"Media of type {media_type!r} cannot be sealed; the types that can are {known}.")
    key = _as_key(key)
    if media_type in SIDECARS:
        content.check_text(media, media_type)
        statement = Statement(claim, media_type, content.digest_of(media_type, media))
        return Sealed(media, media_type, claim, statement.signed(key), statement.digest)
    if media_type_of(media) != media_type:
        raise MediaError(f"These bytes are not {media_type}.")
    bare = content.bare(media, media_type)
    statement = Statement(claim, media_type, content.digest_of(media_type, bare))
    if key is not None and manifests.available():
        try:
            return Sealed(manifests.sign(bare, statement, key), media_type, claim, content=statement.digest)
        except MediaError:
            if media_type != "video/mp4":  # C2PA does not take every form of it, fragments for one
                raise
    insert, _ = CARRIERS[media_type]
    return Sealed(insert(bare, statement.signed(key)), media_type, claim, content=statement.digest)


def read_claim(media: bytes, *, sidecar: bytes | None = None) -> Claim | None:
    """What the media says of itself, signed or not; None when it says nothing that can be read.

    Raises MediaError or ClaimError (both ValueError, one sentence) on damaged media, a damaged claim, or
    more than one claim.
    """
    media_type, _, own, stores = content.opened(media)
    own = _beside(media_type, own, sidecar)
    if len(own) + len(stores) > 1:
        raise MediaError(f"The media carries {len(own) + len(stores)} claims and should carry one.")
    if own:
        return parsed(own[0]).claim
    if not stores:
        return None
    reading = manifests.read(media, media_type, stores[0], None)
    if reading.state in ("broken", "unchecked"):
        raise MediaError(reading.detail)
    return reading.statement and reading.statement.claim


def verify(media: bytes, *, key: Key | bytes | None = None, sidecar: bytes | None = None) -> Verdict:
    """Say whether `media` was made here, as far as its manifest goes. Never raises on hostile bytes.

    "made here": a manifest signed by `key` fits the content. "altered": `key` signed something else, or the
    claims contradict each other. "no evidence": no claim, or one that nobody known signed (it is shown all
    the same). "unreadable": the media or its manifest cannot be parsed.
    """
    key = _as_key(key)
    try:
        media_type, without, own, stores = content.opened(media)
        own = _beside(media_type, own, sidecar)
        if not own and not stores:
            return _verdict("no evidence", None, "absent", "The media carries no claim.")
        if len(own) + len(stores) > 1:
            detail = f"The media carries {len(own) + len(stores)} claims."
            return _verdict("altered", None, "contradictory", detail)
        if own:
            return _own(parsed(own[0]), media_type, without, key)
        reading = manifests.read(media, media_type, stores[0], key)
        return _c2pa(reading, media_type, without, key)
    except (MediaError, ClaimError) as error:
        return _verdict("unreadable", None, "unreadable", str(error))


def _beside(media_type: str | None, own: list[bytes], sidecar: bytes | None) -> list[bytes]:
    """Our own manifests, the one beside a text among them."""
    if sidecar is None:
        return own
    if media_type is not None:
        raise MediaError(f"{media_type} carries its claim inside, and one was given beside it.")
    return [sidecar]


def _own(statement: Statement, media_type: str | None, without: bytes, key: Key | None) -> Verdict:
    """The verdict on our own JSON manifest."""
    claim = statement.claim
    if media_type is None and statement.media_type not in SIDECARS:
        raise MediaError(f"The claim is of {json.dumps(statement.media_type[:80])}, and this is text.")
    if statement.signature is None:
        return _verdict("no evidence", claim, "unsigned", "The claim is not signed: anyone can write one.")
    if key is None or statement.key != key.id:
        why = "No key was given" if key is None else f"The key here is {key.id}"
        detail = f"The claim is signed with the key {json.dumps(statement.key)}. {why}: it proves nothing."
        return _verdict("no evidence", claim, "unknown key", detail)
    if not statement.is_signed_by(key):
        detail = "The signature does not fit the claim: one of them was changed."
        return _verdict("altered", None, "altered", detail)
    changed = _changed(statement, media_type or statement.media_type, without)
    if changed:
        return _verdict("altered", claim, "altered", changed)
    detail = f"The signature of the key {key.id} fits claim and content."
    return _verdict("made here", claim, "valid", detail + DEVELOPMENT * key.development)


def _c2pa(reading: manifests.Reading, media_type: str, without: bytes, key: Key | None) -> Verdict:
    """The verdict on a C2PA manifest: its own checks, and our digest, which covers what C2PA leaves out in a video."""
    statement = reading.statement
    claim = statement and statement.claim
    if reading.state == "valid":
        changed = _changed(statement, media_type, without)
        if changed:
            return _verdict("altered", claim, "altered", changed)
        return _verdict("made here", claim, "valid", reading.detail + DEVELOPMENT * key.development)
    if reading.state == "content changed":
        changed = _changed(statement, media_type, without) if statement else ""
        if media_type == "image/png" and not changed:
            return _verdict("altered", claim, "altered", reading.detail + " Its pixels are as they were signed.")
        return _verdict("altered", claim, "altered", reading.detail)
    if reading.state == "forged":
        return _verdict("altered", None, "forged", reading.detail)
    if reading.state == "broken":
        return _verdict("unreadable", None, "unreadable", reading.detail)
    return _verdict("no evidence", claim, reading.state, reading.detail)


def _changed(statement: Statement, media_type: str, without: bytes) -> str:
    """What does not fit between a signed statement and the media, in one sentence; empty when all does."""
    if statement.media_type != media_type:
        return f"The claim was signed for {statement.media_type}, and this is {media_type}."
    if statement.digest != content.digest_of(media_type, without):
        return "The content is not what was signed: it was changed."
    return ""


def _verdict(verdict: str, claim: Claim | None, state: str, detail: str) -> Verdict:
    return Verdict(verdict, claim, (Layer("manifest", None, state, detail),))


def _as_key(key: Key | bytes | None) -> Key | None:
    return Key.of(key) if isinstance(key, bytes) else key
