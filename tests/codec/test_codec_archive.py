"""Any pictures through a file and back, by models and by classical codecs, and what refuses to be decoded."""

import dataclasses

import numpy as np
import pytest
from little_vae import vae

from genlab.codec import archive, classical, lossless
from genlab.codec.archive import Limits
from genlab.codec.container import Archive, ContainerError, read, write
from genlab.codec.lossless import Learned

SHAPES = [(1, 1, 1), (1, 1, 4), (1, 10_000, 3), (10_000, 1, 1), (3, 5, 2), (40, 30, 3), (17, 9, 4), (8, 8, 1)]


def noise(shape, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def nobody(name):
    raise ContainerError(f"no model {name}.")


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("content", ["noise", "plain", "ramp"])
def test_any_picture_comes_back(shape, content):
    item = {
        "noise": noise(shape),
        "plain": np.full(shape, 7, np.uint8),
        "ramp": np.linspace(0, 255, np.prod(shape)).astype(np.uint8).reshape(shape),
    }[content]
    raw = archive.encode(["x.png"], [item])
    back = archive.decode(raw, nobody)
    assert np.array_equal(back.items[0], item)
    assert back.items[0].dtype == np.uint8
    assert back.exact
    assert not back.lossy


@pytest.mark.parametrize("way", classical.WAYS)
def test_each_classical_way_comes_back(way):
    items = [noise((6, 7, 3), i) for i in range(5)]
    payload = classical.encode(items, allowed=[way])
    assert classical.name_of(payload) == way
    back = classical.decode(payload, [item.shape for item in items])
    assert all(np.array_equal(a, b) for a, b in zip(back, items, strict=True))


def test_colours_under_full_transparency_are_kept():
    item = noise((9, 9, 4))
    item[..., 3] = 0
    for way in classical.WAYS:
        if way != "WebP sheet":
            payload = classical.encode([item], allowed=[way])
            assert np.array_equal(classical.decode(payload, [item.shape])[0], item)


def test_a_file_is_never_larger_than_the_best_classical_one_and_its_header():
    for shape in SHAPES:
        item = noise(shape)
        sizes = [len(classical.png(item)), len(classical.webp(item) or b"x" * 10**6)]
        assert len(archive.encode(["x"], [item])) <= min(sizes) + 60


def test_a_model_codes_where_it_is_shorter(learned):
    items = [np.random.default_rng(i).integers(90, 110, (8, 8, 1)).astype(np.uint8) for i in range(5)]
    stream = lossless.encode(items, [])
    assert stream.kind == "classical"
    raw = archive.encode([f"i{i}" for i in range(5)], items, models=[learned])
    back = archive.decode(raw, lambda name: learned)
    assert all(np.array_equal(a, b) for a, b in zip(back.items, items, strict=True))
    kinds = {s.kind for s in read(raw).streams}
    payload = lossless.coder_of(learned.model).encode(np.stack(items).transpose(0, 3, 1, 2))
    shorter = len(payload) + len(learned.name) + 9 < len(stream.payload)
    assert kinds == ({"bits-back"} if shorter else {"classical"})


@pytest.fixture
def by_model(learned, monkeypatch):
    """A file that the model coded, whether or not that is shorter; and its pictures."""
    monkeypatch.setattr(classical, "encode", lambda items: b"\0" * 10**6)
    items = [noise((8, 8, 1), i) for i in range(3)]
    raw = archive.encode(["a", "b", "c"], items, models=[learned])
    assert read(raw).streams[0].kind == "bits-back"
    return raw, items


def test_models_and_classical_codecs_share_a_file_in_order(learned, by_model):
    raw, items = by_model
    back = archive.decode(raw, lambda name: learned)
    assert back.names == ("a", "b", "c")
    assert all(np.array_equal(a, b) for a, b in zip(back.items, items, strict=True))


def test_runs_of_pictures_keep_their_order(learned):
    items = [noise((8, 8, 1), 0), noise((5, 5, 3), 1), noise((4, 4, 1), 2), noise((8, 8, 1), 3)]
    raw = archive.encode(list("abcd"), items, models=[learned])
    assert len(read(raw).streams) == 3
    back = archive.decode(raw, lambda name: learned)
    assert all(np.array_equal(a, b) for a, b in zip(back.items, items, strict=True))


def test_a_missing_model_and_other_weights_are_one_sentence(learned, by_model):
    raw, _ = by_model
    with pytest.raises(ContainerError, match="no model vae-little"):
        archive.decode(raw, nobody)
    other = dataclasses.replace(learned, weights="cd" * 32)
    with pytest.raises(ContainerError, match="other weights"):
        archive.decode(raw, lambda name: other)


def test_another_model_under_the_same_hash_gives_no_wrong_pixels(by_model):
    raw, _ = by_model
    other = Learned("vae-little", "ab" * 32, vae(seed=5))
    with pytest.raises(ValueError, match=r"\.$"):
        archive.decode(raw, lambda name: other)


def test_a_model_of_another_kind_is_one_sentence(by_model):
    raw, _ = by_model
    for model in (vae(shape=(1, 12, 12)), vae(likelihood="gaussian")):
        with pytest.raises(ContainerError, match="codes no such pictures"):
            archive.decode(raw, lambda name, model=model: Learned("vae-little", "ab" * 32, model))


def test_nobody_can_ask_for_hours_of_decoding(learned, by_model):
    raw, _ = by_model
    with pytest.raises(ContainerError, match="2 are allowed"):
        archive.decode(raw, lambda name: learned, limits=Limits(learned=2))
    with pytest.raises(ContainerError, match="3 pictures; 2 are allowed"):
        archive.decode(raw, lambda name: learned, limits=Limits(pictures=2))
    with pytest.raises(ContainerError, match="192 pixels; 100 are allowed"):
        archive.decode(raw, lambda name: learned, limits=Limits(pixels=100))


def test_what_would_not_decode_is_not_written(learned, monkeypatch):
    items = [noise((8, 8, 1))]
    real = lossless.coder_of(learned.model)

    class Broken:
        shape = real.shape

        def encode(self, items, *, progress=None):
            return b"x"

        def decode(self, payload, count, *, progress=None):
            return np.zeros((count, 1, 8, 8), np.uint8)

    monkeypatch.setattr(lossless, "coder_of", lambda model: Broken())
    assert lossless.encode(items, [learned]).kind == "classical"
    monkeypatch.setattr(Broken, "decode", lambda *a, **k: (_ for _ in ()).throw(ValueError("no.")))
    assert lossless.encode(items, [learned]).kind == "classical"


def test_claims_are_kept_beside_their_pictures():
    items = [noise((4, 4, 1), i) for i in range(3)]
    raw = archive.encode(list("abc"), items, claims=lambda back: [b"", bytes([len(back)]), b"last"])
    assert archive.decode(raw, nobody).claims == (b"", b"\3", b"last")
    assert archive.decode(archive.encode(list("abc"), items), nobody).claims == (b"", b"", b"")


class Halver:
    """A stand-in for a lossy codec: keeps the upper bits."""

    qualities = (1.0, 100.0)

    def compress(self, pixels, *, quality):
        return classical.encode([pixels // 16 * 16])

    def decompress(self, payload):
        import struct

        (h, w) = struct.unpack(">II", payload[17:25])[::-1]
        return classical.decode(payload, [(h, w, 3)])[0]


class Rounder:
    """A stand-in for a lossy codec of many items of one shape: keeps the upper bits."""

    shape, qualities = (1, 8, 8), (1.0, 100.0)

    def compress_items(self, items, *, quality):
        return bytes([len(items)]) + (items // 32).tobytes()[::2]

    def decompress_items(self, payload):
        return np.repeat(np.frombuffer(payload[1:], np.uint8), 2).reshape(payload[0], 1, 8, 8) * 32


def test_items_of_one_shape_are_coded_together():
    codec = Learned("rounder", "ef" * 32, Rounder())
    items = [noise((8, 8, 1), 0), noise((8, 8, 1), 1), noise((2, 2, 3), 2), noise((8, 8, 1), 3)]
    raw = archive.encode(list("abcd"), items, models=[codec], quality=40.0)
    kinds = [(s.kind, len(s.shapes)) for s in read(raw).streams]
    assert kinds == [("lossy", 2), ("classical", 1), ("lossy", 1)]
    back = archive.decode(raw, lambda name: codec)
    assert back.lossy
    assert np.array_equal(back.items[1][:, ::2], items[1][:, ::2] // 32 * 32)
    assert np.array_equal(back.items[2], items[2])
    other = Learned("rounder", "ef" * 32, Halver())
    with pytest.raises(ContainerError, match="codes no such pictures"):
        archive.decode(raw, lambda name: other)


def test_a_lossy_codec_codes_where_it_is_smaller(monkeypatch):
    monkeypatch.setattr(classical, "WAYS", {"PNG": classical.WAYS["PNG"]})
    codec = Learned("halver", "ef" * 32, Halver())
    item = noise((30, 40, 3))
    raw = archive.encode(["p"], [item], models=[codec], quality=40.0)
    assert read(raw).streams[0].kind == "lossy"
    assert read(raw).streams[0].quality == 40.0
    back = archive.decode(raw, lambda name: codec)
    assert np.array_equal(back.items[0], item // 16 * 16)
    assert back.lossy
    assert back.exact
    plain = np.full((30, 40, 3), 9, np.uint8)
    assert archive.decode(archive.encode(["p"], [plain], models=[codec], quality=40.0), nobody).items[0][0, 0, 0] == 9
    elsewhere = read(raw)
    moved = write(Archive(elsewhere.names, elsewhere.streams, b"mismatch"))
    assert not archive.decode(moved, lambda name: codec).exact
    with pytest.raises(ContainerError, match="transparency"):
        archive.encode(["p"], [noise((3, 3, 4))], models=[codec], quality=40.0)
    with pytest.raises(ContainerError, match="No model"):
        archive.encode(["p"], [item], quality=40.0)
