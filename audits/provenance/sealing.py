"""Seal media with a signed claim, and say of any media whether such a seal holds.

The manifest is one JSON object beside or inside the media:
`{"claim", "media_type", "pixels" or "bytes", "signature", "key"}`. For a PNG `pixels` is a digest of what is
shown; for every other type `bytes` is a digest of the whole file without the manifest. The signature is
HMAC-SHA256 over claim, media type and digest. A claim that no known key signed proves nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import struct
from dataclasses import dataclass

from audits.provenance import containers
from audits.provenance.claim import Claim, ClaimError, strict_json
from audits.provenance.containers import MediaError, media_type_of
from audits.provenance.keys import Key

MAX_MEDIA = 256 * 2**20  # bytes
MAX_PIXELS = 64_000_000
MAX_MANIFEST = 80 * 1024

# Where the manifest of each media type goes: (write, read). A new type is one line here.
CARRIERS = {
    "image/png": (containers.insert_png, containers.split_png),
    "image/gif": (containers.insert_gif, containers.split_gif),
    "image/jpeg": (containers.insert_jpeg, containers.split_jpeg),
    "image/webp": (containers.insert_webp, containers.split_webp),
    "video/mp4": (containers.insert_mp4, containers.split_mp4),
}
# Types with no room inside: their manifest is a second file.
SIDECARS = ("application/json", "text/csv", "text/plain")

# PNG chunks that change nothing of what is shown.
_SILENT = (b"IHDR", b"IDAT", b"IEND", b"tEXt", b"zTXt", b"iTXt", b"tIME", b"pHYs")


@dataclass(frozen=True)
class Sealed:
    """Media with its claim in it, or in `sidecar` for text types: the only form in which media leaves."""

    media: bytes
    media_type: str
    claim: Claim
    sidecar: bytes | None = None


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


@dataclass(frozen=True)
class _Manifest:
    claim: Claim
    media_type: str
    digest: str
    signature: str | None
    key: str | None


def seal(media: bytes, media_type: str, claim: Claim, *, key: Key | bytes | None = None) -> Sealed:
    """Put `claim` into `media`, signed with `key` (unsigned without one). An earlier claim is replaced.

    Pixels are never re-encoded. Raises MediaError when the bytes are not what `media_type` says, are damaged,
    over 64 megapixels or 256 MiB, or when the type cannot be sealed.
    """
    _check_size(media)
    if media_type not in CARRIERS and media_type not in SIDECARS:
        known = ", ".join([*CARRIERS, *SIDECARS])
        raise MediaError(f"Media of type {media_type!r} cannot be sealed; the types that can are {known}.")
    key = _as_key(key)
    if media_type in SIDECARS:
        _check_text(media, media_type)
        return Sealed(media, media_type, claim, _written(claim, media_type, _digest(media_type, media), key))
    if media_type_of(media) != media_type:
        raise MediaError(f"These bytes are not {media_type}.")
    insert, _ = CARRIERS[media_type]
    bare = _bare(media, media_type)
    manifest = _written(claim, media_type, _digest(media_type, bare), key)
    return Sealed(insert(bare, manifest), media_type, claim)


def read_claim(media: bytes, *, sidecar: bytes | None = None) -> Claim | None:
    """What the media says of itself, signed or not; None when it says nothing.

    Raises MediaError or ClaimError (both ValueError, one sentence) on damaged media, a damaged claim, or
    more than one claim.
    """
    _, _, manifests = _opened(media, sidecar)
    if len(manifests) > 1:
        raise MediaError(f"The media carries {len(manifests)} claims and should carry one.")
    return _parsed(manifests[0]).claim if manifests else None


def content_digest(media: bytes) -> str:
    """SHA-256 of the content alone, in hexadecimal: the same before and after sealing.

    For a PNG it covers mode, size, pixels and every chunk that changes how they look; for others all bytes.
    """
    media_type, bare, _ = _opened(media, None)
    return _digest(media_type, _bare(bare, media_type) if media_type in CARRIERS else bare)


def verify(media: bytes, *, key: Key | bytes | None = None, sidecar: bytes | None = None) -> Verdict:
    """Say whether `media` was made here, as far as the evidence goes. Never raises on hostile bytes.

    "made here": a manifest signed by `key` fits the content. "altered": `key` signed something else, or the
    claims contradict each other. "no evidence": no claim, or one that nobody known signed (it is shown all
    the same). "unreadable": the media or its manifest cannot be parsed.
    """
    key = _as_key(key)
    claim = None
    try:
        media_type, bare, manifests = _opened(media, sidecar)
        if not manifests:
            return _verdict("no evidence", None, "absent", "The media carries no claim.")
        if len(manifests) > 1:
            detail = f"The media carries {len(manifests)} claims."
            return _verdict("altered", None, "contradictory", detail)
        manifest = _parsed(manifests[0])
        claim = manifest.claim
        if manifest.signature is None:
            detail = "The claim is not signed: anyone can write one."
            return _verdict("no evidence", claim, "unsigned", detail)
        if key is None or manifest.key != key.id:
            why = "No key was given" if key is None else f"The key here is {key.id}"
            detail = f"The claim is signed with the key {json.dumps(manifest.key)}. {why}: it proves nothing."
            return _verdict("no evidence", claim, "unknown key", detail)
        if not hmac.compare_digest(manifest.signature, _signature(key, *_signed(manifest))):
            detail = "The signature does not fit the claim: one of them was changed."
            return _verdict("altered", claim, "altered", detail)
        if manifest.media_type != media_type:
            detail = f"The claim was signed for {manifest.media_type}, and this is {media_type}."
            return _verdict("altered", claim, "altered", detail)
        if manifest.digest != _digest(media_type, bare):
            detail = "The content is not what was signed: it was changed."
            return _verdict("altered", claim, "altered", detail)
    except (MediaError, ClaimError) as error:
        return _verdict("unreadable", claim, "unreadable", str(error))
    detail = f"The signature of the key {key.id} fits claim and content."
    if key.development:
        detail += " It is a development key: it vouches for this installation only."
    return _verdict("made here", claim, "valid", detail)


def _verdict(verdict: str, claim: Claim | None, state: str, detail: str) -> Verdict:
    return Verdict(verdict, claim, (Layer("manifest", None, state, detail),))


def _as_key(key: Key | bytes | None) -> Key | None:
    return Key.of(key) if isinstance(key, bytes) else key


def _check_size(media: bytes) -> None:
    if not isinstance(media, bytes):
        raise MediaError(f"Media must be bytes, not {type(media).__name__}.")
    if not media:
        raise MediaError("The media is empty.")
    if len(media) > MAX_MEDIA:
        raise MediaError(f"The media is over the limit of {MAX_MEDIA // 2**20} MiB.")


def _check_text(media: bytes, media_type: str) -> None:
    try:
        fine = "\0" not in media.decode("utf-8") and media_type_of(media) is None
    except UnicodeDecodeError:
        fine = False
    if not fine:
        raise MediaError(f"These bytes are not {media_type}: they are not UTF-8 text.")


def _opened(media: bytes, sidecar: bytes | None) -> tuple[str, bytes, list[bytes]]:
    """(media type, media without manifest, manifests); MediaError when the media has no known form."""
    _check_size(media)
    media_type = media_type_of(media)
    if media_type is not None:
        if sidecar is not None:
            raise MediaError(f"{media_type} carries its claim inside, and one was given beside it.")
        _, split = CARRIERS[media_type]
        bare, manifests = split(media)
        if not manifests and containers.KEYWORD + b"\0" in media:
            raise MediaError("The media is damaged: it holds a claim outside of the place for claims.")
        return media_type, bare, manifests
    try:
        _check_text(media, "text")
    except MediaError:
        detail = "The media is of no type that can carry a claim, or its start is damaged."
        raise MediaError(detail) from None
    if sidecar is None:
        return "text/plain", media, []
    media_type = _parsed(sidecar).media_type
    if media_type not in SIDECARS:
        raise MediaError(f"The claim is of {json.dumps(media_type[:80])}, and this is text.")
    return media_type, media, [sidecar]


def _bare(media: bytes, media_type: str) -> bytes:
    """The media as it stands around a manifest: none inside, in a version of its format that can hold one."""
    insert, split = CARRIERS[media_type]
    bare, _ = split(media)
    return split(insert(bare, b""))[0]


def _signed(manifest: _Manifest) -> tuple[Claim, str, str]:
    return manifest.claim, manifest.media_type, manifest.digest


def _signature(key: Key, claim: Claim, media_type: str, digest: str) -> str:
    body = {"claim": claim.as_dict(), "digest": digest, "media_type": media_type}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hmac.new(key.secret, b"genlab claim 1\n" + text.encode(), hashlib.sha256).hexdigest()


def _written(claim: Claim, media_type: str, digest: str, key: Key | None) -> bytes:
    body = {
        "claim": claim.as_dict(),
        "media_type": media_type,
        _digest_name(media_type): digest,
        "signature": None if key is None else _signature(key, claim, media_type, digest),
        "key": None if key is None else key.id,
    }
    return json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _parsed(manifest: bytes) -> _Manifest:
    """The manifest as an object; ClaimError in one sentence when it is not one."""
    body = strict_json(manifest, limit=MAX_MANIFEST, what="manifest")
    if not isinstance(body, dict) or not isinstance(body.get("media_type"), str):
        raise ClaimError("The manifest is not an object that names its media type.")
    name = _digest_name(body["media_type"])
    if set(body) != {"claim", "media_type", name, "signature", "key"}:
        raise ClaimError(f"The manifest must have the keys claim, media_type, {name}, signature and key.")
    digest, signature, key = body[name], body["signature"], body["key"]
    signed = isinstance(signature, str) and signature.isascii() and isinstance(key, str)
    if not isinstance(digest, str) or not (signed or (signature is None and key is None)):
        raise ClaimError("The manifest's digest, signature and key must be text, or the last two null.")
    return _Manifest(Claim.from_dict(body["claim"]), body["media_type"], digest, signature, key)


def _digest_name(media_type: str) -> str:
    return "pixels" if media_type == "image/png" else "bytes"


def _digest(media_type: str, bare: bytes) -> str:
    return _shown(bare) if media_type == "image/png" else hashlib.sha256(bare).hexdigest()


def _shown(png: bytes) -> str:
    """SHA-256 of what a PNG shows: mode, size, pixels, and every chunk that bears on them (palette, gamma,
    further frames of an animation...). Two files that compress the same picture differently agree."""
    from PIL import Image

    chunks = containers.png_chunks(png)
    width, height, depth, colours = struct.unpack_from(">IIBB", chunks[0][1])
    if width * height > MAX_PIXELS:
        raise MediaError(f"The PNG has {width:,} x {height:,} pixels; the limit is {MAX_PIXELS:,} in all.")
    if depth == 16 and colours != 0:
        raise MediaError("The PNG has 16 bits per colour, which cannot be compared exactly; save it with 8.")
    needed = [c for c in chunks if c[0] in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")]
    digest = hashlib.sha256()
    try:
        # Only these chunks reach the decoder: no text to unpack, no colour profile, no animation.
        with Image.open(io.BytesIO(containers.join_png(needed)), formats=["PNG"]) as image:
            image.load()
            digest.update(json.dumps([image.mode, width, height]).encode())
            rows = max(1, 2**20 // width)
            for top in range(0, height, rows):
                digest.update(image.crop((0, top, width, min(top + rows, height))).tobytes())
    except Exception as error:  # whatever a decoder raises on hostile bytes, it means the same here
        raise MediaError("The PNG is damaged: its pixels cannot be decoded.") from error
    for kind, data in chunks:
        if kind not in _SILENT:
            digest.update(kind + struct.pack(">I", len(data)) + data)
    return digest.hexdigest()
