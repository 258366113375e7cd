"""Where a C2PA manifest store sits in each kind of file, and the file without it: bytes in, bytes out.

`split(media, media_type)` is exact: the file comes back as it was before the store was put in, offsets of a video
included. Nothing is validated here, and nothing is unpacked.
"""

from __future__ import annotations

import struct

from audits.provenance import containers
from audits.provenance.containers import MediaError

LABEL = b"c2pa"
STORE = bytes.fromhex("6332706100110010800000aa00389b71")  # the type of a manifest store, in its JUMBF description
MP4_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
GIF_NAME = b"\x0bC2PA_GIF\x01\x00\x00"
OFFSETS = {b"stco": (">I", 4), b"co64": (">Q", 8)}
LARGEST = 2**20  # bytes of a store that is read: ours have a few thousand


def split(media: bytes, media_type: str) -> tuple[bytes, list[bytes]]:
    """(the media without any manifest store, the stores it held).

    Raises:
        MediaError: the bytes are not a whole file of that type.
    """
    return SPLITTERS[media_type](media)


def compressed(store: bytes) -> bool:
    """Whether a store holds a compressed manifest (box `brob`), which could unpack to anything: ours are never so."""
    at, end = 8, len(store)
    while at + 8 <= end:
        length, kind = struct.unpack_from(">I4s", store, at)
        if kind == b"brob":
            return True
        if length < 8:
            return False
        at += length
    return False


def _png(media: bytes) -> tuple[bytes, list[bytes]]:
    chunks = containers.png_chunks(media)
    kept = [c for c in chunks if c[0] != b"caBX"]
    return containers.join_png(kept), [data for kind, data in chunks if kind == b"caBX"]


def _riff(media: bytes) -> tuple[bytes, list[bytes]]:
    chunks = containers.riff_chunks(media)
    kept = [c for c in chunks if c[0] != b"C2PA"]
    return containers.join_riff(media[8:12], kept), [data for kind, data in chunks if kind == b"C2PA"]


def _gif(media: bytes) -> tuple[bytes, list[bytes]]:
    extensions, _ = containers.gif_extensions(media)
    kept, stores, at = [], [], 0
    for start, end in extensions:
        if media[start + 1] == 0xFF and media[start + 2 : start + 14] == GIF_NAME:
            stores.append(containers.gif_data(media, start + 14))
            kept.append(media[at:start])
            at = end
    return b"".join([*kept, media[at:]]), stores


def _jpeg(media: bytes) -> tuple[bytes, list[bytes]]:
    """Application segments 11 that carry JUMBF: those with one box instance number are one store, cut in pieces."""
    kept, stores, at = [], {}, 0
    for marker, start, end in containers.jpeg_segments(media):
        if marker != 0xEB or media[start + 4 : start + 6] != b"JP" or end - start < 20:
            continue
        instance, box = media[start + 6 : start + 8], media[start + 12 : start + 20]
        if instance in stores:
            stores[instance] += media[start + 20 : end]  # every piece repeats the box's header
        elif STORE in media[start + 20 : start + 64]:
            stores[instance] = box + media[start + 20 : end]
        else:
            continue
        kept.append(media[at:start])
        at = end
    return b"".join([*kept, media[at:]]), list(stores.values())


def _mp4(media: bytes) -> tuple[bytes, list[bytes]]:
    kept, stores, removed = [], [], []
    for kind, start, end in containers.mp4_boxes(media):
        if kind == b"uuid" and media[start + 8 : start + 24] == MP4_UUID:
            stores.append(_mp4_store(media[start + 24 : end]))
            removed.append((start, end - start))
        else:
            kept.append(media[start:end])
    if not removed:
        return media, []
    return _moved_back(b"".join(kept), removed), stores


def _mp4_store(content: bytes) -> bytes:
    """The store after version and flags, the purpose (text up to a NUL) and an offset of eight bytes."""
    end = content.find(b"\0", 4)
    return content[end + 9 :] if end >= 0 else b""


def _moved_back(media: bytes, removed: list[tuple[int, int]]) -> bytes:
    """Chunk offsets of every track lowered by what was taken out before the place they point to."""
    out = bytearray(media)
    for kind, start, end in _inside(media, 0, len(media), (b"moov", b"trak", b"mdia", b"minf", b"stbl")):
        if kind not in OFFSETS:
            continue
        form, size = OFFSETS[kind]
        count = int.from_bytes(media[start + 12 : start + 16], "big")
        if count * size > end - start - 16:
            raise MediaError("The MP4 is damaged: a table of offsets lies about its length.")
        for at in range(start + 16, start + 16 + count * size, size):
            (offset,) = struct.unpack_from(form, media, at)
            lower = sum(length for where, length in removed if where < offset)
            struct.pack_into(form, out, at, max(0, offset - lower))
    return bytes(out)


def _inside(media: bytes, start: int, end: int, opened: tuple[bytes, ...]):
    """(type, start, end) of the boxes between two places; of the first kind named those inside it too, and so on."""
    at = start
    while at + 8 <= end:
        length, kind = struct.unpack_from(">I4s", media, at)
        header = 8
        if length == 1 and at + 16 <= end:
            length, header = int.from_bytes(media[at + 8 : at + 16], "big"), 16
        if length < header or at + length > end:
            return
        yield kind, at, at + length
        if opened and kind == opened[0]:
            yield from _inside(media, at + header, at + length, opened[1:])
        at += length


SPLITTERS = {
    "image/png": _png,
    "image/gif": _gif,
    "image/jpeg": _jpeg,
    "image/webp": _riff,
    "audio/wav": _riff,
    "video/mp4": _mp4,
}
