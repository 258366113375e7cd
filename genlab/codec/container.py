"""The `.glz` file: what a header says about the pictures in it, and the bytes that they became.

    magic (4), version (1), length of the header, header, CRC-32 of all before it (4), payloads, claims

Whole numbers are varints (seven bits a byte, the lowest first). The header holds names, streams (kind, model and first
eight bytes of its weights' SHA-256, shapes, quality, length), a checksum of the pixels and the CRC-32 of what follows
it. Everything is checked before anything is decoded, and nothing of a size that the header claims is set aside before.
"""

import hashlib
import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genlab.codec.names import LONGEST_NAME, ContainerError, check_names

MAGIC, VERSION = b"\x8fGLZ", 1
SUFFIX = ".glz"
KINDS = ("classical", "bits-back", "lossy", "autoregressive")  # by the number that stands in the file: append only
LEARNED = ("bits-back", "lossy", "autoregressive")
ITEMS, SIDE, PIXELS = 100_000, 65_535, 64_000_000  # most of each that a file may hold
LONGEST_TEXT = 4 * 2**20
COUNTER = re.compile(r"^(.*?)(\d{1,9})$", re.DOTALL)

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Stream:
    """Pictures that were coded together.

    Attributes:
        kind: one of `KINDS`.
        shapes: (height, width, channels) of each; channels are grey, grey and alpha, RGB, or RGB and alpha.
        payload: what the coder wrote.
        model, weights: name, and first eight bytes of the weights' SHA-256, of the model that is needed ("" and b"").
        quality: what was asked of a lossy coder.
    """

    kind: str
    shapes: tuple[Shape, ...]
    payload: bytes
    model: str = ""
    weights: bytes = b""
    quality: float = 0.0


@dataclass(frozen=True)
class Archive:
    """What a file holds: a name for each picture in the order of the streams, and its signed claim or b""."""

    names: tuple[str, ...]
    streams: tuple[Stream, ...]
    checksum: bytes
    claims: tuple[bytes, ...] = ()

    @property
    def shapes(self) -> tuple[Shape, ...]:
        return tuple(shape for stream in self.streams for shape in stream.shapes)


def checksum(items: Sequence[np.ndarray]) -> bytes:
    """The first eight bytes of the SHA-256 of shapes and pixels (h, w, c) of the pictures in order."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(repr(item.shape).encode())
        digest.update(np.ascontiguousarray(item).tobytes())
    return digest.digest()[:8]


def _counted(names: Sequence[str]) -> bytes | None:
    """The names as one beginning and a counter, where they are that."""
    match = COUNTER.match(names[0]) if len(names) > 1 else None
    if not match:
        return None
    stem, digits = match.groups()
    start, width = int(digits), len(digits)
    if any(name != f"{stem}{start + i:0{width}d}" for i, name in enumerate(names)):
        return None
    return text(stem) + varint(start) + varint(width)


# ---- writing


def varint(n: int) -> bytes:
    """A whole number from 0, seven bits a byte."""
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


def text(s: str) -> bytes:
    """A string with its length before it."""
    raw = s.encode()
    return varint(len(raw)) + raw


def write(archive: Archive) -> bytes:
    """The file.

    Raises:
        ContainerError: there is too much in it, or a name is not safe.
    """
    names, shapes = archive.names, archive.shapes
    if not 0 < len(names) == len(shapes) <= ITEMS:
        raise ContainerError(f"An archive holds 1 to {ITEMS:,} pictures; {len(names):,} were given.")
    for shape in shapes:
        _check_shape(shape, ContainerError("A picture has a size that the file cannot hold."))
    if sum(h * w for h, w, _ in shapes) > PIXELS:
        raise ContainerError(f"An archive holds up to {PIXELS // 10**6} million pixels: make several.")
    check_names(names)
    counted = _counted(names)
    listed = b"\1" + counted if counted else b"\0" + _packed("\n".join(names).encode())
    claims = _packed(b"".join(varint(len(c)) + c for c in archive.claims)) if any(archive.claims) else b""
    body = b"".join(stream.payload for stream in archive.streams) + claims
    header = varint(len(names)) + listed + varint(len(archive.streams))
    header += b"".join(_stream_header(stream) for stream in archive.streams)
    header += varint(len(claims)) + archive.checksum + struct.pack("<I", zlib.crc32(body))
    head = MAGIC + bytes([VERSION]) + varint(len(header)) + header
    return head + struct.pack("<I", zlib.crc32(head)) + body


def _packed(raw: bytes) -> bytes:
    """Bytes with their length and, where that is shorter, deflated: length, 0 or 1, content."""
    small = zlib.compress(raw, 9)
    content, flag = (small, 1) if len(small) < len(raw) else (raw, 0)
    return varint(len(content)) + bytes([flag]) + content


def _stream_header(stream: Stream) -> bytes:
    shapes = stream.shapes
    alike = len(set(shapes)) == 1
    parts = [bytes([KINDS.index(stream.kind)]), varint(len(shapes)), bytes([alike])]
    parts += [varint(n) for shape in (shapes[:1] if alike else shapes) for n in shape]
    if stream.kind in LEARNED:
        parts += [text(stream.model), stream.weights]
    if stream.kind == "lossy":
        parts.append(struct.pack("<f", stream.quality))
    return b"".join([*parts, varint(len(stream.payload))])


# ---- reading


def read(raw: bytes) -> Archive:
    """What a file holds, nothing of it decoded yet.

    Raises:
        ContainerError: it is no such file, damaged, cut short, of a later version, or claims what cannot be.
    """
    if raw[:4] != MAGIC:
        raise ContainerError(f"This is not a {SUFFIX} file: it does not begin like one.")
    if len(raw) < 6:
        raise ContainerError("The file is cut short: its header is not complete.")
    if raw[4] != VERSION:
        raise ContainerError(f"The file is of version {raw[4]}, this program reads version {VERSION}: update it.")
    start = Reader(raw, 5)
    size = start.varint(LONGEST_TEXT)
    end = start.at + size
    if end + 4 > len(raw):
        raise ContainerError("The file is cut short: its header is not complete.")
    if struct.unpack_from("<I", raw, end)[0] != zlib.crc32(raw[:end]):
        raise ContainerError("The file's header is damaged: its checksum is wrong.")
    head = Reader(raw[:end], start.at)
    count = head.varint(ITEMS)
    names = _names(head, count)
    many = head.varint(ITEMS)
    if not 0 < many <= count:
        raise ContainerError("The file's header is contradictory: it names no streams, or more than pictures.")
    budget, heads = [count, PIXELS], []
    for _ in range(many):
        heads.append(_stream_from(head, budget))
    claims_length, total, crc = head.varint(len(raw)), head.take(8), struct.unpack("<I", head.take(4))[0]
    if budget[0] or head.at != end:
        raise ContainerError("The file's header is contradictory: its counts do not fit.")
    body = raw[end + 4 :]
    if sum(length for _, length in heads) + claims_length != len(body):
        more = "cut short" if sum(n for _, n in heads) + claims_length > len(body) else "longer than it says"
        raise ContainerError(f"The file is {more}.")
    if zlib.crc32(body) != crc:
        raise ContainerError("The file's content is damaged: its checksum is wrong.")
    streams, at = [], 0
    for stream, length in heads:
        streams.append(Stream(**{**vars(stream), "payload": body[at : at + length]}))
        at += length
    return Archive(names, tuple(streams), total, _claims(body[at:], count))


class Reader:
    """Takes bytes one after the other; what is not there is one sentence."""

    def __init__(self, raw: bytes, at: int = 0):
        self.raw, self.at = raw, at

    def take(self, n: int) -> bytes:
        if n > len(self.raw) - self.at:
            raise ContainerError("The file is cut short.")
        self.at += n
        return self.raw[self.at - n : self.at]

    def varint(self, most: int) -> int:
        """A whole number from 0 to `most`."""
        n = shift = 0
        while True:
            byte = self.take(1)[0]
            n |= (byte & 127) << shift
            shift += 7
            if byte < 128 and n <= most:
                return n
            if shift > 63 or n > most:
                raise ContainerError("The file's header claims a count or size beyond what such a file can hold.")

    def text(self, longest: int) -> str:
        try:
            return self.take(self.varint(longest)).decode()
        except UnicodeDecodeError:
            raise ContainerError("The file's header holds text that is not UTF-8.") from None


def _unpacked(reader: Reader) -> bytes:
    content_length = reader.varint(LONGEST_TEXT)
    flag, content = reader.take(1)[0], reader.take(content_length)
    if not flag:
        return content
    unzip = zlib.decompressobj()
    try:
        raw = unzip.decompress(content, LONGEST_TEXT)
    except zlib.error:
        raise ContainerError("The file's header is damaged.") from None
    if not unzip.eof:
        raise ContainerError("The file's header claims a count or size beyond what such a file can hold.")
    return raw


def _names(head: Reader, count: int) -> tuple[str, ...]:
    if not count:
        raise ContainerError("The file holds no picture.")
    if head.take(1)[0]:
        stem, start, width = head.text(4 * LONGEST_NAME), head.varint(10**9), head.varint(9)
        names = [f"{stem}{start + i:0{width}d}" for i in range(count)]
    else:
        try:
            names = _unpacked(head).decode().split("\n")
        except UnicodeDecodeError:
            raise ContainerError("The file's header holds text that is not UTF-8.") from None
    if len(names) != count:
        raise ContainerError("The file's header is contradictory: its counts do not fit.")
    check_names(names)
    return tuple(names)


def _stream_from(head: Reader, budget: list[int]) -> tuple[Stream, int]:
    """A stream without its payload, and the payload's length; what it holds is taken off (pictures, pixels)."""
    kind, count, alike = head.take(1)[0], head.varint(ITEMS), head.take(1)[0]
    if kind >= len(KINDS):
        raise ContainerError("The file is coded in a way that this program does not know: update it.")
    budget[0] -= count
    if not count or budget[0] < 0:
        raise ContainerError("The file's header is contradictory: its counts do not fit.")
    wrong = ContainerError("The file's header claims a picture of a size that such a file cannot hold.")
    shapes = []
    for _ in range(1 if alike else count):
        shape = (head.varint(2**63), head.varint(2**63), head.varint(2**63))
        _check_shape(shape, wrong)
        shapes.append(shape)
        budget[1] -= shape[0] * shape[1] * (count if alike else 1)
        if budget[1] < 0:
            raise wrong
    name, weights = (head.text(4 * LONGEST_NAME), head.take(8)) if KINDS[kind] in LEARNED else ("", b"")
    quality = struct.unpack("<f", head.take(4))[0] if KINDS[kind] == "lossy" else 0.0
    length = head.varint(2**40)
    return Stream(KINDS[kind], tuple(shapes) * (count if alike else 1), b"", name, weights, quality), length


def _check_shape(shape: Shape, wrong: ContainerError) -> None:
    h, w, c = shape
    if not (0 < h <= SIDE and 0 < w <= SIDE and 1 <= c <= 4 and h * w <= PIXELS):
        raise wrong


def _claims(block: bytes, count: int) -> tuple[bytes, ...]:
    if not block:
        return ()
    outer = Reader(block)
    reader = Reader(_unpacked(outer))
    claims = [reader.take(reader.varint(LONGEST_TEXT)) for _ in range(count)]
    if reader.at != len(reader.raw) or outer.at != len(block):
        raise ContainerError("The file's claims are damaged.")
    return tuple(claims)
