"""Perceptual hashes: what PDQ promises, the eight views, and a search that misses nothing within its radius."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from audits.provenance import MediaError, looks
from audits.provenance.nearest import SURE, TAIL, Nearest
from audits.provenance.perceptual import VIEWS, distance, hashed, print_of


def smooth(seed=0, size=(260, 180)):
    """A picture of blobs of three sizes: nothing repeats in it, and every frequency that is hashed is there."""
    rng, pixels = np.random.default_rng(seed), np.zeros((size[1], size[0], 3))
    for cells, weight in ((5, 0.4), (11, 0.35), (24, 0.25)):
        noise = rng.integers(0, 256, (cells, cells + cells // 3, 3), dtype=np.uint8)
        pixels += weight * np.asarray(Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC), float)
    return pixels.round().clip(0, 255).astype(np.uint8)


def saved(pixels, format, **options):
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, format, **options)
    return out.getvalue()


def test_half_of_the_bits_are_set_whatever_the_picture():
    for seed in range(20):
        assert np.bitwise_count(print_of(smooth(seed)).views).sum(1).tolist() == [128] * 8


def test_the_bits_are_frequencies_above_their_median():
    """One cosine of frequency (3, 5) stands out: it is above the median, or below it when it is turned over."""
    n = np.arange(64)
    wave = np.outer(np.cos(np.pi / 128 * 3 * (2 * n + 1)), np.cos(np.pi / 128 * 5 * (2 * n + 1)))
    noise = np.random.default_rng(0).normal(size=(64, 64))
    for sign in (1, -1):
        words = hashed((128 + sign * 60 * wave + noise).astype(np.float32)).upright
        bits = np.unpackbits(words.astype(">u8").view(np.uint8)).reshape(16, 16)
        assert bits[2, 4] == (sign > 0)


def test_unrelated_pictures_differ_in_half_of_the_bits():
    prints = np.stack([print_of(smooth(seed)).upright for seed in range(60)])
    apart = distance(prints[:, None], prints[None])[~np.eye(60, dtype=bool)]
    assert 120 < apart.mean() < 136
    assert apart.min() > 60


VIEWED = {
    "as it is": lambda a: a,
    "mirrored": lambda a: a[:, ::-1],
    "upside down": lambda a: a[::-1],
    "turned by 180°": lambda a: np.rot90(a, 2),
    "transposed": lambda a: a.swapaxes(0, 1),
    "turned by 90°": lambda a: np.rot90(a, -1),
    "turned by 270°": lambda a: np.rot90(a),
    "transposed about the other diagonal": lambda a: np.rot90(a, 2).swapaxes(0, 1),
}


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_found_named_and_undone(view):
    """The eight hashes of a view are those of the picture in another order, and undoing the view gives the pixels."""
    pixels = smooth()
    seen = print_of(VIEWED[view](pixels))
    away = distance(seen.views, print_of(pixels).upright)
    assert VIEWS[int(away.argmin())] == view
    assert away.min() <= 4
    assert (looks.turned(VIEWED[view](pixels), view) == pixels).all()


EDITS = {
    "JPEG 30": lambda a: looks.decoded(saved(a, "JPEG", quality=30), "image/jpeg"),
    "WebP 50": lambda a: looks.decoded(saved(a, "WEBP", quality=50), "image/webp"),
    "half size": lambda a: np.asarray(Image.fromarray(a).resize((130, 90))),
    "three times": lambda a: np.asarray(Image.fromarray(a).resize((780, 540))),
    "grey": lambda a: np.asarray(Image.fromarray(a).convert("L")),
    "64 colours": lambda a: np.asarray(Image.fromarray(a).quantize(64).convert("RGB")),
    "darker": lambda a: (a * 0.6).astype(np.uint8),
    "blurred": lambda a: np.asarray(Image.fromarray(a).filter(ImageFilter.GaussianBlur(2))),
    "noisy": lambda a: (a + np.random.default_rng(0).normal(0, 12, a.shape)).clip(0, 255).astype(np.uint8),
    "mode P": lambda a: looks.decoded(saved(a, "GIF"), "image/gif"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edits_stay_close_and_alike(edit):
    for seed in range(4):
        pixels = smooth(seed)
        edited = EDITS[edit](pixels)
        assert distance(print_of(edited).upright, print_of(pixels).upright) <= 31
        assert looks.likeness(edited, looks.thumbnail(pixels), "as it is") > 0.97


def test_a_thumbnail_tells_other_pictures_apart():
    thumbs = [looks.thumbnail(smooth(seed)) for seed in range(10)]
    for i in range(10):
        alike = [looks.likeness(smooth(i), thumb, "as it is") for thumb in thumbs]
        assert int(np.argmax(alike)) == i
        assert sorted(alike)[-2] < 0.8
    assert max(Image.open(io.BytesIO(thumbs[0])).size) == looks.THUMBNAIL


def test_flat_pictures_are_plain():
    assert print_of(np.full((50, 60), 7, np.uint8)).quality == 0
    assert looks.look(saved(np.full((50, 60), 7, np.uint8), "PNG"), "image/png").plain
    assert looks.look(saved(np.zeros((1, 1, 3), np.uint8), "PNG"), "image/png").plain
    assert not looks.look(saved(smooth(), "PNG"), "image/png").plain


def test_transparency_is_laid_on_white():
    clear = np.zeros((8, 8, 4), np.uint8)
    clear[:4, :, 3] = 255
    assert (looks.decoded(saved(clear, "PNG"), "image/png")[:4] == 0).all()
    assert (looks.decoded(saved(clear, "PNG"), "image/png")[4:] == 255).all()


def test_a_bomb_is_refused_by_its_header():
    bomb = saved(np.zeros((10, 10), np.uint8), "GIF")
    bomb = bomb[:6] + (65_000).to_bytes(2, "little") * 2 + bomb[10:]
    with pytest.raises(MediaError, match="64,000,000"):
        looks.look(bomb, "image/gif")
    with pytest.raises(MediaError, match="damaged"):
        looks.look(saved(smooth(), "JPEG")[:-900], "image/jpeg")
    assert looks.look(b"RIFF....WAVE", "audio/wav") is None


def test_the_search_finds_exactly_what_counting_finds():
    rng = np.random.default_rng(0)
    stored = rng.integers(0, 2**64, (TAIL + 20_000, 4), dtype=np.uint64)
    index = Nearest()
    index.add(stored[:1000])
    index.add(stored[1000 : TAIL + 9000])  # sorted into the tables by now
    index.add(stored[TAIL + 9000 :])  # still in the tail
    assert 0 < index._sorted < len(index) == len(stored)
    rows = rng.integers(0, len(stored), 60)
    queries = stored[rows].copy()
    for i, query in enumerate(queries):
        for bit in rng.choice(256, i % (SURE + 1), replace=False):
            query[bit // 64] ^= np.uint64(1 << (int(bit) % 64))
    found = set(zip(*(a.tolist() for a in index.within(queries, SURE)), strict=True))
    apart = np.bitwise_count(stored[:, None] ^ queries[None]).sum(-1)
    expected = {(int(r), int(q), int(apart[r, q])) for r, q in np.argwhere(apart <= SURE)}
    assert found == expected
    assert len(expected) == 60
    assert np.array_equal(index.hashes, stored)
    assert (np.diff(index.within(queries, SURE)[2]) >= 0).all()


def test_an_empty_index_finds_nothing():
    assert all(len(a) == 0 for a in Nearest().within(np.zeros((8, 4), np.uint64), 40))
