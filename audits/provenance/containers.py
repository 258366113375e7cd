"""Where a manifest sits in each kind of file. Bytes in, bytes out: nothing is decoded or re-encoded.

Every format has two functions. `insert_*(media, manifest)` returns the media with the manifest in it, and
`split_*(media)` returns the media without any manifest and the list of those it held. They raise MediaError
on bytes that break the format's structure, and allocate no more than a few times what they are given. In
every format the manifest follows the keyword `genlab.claim` and a NUL.
"""

from __future__ import annotations

import struct
import zlib

KEYWORD = b"genlab.claim"
MAX_PARTS = 200_000  # chunks, blocks or boxes in one file

PNG = b"\x89PNG\r\n\x1a\n"
RIFF_FORMS = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
RIFF_CHUNK = b"GNLB"
UUID = bytes.fromhex("9f6b1c6e52c84a0fa4f3c1d2b7a05e31")  # of our MP4 box; any fixed random one will do
MP4_BRANDS = {b"mp41", b"mp42", b"avc1", b"isom", b"M4V ", b"dash", *(b"iso%d" % i for i in range(2, 10))}


class MediaError(ValueError):
    """The media cannot be read or sealed; the message is a single sentence."""


def media_type_of(media: bytes) -> str | None:
    """The media type that the first bytes show, or None: plain text has no signature."""
    if media.startswith(PNG):
        return "image/png"
    if media.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if media.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if media[:4] == b"RIFF" and media[8:12] in RIFF_FORMS:
        return RIFF_FORMS[media[8:12]]
    if media[4:8] == b"ftyp" and media[8:12] in MP4_BRANDS:
        return "video/mp4"
    return None


# PNG: an uncompressed iTXt chunk right after the header.


def png_chunks(media: bytes) -> list[tuple[bytes, bytes]]:
    """All (type, data) chunks, each with its checksum verified, from IHDR to IEND with nothing after it."""
    if not media.startswith(PNG):
        raise MediaError("The file is not a PNG.")
    chunks, at = [], len(PNG)
    while at + 12 <= len(media) and len(chunks) < MAX_PARTS:
        length, kind = struct.unpack_from(">I4s", media, at)
        end = at + 12 + length
        if end > len(media):
            raise MediaError("The PNG is truncated, or a chunk lies about its length.")
        data = media[at + 8 : end - 4]
        if zlib.crc32(kind + data) != int.from_bytes(media[end - 4 : end], "big"):
            raise MediaError("The PNG is damaged: a chunk fails its checksum.")
        chunks.append((kind, data))
        at = end
        if kind == b"IEND":
            break
    if not chunks or chunks[0][0] != b"IHDR" or len(chunks[0][1]) != 13 or chunks[-1][0] != b"IEND":
        raise MediaError("The PNG is truncated: it does not run from a header to an end.")
    if at != len(media):
        raise MediaError("The PNG has bytes after its end.")
    return chunks


def join_png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """The file made of these chunks."""
    parts = [PNG]
    for kind, data in chunks:
        parts += [struct.pack(">I4s", len(data), kind), data, struct.pack(">I", zlib.crc32(kind + data))]
    return b"".join(parts)


def insert_png(media: bytes, manifest: bytes) -> bytes:
    chunks = png_chunks(media)
    text = KEYWORD + b"\0\0\0\0\0" + manifest  # not compressed, no language, no translated keyword
    return join_png([chunks[0], (b"iTXt", text), *chunks[1:]])


def split_png(media: bytes) -> tuple[bytes, list[bytes]]:
    kept, manifests = [], []
    for kind, data in png_chunks(media):
        if kind == b"iTXt" and data.startswith(KEYWORD + b"\0"):
            flags, rest = data[len(KEYWORD) + 1 : len(KEYWORD) + 3], data[len(KEYWORD) + 3 :]
            if flags[:1] != b"\0":
                raise MediaError("The claim in this PNG is compressed; a claim is always stored as it is.")
            fields = rest.split(b"\0", 2)
            manifests.append(fields[2] if len(fields) == 3 else b"")
        else:
            kept.append((kind, data))
    return join_png(kept), manifests


# GIF: a comment extension before the trailer.


def insert_gif(media: bytes, manifest: bytes) -> bytes:
    _, trailer = gif_extensions(media)
    text = KEYWORD + b"\0" + manifest
    blocks = b"".join(bytes([len(text[i : i + 255])]) + text[i : i + 255] for i in range(0, len(text), 255))
    # Extensions came with version 89a, so that is the version of a sealed file.
    return b"GIF89a" + media[6:trailer] + b"\x21\xfe" + blocks + b"\0" + media[trailer:]


def split_gif(media: bytes) -> tuple[bytes, list[bytes]]:
    extensions, _ = gif_extensions(media)
    kept, manifests, at = [], [], 0
    for start, end in extensions:
        text = gif_data(media, start + 2) if media[start + 1] == 0xFE else b""
        if text.startswith(KEYWORD + b"\0"):
            manifests.append(text[len(KEYWORD) + 1 :])
            kept.append(media[at:start])
            at = end
    return b"".join([*kept, media[at:]]), manifests


def gif_extensions(media: bytes) -> tuple[list[tuple[int, int]], int]:
    """Where every extension starts and ends, and where the trailer is."""
    extensions = []
    try:
        at = 13 + _colours(media[10])
        for _ in range(MAX_PARTS):
            kind = media[at]
            if kind == 0x3B:
                if at + 1 != len(media):
                    raise MediaError("The GIF has bytes after its end.")
                return extensions, at
            start = at
            if kind == 0x21:
                at = _skip_blocks(media, at + 2)
                extensions.append((start, at))
            elif kind == 0x2C:
                at = _skip_blocks(media, at + 11 + _colours(media[at + 9]))
            else:
                raise MediaError("The GIF is damaged: it holds an unknown block.")
    except IndexError:
        raise MediaError("The GIF is truncated.") from None
    raise MediaError("The GIF has too many blocks.")


def _colours(flags: int) -> int:
    """Bytes of the colour table that these flags announce."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_blocks(media: bytes, at: int) -> int:
    while media[at]:
        at += media[at] + 1
    return at + 1


def gif_data(media: bytes, at: int) -> bytes:
    """What the sub-blocks from here on hold together."""
    parts = []
    while media[at]:
        parts.append(media[at + 1 : at + 1 + media[at]])
        at += media[at] + 1
    return b"".join(parts)


# JPEG: a comment segment after the application segments.


def insert_jpeg(media: bytes, manifest: bytes) -> bytes:
    text = KEYWORD + b"\0" + manifest
    if len(text) > 65_533:
        raise MediaError("The claim is too long for a JPEG, whose comments hold 65,533 bytes.")
    at = 2
    for marker, _start, end in jpeg_segments(media):
        if not 0xE0 <= marker <= 0xEF:
            break
        at = end
    return media[:at] + b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text + media[at:]


def split_jpeg(media: bytes) -> tuple[bytes, list[bytes]]:
    kept, manifests, at = [], [], 0
    for marker, start, end in jpeg_segments(media):
        data = media[start + 4 : end]
        if marker == 0xFE and data.startswith(KEYWORD + b"\0"):
            manifests.append(data[len(KEYWORD) + 1 :])
            kept.append(media[at:start])
            at = end
    return b"".join([*kept, media[at:]]), manifests


def jpeg_segments(media: bytes) -> list[tuple[int, int, int]]:
    """(marker, start, end) of every segment before the first scan."""
    segments, at = [], 2
    while len(segments) < MAX_PARTS:
        if at + 4 > len(media):
            raise MediaError("The JPEG is truncated: it ends before its first scan.")
        marker, length = media[at + 1], int.from_bytes(media[at + 2 : at + 4], "big")
        if media[at] != 0xFF or length < 2 or marker < 0xC0:
            raise MediaError("The JPEG is damaged: a segment is missing where one must start.")
        if marker == 0xDA:
            return segments
        if at + 2 + length > len(media):
            raise MediaError("The JPEG is truncated, or a segment lies about its length.")
        segments.append((marker, at, at + 2 + length))
        at += 2 + length
    raise MediaError("The JPEG has too many segments.")


# WebP and WAV: a chunk of our own at the end, which readers pass over; a WebP gets an extended header first.


def insert_riff(media: bytes, manifest: bytes) -> bytes:
    chunks = riff_chunks(media)
    if media[8:12] == b"WEBP":
        chunks = _extended(chunks)
    return join_riff(media[8:12], [*chunks, (RIFF_CHUNK, KEYWORD + b"\0" + manifest)])


def split_riff(media: bytes) -> tuple[bytes, list[bytes]]:
    chunks = riff_chunks(media)
    ours = [kind == RIFF_CHUNK and data.startswith(KEYWORD + b"\0") for kind, data in chunks]
    manifests = [data[len(KEYWORD) + 1 :] for (_, data), own in zip(chunks, ours, strict=True) if own]
    return join_riff(media[8:12], [c for c, own in zip(chunks, ours, strict=True) if not own]), manifests


def riff_chunks(media: bytes) -> list[tuple[bytes, bytes]]:
    """All (type, data) chunks of a WebP or WAV, which must fill it exactly."""
    name = "WebP" if media[8:12] == b"WEBP" else "WAV"
    if len(media) < 20 or int.from_bytes(media[4:8], "little") + 8 != len(media):
        raise MediaError(f"The {name} is truncated or has bytes after its end.")
    chunks, at = [], 12
    while at < len(media):
        if at + 8 > len(media) or len(chunks) >= MAX_PARTS:
            raise MediaError(f"The {name} is damaged: its chunks do not fill it.")
        kind, length = struct.unpack_from("<4sI", media, at)
        end = at + 8 + length
        if end + length % 2 > len(media) or (length % 2 and media[end] != 0):
            raise MediaError(f"The {name} is truncated, or a chunk lies about its length.")
        chunks.append((kind, media[at + 8 : end]))
        at = end + length % 2
    return chunks


def join_riff(form: bytes, chunks: list[tuple[bytes, bytes]]) -> bytes:
    """The file of this form (`WEBP` or `WAVE`) made of these chunks."""
    body = b"".join(k + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for k, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + form + body


def _extended(chunks: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The same file with a VP8X header, which the format asks for before any further chunk is added."""
    kind, data = chunks[0] if chunks else (b"", b"")
    if kind == b"VP8X":
        return chunks
    if kind == b"VP8 " and data[3:6] == b"\x9d\x01\x2a" and len(data) >= 10:
        width, height = (x & 0x3FFF for x in struct.unpack_from("<HH", data, 6))
        alpha = 0
    elif kind == b"VP8L" and data[:1] == b"\x2f" and len(data) >= 5:
        bits = int.from_bytes(data[1:5], "little")
        width, height, alpha = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bits >> 28 & 1
    else:
        raise MediaError("The WebP is damaged: it does not start with a picture.")
    if not width or not height:
        raise MediaError("The WebP is damaged: its picture has no size.")
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return [(b"VP8X", struct.pack("<I", 0x10 * alpha) + sides), *chunks]


# MP4: a `uuid` box at the very end, so that no offset inside the file moves.


def insert_mp4(media: bytes, manifest: bytes) -> bytes:
    mp4_boxes(media)
    text = UUID + KEYWORD + b"\0" + manifest
    return media + struct.pack(">I4s", 8 + len(text), b"uuid") + text


def split_mp4(media: bytes) -> tuple[bytes, list[bytes]]:
    kept, manifests, at = [], [], 0
    opening = UUID + KEYWORD + b"\0"
    for kind, start, end in mp4_boxes(media):
        if kind == b"uuid" and media.startswith(opening, start + 8):
            manifests.append(media[start + 8 + len(opening) : end])
            kept.append(media[at:start])
            at = end
    return b"".join([*kept, media[at:]]), manifests


def mp4_boxes(media: bytes) -> list[tuple[bytes, int, int]]:
    """(type, start, end) of every top-level box."""
    boxes, at = [], 0
    while at < len(media) and len(boxes) < MAX_PARTS:
        if at + 8 > len(media):
            raise MediaError("The MP4 is truncated.")
        length, kind = struct.unpack_from(">I4s", media, at)
        header = 8
        if length == 1 and at + 16 <= len(media):
            length, header = int.from_bytes(media[at + 8 : at + 16], "big"), 16
        if length == 0:
            raise MediaError("The MP4 ends in a box of open length; write it with closed boxes.")
        if length < header or at + length > len(media):
            raise MediaError("The MP4 is truncated, or a box lies about its length.")
        boxes.append((kind, at, at + length))
        at += length
    if at != len(media):
        raise MediaError("The MP4 has too many boxes.")
    return boxes
