"""The container: what goes in comes out, and whatever else is given is one sentence."""

import struct
import zlib

import numpy as np
import pytest

from genlab.codec import archive
from genlab.codec.container import (
    ITEMS,
    MAGIC,
    Archive,
    ContainerError,
    Stream,
    checksum,
    read,
    text,
    varint,
    write,
)
from genlab.codec.names import check_names, safe_names


def held(n: int = 3, **changed) -> Archive:
    names = tuple(f"picture-{i:02d}" for i in range(n))
    stream = Stream("bits-back", ((8, 8, 1),) * n, b"payload", "vae-little", b"12345678")
    return Archive(**({"names": names, "streams": (stream,), "checksum": b"checksum"} | changed))


def crafted(header: bytes, body: bytes = b"", version: int = 1) -> bytes:
    """A file with any header, its checksum right: what somebody hostile would write."""
    head = MAGIC + bytes([version]) + varint(len(header)) + header
    return head + struct.pack("<I", zlib.crc32(head)) + body


def header(*, count=1, names=None, streams=None, body=b"") -> bytes:
    names = b"\0" + varint(1) + b"\0" + b"a" if names is None else names
    streams = varint(1) + stream() if streams is None else streams
    return varint(count) + names + streams + varint(0) + b"checksum" + struct.pack("<I", zlib.crc32(body))


def stream(kind=0, count=1, alike=1, shape=(1, 1, 1), length=0, extra=b"") -> bytes:
    return bytes([kind]) + varint(count) + bytes([alike]) + b"".join(map(varint, shape)) + extra + varint(length)


def test_an_archive_comes_back():
    shapes = ((4, 5, 3), (1, 10_000, 4))
    streams = (
        Stream("bits-back", ((8, 8, 1),) * 2, b"abc", "vae-little", b"12345678"),
        Stream("classical", shapes, b""),
        Stream("lossy", ((7, 7, 3),), b"xyz", "photo-codec", b"87654321", 30.5),
    )
    given = Archive(("a", "b", "c", "d", "ünï"), streams, b"checksum", (b"", b"claim", b"", b"", b"{}"))
    assert read(write(given)) == given


@pytest.mark.parametrize("names", [
    ("one",), tuple(f"fashion-{i:05d}" for i in range(1000)), tuple(f"x{i}" for i in range(12)),
    ("a9", "a10", "b11"), ("007", "008"), ("x" * 120, "y"),
])  # fmt: skip
def test_names_come_back(names):
    given = Archive(names, (Stream("classical", ((1, 1, 1),) * len(names), b""),), b"checksum")
    assert read(write(given)).names == names


def test_a_thousand_counted_names_cost_a_few_bytes():
    few, many = (len(write(held(n))) for n in (2, 1000))
    assert many - few < 8


@pytest.mark.parametrize(("given", "kept"), [
    (["../../etc/passwd"], ["passwd"]), (["/abs/olute.png"], ["olute"]), (["..\\..\\evil.png"], ["evil"]),
    (["a.png", "a.jpg", "A.gif"], ["a", "a-2", "A-3"]), ([".hidden"], ["hidden"]), (["..."], ["picture"]),
    ([""], ["picture"]), (["nul\0byte.png"], ["nul_byte"]), (["con.png"], ["con_"]), (["new\nline.png"], ["new_line"]),
    (["right\u202eleft.png"], ["right_left"]), (["x" * 500 + ".png"], ["x" * 120]), (["a.tar.gz"], ["a.tar"]),
    (["y" * 119 + " z"], ["y" * 119]),
])  # fmt: skip
def test_names_are_made_safe(given, kept):
    assert list(safe_names(given)) == kept
    check_names(safe_names(given))


@pytest.mark.parametrize("name", [
    "../x", "a/b", "a\\b", "a\0b", "", ".", "..", " x", "x ", "x.", "con", "LPT1", "a\nb", "a:b", "a\u202eb", "y" * 200,
])  # fmt: skip
def test_a_file_with_an_unsafe_name_is_refused(name):
    names = b"\0" + varint(len(name.encode())) + b"\0" + name.encode()
    with pytest.raises(ContainerError) as told:
        read(crafted(header(names=names)))
    assert str(told.value).endswith(".")
    with pytest.raises(ContainerError):
        write(held(1, names=(name,)))


def test_the_same_name_many_times_is_numbered_soon():
    found = safe_names(["a-3.png", *["a.png"] * 20_000])
    assert found[:5] == ("a-3", "a", "a-2", "a-4", "a-5")
    assert len(set(found)) == 20_001


def test_the_same_name_twice_is_refused():
    with pytest.raises(ContainerError, match="same name"):
        read(crafted(header(count=2, names=b"\0" + varint(3) + b"\0" + b"a\nA", streams=varint(1) + stream(count=2))))


def test_the_crafted_file_is_otherwise_read():
    assert read(crafted(header())).names == ("a",)  # else the refusals here would say nothing


MANY = b"\1" + text("a") + varint(0) + varint(1)  # any number of counted names
BOMB = zlib.compress(b"a" * 2**23, 9)
HOSTILE = {
    "a picture of 10^9 x 10^9": header(streams=varint(1) + stream(shape=(10**9, 10**9, 3))),
    "65,535 x 65,535": header(streams=varint(1) + stream(shape=(65_535, 65_535, 3))),
    "many large ones": header(count=9000, names=MANY, streams=varint(1) + stream(count=9000, shape=(8000, 8000, 1))),
    "no pixel": header(streams=varint(1) + stream(shape=(0, 4, 1))),
    "five channels": header(streams=varint(1) + stream(shape=(1, 1, 5))),
    "10^9 pictures": header(count=10**9),
    "no picture": header(count=0),
    "no stream": header(streams=varint(0)),
    "more streams than pictures": header(streams=varint(2) + stream() + stream()),
    "fewer in streams": header(count=2, names=b"\1" + text("a") + varint(0) + varint(1)),
    "an empty stream": header(streams=varint(1) + stream(count=0)),
    "an unknown kind": header(streams=varint(1) + stream(kind=99)),
    "a payload of a terabyte": header(streams=varint(1) + stream(length=2**39)),
    "a payload that is not there": header(streams=varint(1) + stream(length=10)),
    "a number without end": b"\xff" * 40,
    "a name of a gigabyte": header(names=b"\0" + varint(2**30) + b"\0" + b"a"),
    "a bomb of names": header(names=b"\0" + varint(len(BOMB)) + b"\1" + BOMB),
    "names that are not deflated": header(names=b"\0" + varint(3) + b"\1" + b"abc"),
    "names that are not UTF-8": header(names=b"\0" + varint(2) + b"\0" + b"\xff\xfe"),
    "a counter of 10^9 names": header(count=ITEMS, names=b"\1" + text("a") + varint(10**9 + 1) + varint(1)),
    "bytes after the header": header() + b"more",
    "nothing": b"",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers_are_one_sentence(name):
    with pytest.raises(ContainerError) as told:
        read(crafted(HOSTILE[name]))
    assert str(told.value).endswith(".")
    assert "\n" not in str(told.value)


def test_every_byte_is_covered_by_a_checksum():
    raw = write(held(2, claims=(b"one", b"two")))
    for i in range(len(raw)):
        for bit in (1, 128):
            flipped = bytearray(raw)
            flipped[i] ^= bit
            with pytest.raises(ContainerError):
                read(bytes(flipped))


def test_every_cut_and_every_addition_is_noticed():
    raw = write(held(2))
    for n in range(len(raw)):
        with pytest.raises(ContainerError):
            read(raw[:n])
    with pytest.raises(ContainerError, match="longer"):
        read(raw + b"\0")


def test_other_files_and_later_versions_say_what_they_are():
    with pytest.raises(ContainerError, match=r"not a \.glz file"):
        read(b"\x89PNG\r\n\x1a\n" + bytes(40))
    with pytest.raises(ContainerError, match="version 2"):
        read(crafted(header(), version=2))


def test_what_does_not_fit_is_not_written():
    with pytest.raises(ContainerError, match="1 to"):
        write(held(1, names=()))
    with pytest.raises(ContainerError, match="million pixels"):
        write(Archive(("a", "b"), (Stream("classical", ((8000, 8000, 1),) * 2, b""),), b"checksum"))
    with pytest.raises(ContainerError, match="size"):
        write(Archive(("a",), (Stream("classical", ((70_000, 1, 1),), b""),), b"checksum"))


def test_the_checksum_knows_shape_from_content():
    flat = np.zeros((2, 8, 1), np.uint8)
    assert checksum([flat]) != checksum([flat.reshape(8, 2, 1)])
    assert checksum([flat]) == checksum([flat.copy()])


def test_other_pixels_than_went_in_are_never_given_out(monkeypatch):
    item = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
    raw = archive.encode(["a"], [item])
    wrong = read(raw)
    forged = write(Archive(wrong.names, wrong.streams, b"mismatch"))
    with pytest.raises(ContainerError, match="not those that went in"):
        archive.decode(forged, lambda name: None)
