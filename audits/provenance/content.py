"""What a file is apart from every manifest in it: its type, its bare bytes, and the digest of what it shows."""

from __future__ import annotations

import hashlib
import io
import json
import struct

import numpy as np

from audits.provenance import containers, credentials
from audits.provenance.containers import MediaError, media_type_of

MAX_MEDIA = 256 * 2**20  # bytes
MAX_PIXELS = 64_000_000

# Where our own manifest goes in each media type: (write, read). A new type is one line here.
CARRIERS = {
    "image/png": (containers.insert_png, containers.split_png),
    "image/gif": (containers.insert_gif, containers.split_gif),
    "image/jpeg": (containers.insert_jpeg, containers.split_jpeg),
    "image/webp": (containers.insert_riff, containers.split_riff),
    "audio/wav": (containers.insert_riff, containers.split_riff),
    "video/mp4": (containers.insert_mp4, containers.split_mp4),
}
# Types with no room inside: their manifest is a second file.
SIDECARS = ("application/json", "text/csv", "text/plain")

# PNG chunks that change nothing of what is shown.
_SILENT = (b"IHDR", b"IDAT", b"IEND", b"tEXt", b"zTXt", b"iTXt", b"tIME", b"pHYs")
# A PNG of nothing else and of one of these colour types (here with Pillow's modes) shows its pixels alone.
_BARE, _PLAIN = {b"IHDR", b"IDAT", b"IEND", b"tIME", b"pHYs"}, {0: "L", 2: "RGB"}


def check_size(media: bytes) -> None:
    """Raise MediaError where the media is no bytes, empty, or over 256 MiB."""
    if not isinstance(media, bytes):
        raise MediaError(f"Media must be bytes, not {type(media).__name__}.")
    if not media:
        raise MediaError("The media is empty.")
    if len(media) > MAX_MEDIA:
        raise MediaError(f"The media is over the limit of {MAX_MEDIA // 2**20} MiB.")


def check_text(media: bytes, media_type: str) -> None:
    """Raise MediaError where the media is not UTF-8 text."""
    try:
        fine = "\0" not in media.decode("utf-8") and media_type_of(media) is None
    except UnicodeDecodeError:
        fine = False
    if not fine:
        raise MediaError(f"These bytes are not {media_type}: they are not UTF-8 text.")


def opened(media: bytes) -> tuple[str | None, bytes, list[bytes], list[bytes]]:
    """(media type, media without any manifest, our own manifests, C2PA stores); the type of text is None.

    Raises:
        MediaError: the media has no known form, or is damaged.
    """
    check_size(media)
    media_type = media_type_of(media)
    if media_type is None:
        try:
            check_text(media, "text")
        except MediaError:
            detail = "The media is of no type that can carry a claim, or its start is damaged."
            raise MediaError(detail) from None
        return None, media, [], []
    without, stores = credentials.split(media, media_type)
    _, split = CARRIERS[media_type]
    without, manifests = split(without)
    if not manifests and not stores and containers.KEYWORD + b"\0" in media:
        raise MediaError("The media is damaged: it holds a claim outside of the place for claims.")
    return media_type, without, manifests, stores


def bare(media: bytes, media_type: str) -> bytes:
    """The media as it stands around a manifest: none inside, in a version of its format that can hold one."""
    insert, split = CARRIERS[media_type]
    without, _ = credentials.split(media, media_type)
    without, _ = split(without)
    return split(insert(without, b""))[0]


def content_digest(media: bytes, pixels: np.ndarray | None = None) -> str:
    """SHA-256 of the content alone, in hexadecimal: the same before and after sealing.

    For a PNG it covers mode, size, pixels and every chunk that changes how they look; for others all bytes.

    Args:
        pixels: (h, w) or (h, w, 3) uint8, as `looks.decoded` gives them, where they were decoded already.
    """
    media_type, without, _, _ = opened(media)
    return digest_of(media_type or "text/plain", without if media_type is None else bare(without, media_type), pixels)


def digest_name(media_type: str) -> str:
    """What the digest covers: `pixels` of a PNG, `bytes` of anything else."""
    return "pixels" if media_type == "image/png" else "bytes"


def digest_of(media_type: str, without: bytes, pixels: np.ndarray | None = None) -> str:
    """The digest of media that holds no manifest."""
    return _shown(without, pixels) if media_type == "image/png" else hashlib.sha256(without).hexdigest()


def _shown(png: bytes, pixels: np.ndarray | None) -> str:
    """SHA-256 of what a PNG shows: mode, size, pixels, and every chunk that bears on them (palette, gamma,
    further frames of an animation...). Two files that compress the same picture differently agree."""
    from PIL import Image

    chunks = containers.png_chunks(png)
    width, height, depth, colours = struct.unpack_from(">IIBB", chunks[0][1])
    if width * height > MAX_PIXELS:
        raise MediaError(f"The PNG has {width:,} x {height:,} pixels; the limit is {MAX_PIXELS:,} in all.")
    if depth == 16 and colours != 0:
        raise MediaError("The PNG has 16 bits per colour, which cannot be compared exactly; save it with 8.")
    digest = hashlib.sha256()
    if pixels is not None and depth == 8 and colours in _PLAIN and {kind for kind, _ in chunks} <= _BARE:
        digest.update(json.dumps([_PLAIN[colours], width, height]).encode())
        digest.update(np.ascontiguousarray(pixels))
        return digest.hexdigest()
    needed = [c for c in chunks if c[0] in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")]
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
