"""Archives of small pictures: exact round trips whatever the batch and the threads, sizes, damaged bytes."""

import numpy as np
import pytest
import torch

from genlab.codec import items, tables
from genlab.models.item_codec import ItemCodec


@pytest.fixture(scope="module")
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = ItemCodec(shape=(1, 8, 12), latents=5, width=16, blocks=(1, 1))
        for parameter in made.parameters():
            parameter.data.add_(0.05 * torch.randn_like(parameter))
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(0, 256, (70, 1, 8, 12)).astype(np.uint8)


def record(monkeypatch) -> list[tuple[np.ndarray, np.ndarray]]:
    """Every call that writes or reads numbers: (numbers, tables)."""
    seen = []
    put, take = tables.Writer.put, tables.Reader.take
    monkeypatch.setattr(items.Writer, "put", lambda self, v, i: (seen.append((v, i)), put(self, v, i))[1])

    def taking(self, index):
        values = take(self, index)
        seen.append((values, index))
        return values

    monkeypatch.setattr(items.Reader, "take", taking)
    return seen


@pytest.mark.parametrize("quality", [1, 42.5, 100])
def test_the_same_numbers_come_back_under_the_same_tables(model, pictures, quality, monkeypatch):
    seen = record(monkeypatch)
    raw = items.encode(model, pictures, quality)
    written = seen.copy()
    seen.clear()
    decoded = items.decode(model, raw)
    assert decoded.shape == pictures.shape
    assert len(written) == len(seen) == 6
    for (values, index), (back, again) in zip(written, seen, strict=True):
        assert np.array_equal(values, back)
        assert np.array_equal(index, again)
    bits = sum(tables.cost(values, index).sum() for values, index in written)
    assert abs(8 * len(raw) - bits) <= 0.01 * bits + 160


def test_threads_and_the_size_of_the_archive_change_nothing(model, pictures):
    raw = items.encode(model, pictures, 60)
    decoded = items.decode(model, raw)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert items.encode(model, pictures, 60) == raw
        assert np.array_equal(items.decode(model, raw), decoded)
    finally:
        torch.set_num_threads(threads)
    alone = items.decode(model, items.encode(model, pictures[33:34], 60))
    assert np.array_equal(alone[0], decoded[33])


def test_a_finer_quality_is_nearer_and_larger(model, pictures):
    coarse, fine = (items.encode(model, pictures, quality) for quality in (1, 100))
    assert len(coarse) < len(fine)


def test_what_cannot_be_coded_is_refused(model, pictures):
    for wrong in (pictures[:, :, :4], pictures.astype(float), pictures[:0], pictures[0]):
        with pytest.raises(ValueError, match="Items are uint8"):
            items.encode(model, wrong, 50)
    for quality in (0, 101, float("nan")):
        with pytest.raises(ValueError, match="1 to 100"):
            items.encode(model, pictures, quality)


def test_damaged_archives_are_refused(model, pictures):
    raw = items.encode(model, pictures, 50)
    for end in (0, 2, 3, 4, 20, len(raw) - 1):
        with pytest.raises(ValueError, match="damaged"):
            items.decode(model, raw[:end])
    with pytest.raises(ValueError, match="damaged"):
        items.decode(model, tables.with_check(raw[:-4] + b"x"))
    with pytest.raises(ValueError, match="update"):
        items.decode(model, tables.with_check(b"\x09" + raw[1:-4]))
    for place in range(6, len(raw), 29):
        harmed = bytearray(raw)
        harmed[place] ^= 16
        with pytest.raises(ValueError, match="damaged"):
            items.decode(model, bytes(harmed))
    with pytest.raises(ValueError, match="damaged"):
        items.decode(model, tables.with_check(raw[:3] + tables.varint(2**30) + raw[4:-4]))
