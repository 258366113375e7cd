"""Compressed photographs: exact numbers back, any size, no seams, sizes on disk against entropies, damaged bytes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genlab.codec import lossy, tables
from genlab.models.photo_codec import PhotoCodec


def small(blocks=(1, 1)) -> PhotoCodec:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = PhotoCodec(channels=12, merged=4, hyper=4, width=8, polish=4, levels=3, blocks=blocks)
        for parameter in made.parameters():
            parameter.data.add_(0.02 * torch.randn_like(parameter))
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def model():
    return small()


def picture(height: int, width: int, *, noise: float = 12, seed: int = 0) -> np.ndarray:
    """A slope, an edge and some noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    shade = 60 + 100 * y / max(height, 2) + 40 * (x > width // 2)
    return (shade[..., None] + rng.normal(0, noise, (height, width, 3))).clip(0, 255).astype(np.uint8)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return 10 * np.log10(255**2 / np.square(a.astype(float) - b).mean())


def record(monkeypatch) -> list[tuple[np.ndarray, np.ndarray]]:
    """Every call that writes or reads numbers: (numbers, tables)."""
    seen = []
    put, take = tables.Writer.put, tables.Reader.take
    monkeypatch.setattr(lossy.Writer, "put", lambda self, v, i: (seen.append((v, i)), put(self, v, i))[1])

    def taking(self, index):
        values = take(self, index)
        seen.append((values, index))
        return values

    monkeypatch.setattr(lossy.Reader, "take", taking)
    return seen


@pytest.mark.parametrize("quality", [1, 33.33, 50, 100])
def test_the_same_numbers_come_back_under_the_same_tables_and_cost_what_they_say(model, quality, monkeypatch):
    seen = record(monkeypatch)
    raw = lossy.encode(model, picture(150, 200), quality)
    written = seen.copy()
    seen.clear()
    decoded = lossy.decode(model, raw)
    assert decoded.shape == (150, 200, 3)
    assert len(written) == len(seen) == 5
    for (values, index), (back, again) in zip(written, seen, strict=True):
        assert np.array_equal(values, back)
        assert np.array_equal(index, again)
    bits = sum(tables.cost(values, index).sum() for values, index in written)
    assert abs(8 * len(raw) - bits) <= 0.01 * bits + 160


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 10_000), (17, 33), (64, 64), (100, 31), (1030, 20)])
def test_any_size(model, height, width):
    pixels = picture(height, width)
    raw = lossy.encode(model, pixels, 80)
    decoded = lossy.decode(model, raw)
    assert decoded.shape == pixels.shape
    assert decoded.dtype == np.uint8


def test_where_the_bits_go_adds_up_and_follows_the_detail(model, monkeypatch):
    monkeypatch.setattr(lossy, "TILE", 64)
    pixels = picture(128, 192, noise=0)
    pixels[:, 96:] = picture(128, 96, noise=40)
    found, raw = lossy.spent(model, pixels, 80), lossy.encode(model, pixels, 80)
    assert found.shape == (8, 12)
    assert found.sum() == pytest.approx(8 * len(raw), rel=0.03)
    assert found[:, 6:].sum() > 2 * found[:, :6].sum()


def test_an_untrained_model_is_a_transform_codec_already():
    """Before training the transforms are the DCT: finer steps, nearer pictures, all but the cut frequencies."""
    model, pixels = PhotoCodec(channels=192, merged=32, width=8).eval().requires_grad_(False), picture(96, 96, noise=1)
    coarse, fine = (psnr(pixels, lossy.decode(model, lossy.encode(model, pixels, quality))) for quality in (1, 100))
    assert coarse < fine
    assert fine > 36


def test_threads_change_nothing(model):
    pixels = picture(160, 230)
    raw = lossy.encode(model, pixels, 70)
    decoded = lossy.decode(model, raw)
    threads = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            assert lossy.encode(model, pixels, 70) == raw
            assert np.abs(lossy.decode(model, raw).astype(int) - decoded).max() <= 1
    finally:
        torch.set_num_threads(threads)


def test_a_layer_is_exact_whatever_the_order_of_its_sums():
    """The largest numbers it may see, added forwards, backwards and in whole numbers."""
    from genlab.models.exact import GRID, WEIGHTS, Exact

    rng = np.random.default_rng(0)
    layer = torch.nn.Linear(1152, 3)
    layer.weight.data = torch.from_numpy(rng.uniform(-8, 8, (3, 1152))).float()
    x = torch.from_numpy(np.rint(rng.uniform(-128, 128, (5, 1152)) * GRID * 8) / (GRID * 8))
    exact, flipped = Exact(layer), Exact(layer)
    flipped.weight = flipped.weight.flip(1)
    assert torch.equal(exact(x), flipped(x.flip(1)))
    whole = (x.numpy() * GRID * 8).astype(object) @ (exact.weight.T.numpy() * WEIGHTS).astype(object)
    sums = torch.tensor(whole.astype(float)) / (GRID * 8 * WEIGHTS)
    assert torch.equal(torch.nn.functional.linear(x, exact.weight), sums)


def test_a_layer_whose_sums_could_round_is_refused():
    from genlab.models.exact import Exact

    with pytest.raises(ValueError, match="sums 1,153"):
        Exact(torch.nn.Linear(1153, 3))


@pytest.mark.parametrize("blocks", [(1, 1), (1, 2), (2, 1)])
def test_the_transforms_see_no_farther_than_sight(blocks):
    """So that tiles with that much around them show no seam: a change beyond it changes nothing."""
    model = small(blocks)
    far = torch.rand(1, 3, 16, 16 * 24, generator=torch.Generator().manual_seed(0))
    near = far.clone()
    edge = 16 * 12
    near[..., edge + model.sight :] = 0
    for before, after in zip(model.analyse(far), model.analyse(near), strict=True):
        kept = before.shape[3] // 2
        assert torch.equal(before[..., :kept], after[..., :kept])
        assert not torch.equal(before, after)
    coarse, fine = model.analyse(far)
    shown = model.synthesise(coarse, fine)
    places = (edge + model.sight) // 16
    coarse[..., places:], fine[..., 2 * places :] = 9, 9
    assert torch.equal(shown[..., :edge], model.synthesise(coarse, fine)[..., :edge])


def test_tiles_leave_no_seam(model, monkeypatch):
    """Cut into nine tiles or not, the error at the cuts is that of the rest."""
    monkeypatch.setattr(lossy, "TILE", 64)
    pixels = picture(150, 180)
    decoded = lossy.decode(model, lossy.encode(model, pixels, 100))
    error = np.abs(decoded.astype(float) - pixels).mean((0, 2))
    assert error[60:68].mean() < 1.25 * error.mean()


def test_what_cannot_be_coded_is_refused(model):
    good = picture(20, 20)
    for wrong in (good[..., :2], good.astype(float), good[:0], good[0]):
        with pytest.raises(ValueError, match="Pixels are uint8"):
            lossy.encode(model, wrong, 50)
    for quality in (0, 100.5, float("nan")):
        with pytest.raises(ValueError, match="1 to 100"):
            lossy.encode(model, good, quality)
    with pytest.raises(ValueError, match="sides up to"):
        lossy.encode(model, np.zeros((1, 70_000, 3), np.uint8), 50)


def test_damaged_payloads_are_refused(model):
    raw = lossy.encode(model, picture(80, 90), 50)
    for end in (0, 1, 3, 5, 6, 7, 20, len(raw) // 2, len(raw) - 1):
        with pytest.raises(ValueError, match="damaged"):
            lossy.decode(model, raw[:end])
    with pytest.raises(ValueError, match="damaged"):
        lossy.decode(model, tables.with_check(raw[:-4] + b"x"))
    with pytest.raises(ValueError, match="update"):
        lossy.decode(model, tables.with_check(b"\x09" + raw[1:-4]))
    hostile = tables.with_check(raw[:3] + tables.varint(10**9) + tables.varint(10**9) + raw[5:-4])
    with pytest.raises(ValueError, match="damaged"):
        lossy.decode(model, hostile)
    wide = tables.with_check(raw[:3] + tables.varint(60_000) + tables.varint(2_000) + raw[5:40])
    with pytest.raises(ValueError, match="damaged"):
        lossy.decode(model, wide)
    for place in range(9, len(raw), 37):
        harmed = bytearray(raw)
        harmed[place] ^= 4
        with pytest.raises(ValueError, match="damaged"):
            lossy.decode(model, bytes(harmed))


@given(st.binary(max_size=300), st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_bytes_give_a_picture_or_one_sentence(raw, headed):
    if headed:
        raw = tables.with_check(b"\x01\x88\x13" + tables.varint(30) + tables.varint(20) + raw)
    try:
        pixels = lossy.decode(FUZZED, raw)
    except ValueError as error:
        sentence = str(error)
        if not sentence.endswith("."):
            raise
    else:
        assert pixels.shape == (30, 20, 3) or not headed


FUZZED = small()
