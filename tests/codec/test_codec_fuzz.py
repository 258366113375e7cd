"""Any bytes at all to the decoder: pixels that went in, or one sentence; no other exception, no other pixels."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from little_vae import vae

from genlab.codec import archive, classical
from genlab.codec.bits_back import Coder
from genlab.codec.container import MAGIC, Archive, ContainerError, Stream, checksum, read, varint, write
from genlab.codec.lossless import Learned

LEARNED = Learned("vae-little", "ab" * 32, vae())
CALM = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
ITEMS = [np.random.default_rng(i).integers(60, 99, (8, 8, 1)).astype(np.uint8) for i in range(3)]
CODED = Stream(
    "bits-back", ((8, 8, 1),) * 3, Coder(LEARNED.model).encode(np.stack(ITEMS).transpose(0, 3, 1, 2)), "vae-little",
    LEARNED.stamp,
)  # fmt: skip


def load(name: str) -> Learned:
    if name != "vae-little":
        raise ContainerError("There is no such model here.")
    return LEARNED


def seeds() -> list[bytes]:
    """Real files: coded by the model, and in each classical way."""
    found = [write(Archive(("a", "b", "c"), (CODED,), checksum(ITEMS), (b"", b"claim", b"")))]
    for way in classical.WAYS:
        stream = Stream("classical", ((8, 8, 1),) * 3, classical.encode(ITEMS, allowed=[way]))
        found.append(write(Archive(("a", "b", "c"), (stream,), checksum(ITEMS))))
    return found


SEEDS = seeds()


def decode(raw: bytes) -> None:
    """Decode, and check the promise: a sentence, or pixels that match the checksum."""
    told = ""
    try:
        found = archive.decode(raw, load, limits=archive.Limits(learned=8))
    except ValueError as error:
        told = str(error)
    if told:
        assert told.endswith(".")
        assert "\n" not in told
    else:
        assert checksum(found.items) == read(raw).checksum


def mended(raw: bytearray) -> bytes:
    """The file with checksums that fit again, as somebody hostile would write them."""
    try:
        start, shift, size = 5, 0, 0
        while True:
            byte = raw[start]
            size |= (byte & 127) << shift
            start, shift = start + 1, shift + 7
            if byte < 128:
                break
        end = start + size
        raw[end - 4 : end] = struct.pack("<I", zlib.crc32(raw[end + 4 :]))
        raw[end : end + 4] = struct.pack("<I", zlib.crc32(raw[:end]))
    except (IndexError, struct.error):
        pass
    return bytes(raw)


@pytest.mark.parametrize("seed", range(len(SEEDS)))
def test_the_real_files_decode(seed):
    found = archive.decode(SEEDS[seed], load)
    assert all(np.array_equal(a, b) for a, b in zip(found.items, ITEMS, strict=True))


@CALM
@given(some.binary(max_size=300))
def test_any_bytes(raw):
    decode(raw)
    decode(MAGIC + raw)
    decode(MAGIC + b"\1" + raw)
    decode(mended(bytearray(MAGIC + b"\1" + varint(len(raw)) + raw + bytes(4))))


@CALM
@given(
    some.integers(0, len(SEEDS) - 1),
    some.lists(some.tuples(some.integers(0, 10**6), some.integers(0, 255)), min_size=1, max_size=6),
    some.integers(0, 3),
    some.booleans(),
)
def test_changed_files(seed, changes, cut, mend):
    raw = bytearray(SEEDS[seed])
    for at, value in changes:
        raw[at % len(raw)] = value
    if cut:
        raw = raw[: -cut * 4]
    decode(mended(raw) if mend else bytes(raw))


@CALM
@given(some.binary(max_size=200), some.integers(1, 4), some.sampled_from(["classical", "bits-back"]))
def test_any_payload(payload, count, kind):
    model = ("vae-little", LEARNED.stamp) if kind == "bits-back" else ("", b"")
    stream = Stream(kind, ((8, 8, 1),) * count, payload, *model)
    decode(write(Archive(tuple(f"a{i}" for i in range(count)), (stream,), b"checksum")))


@CALM
@given(
    some.lists(some.tuples(some.integers(1, 9), some.integers(1, 9), some.integers(1, 4)), min_size=1, max_size=4),
    some.lists(some.text(max_size=20), min_size=4, max_size=4),
    some.integers(0, 2**32 - 1),
)
def test_any_pictures_under_any_names_come_back(shapes, names, seed):
    rng = np.random.default_rng(seed)
    items = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]
    back = archive.decode(archive.encode(names[: len(items)], items), load)
    assert all(np.array_equal(a, b) for a, b in zip(back.items, items, strict=True))
    assert len(set(back.names)) == len(items)
