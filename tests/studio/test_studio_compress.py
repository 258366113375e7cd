"""Compressing in the studio: a visitor's files come back unmarked, claims only where they hold, bad asks are told."""

import dataclasses
import io
import lzma

import numpy as np
import pytest
from PIL import Image
from small_models import VAE, picture

from audits.provenance import Claim, Key, read_claim, seal
from genlab.codec import archive
from genlab.codec.container import Archive, read, write
from genlab.data import examples
from genlab.studio import compare, marking, shelf
from genlab.studio.compress import compress, decompress
from genlab.studio.generate import generate
from genlab.studio.rivals import AIMS, coded, lossy_codecs, psnr, rivals
from genlab.studio.verify import verify


@pytest.fixture
def coding_shelf(small_shelf, tmp_path, monkeypatch):
    """The small shelf with a VAE of grey values on it."""
    import shutil

    import torch

    from genlab import checkpoint
    from genlab.models import build

    folder = tmp_path / "shelf"
    shutil.copytree(small_shelf, folder)
    arguments = VAE | {"likelihood": "logistic"}
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = build("vae", arguments)
    recipe = {"family": "vae", "data": "fashion", "model": arguments, "steps": 1, "seed": 0}
    checkpoint.save(model, folder / "vae-coding", name="vae-coding", recipe=recipe, trained_on={"data": "fashion"})
    monkeypatch.setenv("GENLAB_SHELF", str(folder))
    return folder


def item_file(number: int = 3) -> bytes:
    return compare.example("fashion", number)[1]


def pixels(media: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(media)) as image:
        return np.asarray(image)


def test_a_visitors_picture_comes_back_as_it_was_and_unmarked():
    made = compress(["../../mine.png", "other.png"], [picture(), item_file()])
    back = decompress(made.file)
    assert [p.name for p in back] == ["mine", "other"]
    for p, given in zip(back, (picture(), item_file()), strict=True):
        assert np.array_equal(pixels(p.media), pixels(given))
        assert p.sealed is None
        assert verify(p.media).verdict == "no evidence"


def test_a_model_of_the_shelf_codes_when_it_is_asked_to(coding_shelf, monkeypatch):
    from genlab.codec import classical

    monkeypatch.setattr(classical, "encode", lambda items: b"\0" * 10**6)
    items = [item_file(i) for i in range(3)]
    made = compress(["a", "b", "c"], items, model="vae-coding")
    assert made.coders == ("vae-coding, bits back",) * 3
    for p, given in zip(decompress(made.file), items, strict=True):
        assert np.array_equal(pixels(p.media), pixels(given))
    assert compress(["a"], items[:1]).coders == made.coders[:1]  # found by its shape alone
    with pytest.raises(ValueError, match="2 are allowed"):
        decompress(made.file, limits=archive.Limits(learned=2))
    import shutil

    shutil.rmtree(coding_shelf / "vae-coding")
    with pytest.raises(ValueError, match="needs the model 'vae-coding', which is not here"):
        decompress(made.file)


def test_what_was_made_here_is_sealed_again():
    made = generate("gan-small", seed=5, count=1).pictures[0]
    file = compress(["made.png"], [made.media]).file
    (back,) = decompress(file)
    assert back.sealed is not None
    assert read_claim(back.media) == made.claim
    assert np.array_equal(pixels(back.media), pixels(made.media))
    assert verify(back.media).verdict == "made here"


def other_pixels(file: bytes) -> bytes:
    """The file with its claim, but with the pixels of another picture."""
    held, foreign = read(file), read(archive.encode(["x"], [np.zeros((224, 224, 1), np.uint8)]))
    return write(Archive(held.names, foreign.streams, foreign.checksum, held.claims))


def test_a_claim_moved_to_other_pixels_seals_nothing():
    file = compress(["made.png"], [generate("gan-small", seed=5, count=1).pictures[0].media]).file
    (back,) = decompress(other_pixels(file))
    assert back.sealed is None
    assert "other pixels" in back.note
    assert verify(back.media).verdict == "no evidence"


def test_a_claim_of_another_key_seals_nothing(monkeypatch):
    file = compress(["made.png"], [generate("gan-small", seed=5, count=1).pictures[0].media]).file
    stranger = Key.of(b"the key of somebody else")
    monkeypatch.setattr(marking, "key", lambda: stranger)
    (back,) = decompress(file)
    assert back.sealed is None
    assert "not signed here" in back.note


def test_an_unsigned_or_broken_claim_seals_nothing():
    foreign = seal(picture(), "image/png", Claim("gan-small", "w", "generate", 1))  # anybody can write that
    assert read(compress(["x"], [foreign.media]).file).claims == ()
    plain = read(compress(["x"], [picture()]).file)
    (back,) = decompress(write(Archive(plain.names, plain.streams, plain.checksum, (b"{not json",))))
    assert back.sealed is None
    assert "cannot be read" in back.note


@pytest.mark.parametrize(("asked", "sentence"), [
    ({"names": [], "media": []}, "No picture was given"),
    ({"quality": "high"}, "The quality is a number"),
    ({"quality": 101}, "The quality is a number"),
    ({"quality": float("nan")}, "The quality is a number"),
    ({"quality": True}, "The quality is a number"),
    ({"quality": 50}, "No model on the shelf codes with a loss yet"),
    ({"model": "nobody"}, "Models are"),
    ({"model": "gan-small"}, "gan-small codes nothing without loss"),
    ({"model": "vae-small"}, "vae-small codes nothing without loss"),
    ({"media": [b"nonsense"]}, "not a PNG"),
    ({"names": ["a", "b"], "media": [picture(), b""]}, "b: The file is not a PNG"),
])  # fmt: skip
def test_bad_asks_are_one_sentence(asked, sentence):
    with pytest.raises(ValueError, match=sentence) as told:
        compress(**({"names": ["a"], "media": [picture()]} | asked))
    assert str(told.value).endswith(".")


def test_nobody_fills_the_house():
    with pytest.raises(ValueError, match="513 pictures were given; 512 are allowed"):
        compress(["a"] * 513, [picture()] * 513)
    file = archive.encode(["a"] * 513, [np.zeros((1, 1, 1), np.uint8)] * 513)
    with pytest.raises(ValueError, match="513 pictures; 512 are allowed"):
        decompress(file)


class Halver:
    """A stand-in for a lossy codec: keeps the upper bits."""

    qualities = (1.0, 100.0)

    def compress(self, pixels, *, quality):
        return bytes([0, *pixels.shape[:2]]) + lzma.compress((pixels // 32 * 32).tobytes())

    def decompress(self, payload):
        return np.frombuffer(lzma.decompress(payload[3:]), np.uint8).reshape(payload[1], payload[2], 3)


@pytest.fixture
def with_loss(monkeypatch):
    """A shelf with a lossy codec on it."""
    from genlab.codec.lossless import Learned
    from genlab.studio import compress as studio

    entry = dataclasses.replace(shelf.entry("gan-small"), name="halver")
    monkeypatch.setattr(studio, "codecs", lambda: [entry])
    real = studio.load
    monkeypatch.setattr(
        studio, "load", lambda name: Learned(name, "ef" * 32, Halver()) if name == "halver" else real(name)
    )


@pytest.mark.parametrize("aim", AIMS)
def test_a_lossy_codec_is_compared_too(with_loss, aim):
    for item in (photograph(), photograph()[..., 0]):
        file = io.BytesIO()
        Image.fromarray(item).save(file, "PNG")
        found = compare.compare("x.png", file.getvalue(), quality=40, aim=aim)
        assert found.ours.setting == "halver, quality 40"
        assert 20 < found.ours.psnr < 40
        lossy = [c for c in found.others if c.file]
        if aim == AIMS[0]:
            assert all(c.size <= found.ours.size for c in lossy)
        else:
            assert all(c.psnr >= found.ours.psnr for c in lossy)
        before, after, residual, _ = compare.views(found, compare.OURS)
        assert pixels(before).shape == pixels(after).shape
        assert pixels(residual).any()
        (back,) = decompress(found.made.file)
        assert np.array_equal(back.item, found.made.back[0])
        assert back.sealed is None


def test_a_lossy_copy_of_our_own_is_sealed_as_one(with_loss):
    made = generate("gan-small", seed=5, count=1).pictures[0]
    file = compress(["made.png"], [made.media], quality=40).file
    if not any(s.kind == "lossy" for s in read(file).streams):
        pytest.skip("the stand-in is no smaller here")
    (back,) = decompress(file)
    assert back.sealed.claim.action == "compress"
    assert back.sealed.claim.inputs["made by"] == "generate"
    assert back.sealed.claim.knobs["quality"] == 40
    assert verify(back.media).verdict == "made here"


def photograph() -> np.ndarray:
    """A smooth colour picture with an edge, (96, 128, 3)."""
    y, x = np.mgrid[:96, :128]
    waves = [127 + 90 * np.sin(x / 17 + k) * np.cos(y / 13 - k) for k in range(3)]
    made = np.stack(waves, 2) + 30 * (x > 70)[..., None]
    return np.clip(made + np.random.default_rng(0).normal(0, 3, made.shape), 0, 255).astype(np.uint8)


def test_others_keep_to_the_size():
    item = photograph()
    found = {c.codec: c for c in rivals(item, size=6000, quality=30.0, aim=AIMS[0])}
    for codec in lossy_codecs():
        assert found[codec].size <= 6000
        quality = int(found[codec].setting.split()[1])
        assert quality == 100 or coded(item, codec, quality + 1).size > 6000  # the best that fits
    assert found["PNG"].psnr == float("inf")


def test_others_keep_to_the_quality():
    item = photograph()
    for c in rivals(item, size=1, quality=32.0, aim=AIMS[1]):
        assert c.psnr >= 32.0
        if c.file:
            assert coded(item, c.codec, int(c.setting.split()[1]) - 1).psnr < 32.0  # the smallest that is no worse


def test_where_a_codec_cannot_go_its_end_is_given():
    found = {c.codec: c for c in rivals(photograph(), size=10, quality=30.0, aim=AIMS[0])}
    assert found["JPEG"].setting == "quality 0"
    assert found["JPEG"].size > 10


def test_the_ratio_is_that_of_the_textbook():
    a = np.zeros((4, 4, 1), np.uint8)
    assert psnr(a, a) == float("inf")
    assert psnr(a, a + 255) == pytest.approx(0)
    assert psnr(a, a + 1) == pytest.approx(48.1308, abs=1e-3)


def test_a_comparison_shows_what_was_measured(coding_shelf):
    found = compare.compare("item.png", item_file(), share=60)
    assert found.ours.size == len(found.made.file)
    assert sum(bits for _, bits in found.spent.parts) == pytest.approx(8 * len(found.made.file), rel=1e-6)
    assert found.spent.pixels.shape == (28, 28)
    assert (found.spent.pixels >= 0).all()
    for which in found.lossy():
        before, after, residual, bits = compare.views(found, which)
        assert pixels(before).shape[:2] == pixels(bits).shape[:2] == (224, 224)
        same = np.array_equal(pixels(before), pixels(after))
        assert same == (which == compare.OURS)
        assert bool(pixels(residual).any()) != same
    with pytest.raises(ValueError, match="What is shown is of Ours"):
        compare.views(found, "GIF")
    with pytest.raises(ValueError, match="share of our file"):
        compare.compare("item.png", item_file(), share=0)
    with pytest.raises(ValueError, match="the same size"):
        compare.compare("item.png", item_file(), aim="everything")


def test_the_bits_of_a_model_are_those_of_its_file(coding_shelf, monkeypatch):
    from genlab.codec import classical

    monkeypatch.setattr(classical, "encode", lambda items: b"\0" * 10**6)
    made = compress(["a"], [item_file()])
    spent = compare.bit_map.spent(made.file, made.items[0])
    assert spent.exact
    parts = dict(spent.parts)
    assert parts["pixels, given the latents"] == pytest.approx(spent.pixels.sum())
    assert 0 <= parts["the coder's own header, and whole words"] < 8 * 16 + 64 + 70


def test_shipped_items_are_the_examples():
    assert compare.shipped()["fashion"] == len(examples.load("fashion"))
    assert np.array_equal(pixels(item_file(7)), examples.load("fashion").items[7, 0])
    for wrong in (("nothing", 0), ("fashion", 10**6), ("fashion", "x"), ("../fashion", 0)):
        with pytest.raises(shelf.StudioError):
            compare.example(*wrong)


def test_pictures_of_any_mode_are_compared():
    for array in (np.zeros((5, 7), np.uint8), photograph()[:9, :9], np.dstack([photograph()[:9, :9], np.eye(9) * 255])):
        file = io.BytesIO()
        Image.fromarray(array.astype(np.uint8)).save(file, "PNG")
        found = compare.compare("x.png", file.getvalue())
        for which in found.lossy():
            assert len(compare.views(found, which)) == 4


def test_large_pictures_are_left_to_the_command():
    file = io.BytesIO()
    Image.new("1", (2500, 2500)).save(file, "PNG")
    with pytest.raises(ValueError, match="2,500 x 2,500"):
        compare.compare("x.png", file.getvalue())
