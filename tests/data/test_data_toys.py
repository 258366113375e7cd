"""Toys: what is drawn is what `MODES` says; stacked digits and emoji are made of what they should be."""

import numpy as np
import pytest
from scipy.stats import kstest

from genlab.data import Data, emoji, load, mnist, stacked_digits, toys


@pytest.mark.parametrize("name", toys.NAMES)
def test_points_lie_in_the_unit_square_and_each_split_is_its_own_draw(name):
    train, test = load(name), load(name, "test")
    for data in (train, test):
        assert data.items.dtype == np.float32
        assert data.items.shape == (toys.COUNTS[data.split], 2)
        assert data.labels.dtype == np.int64
        assert data.items.min() >= 0
        assert data.items.max() <= 1
        assert 0.15 < data.items.std() < 0.35
    assert not set(map(tuple, train.items)) & set(map(tuple, test.items))


@pytest.mark.parametrize(("name", "count"), [("ring", 8), ("grid", 25)])
def test_modes_are_equal_gaussians_around_their_centres(name, count):
    data, modes = load(name), toys.MODES[name]
    assert modes.centres.shape == (count, 2)
    assert len(data.names) == count
    expected = len(data) / count
    assert np.abs(np.bincount(data.labels, minlength=count) - expected).max() < 5 * expected**0.5
    offsets = (data.items - modes.centres[data.labels]) / modes.deviation
    assert kstest(offsets.ravel(), "norm").pvalue > 1e-3
    gaps = np.linalg.norm(modes.centres[:, None] - modes.centres, axis=2) + np.eye(count)
    assert gaps.min() >= 40 * modes.deviation - 1e-9  # no point of one mode is nearer to another


def test_a_visitors_points_are_kept_and_others_refused():
    drawn = [[0.1, 0.9], [0.5, 0.5]]
    data = toys.from_points(drawn)
    assert isinstance(data, Data)
    assert np.array_equal(data.items, np.array(drawn, np.float32))
    assert data.labels.tolist() == [0, 0]
    for wrong in ([], [[0.1, 0.2, 0.3]], [0.1, 0.2]):
        with pytest.raises(ValueError, match="rows of two numbers"):
            toys.from_points(wrong)
    for wrong in ([[0.1, 1.2]], [[-0.1, 0.2]], [[np.nan, 0.2]]):
        with pytest.raises(ValueError, match="unit square"):
            toys.from_points(wrong)


def test_stacked_digits_show_three_digits_of_one_split(monkeypatch):
    """On 40 digits whose grey value says which they are."""
    labels = np.arange(40) % 10
    items = np.broadcast_to((20 * labels + 5).astype(np.uint8)[:, None, None, None], (40, 1, 28, 28))
    made = Data("mnist", "test", items, labels.astype(np.int64), mnist.NAMES, "", "")
    monkeypatch.setattr(mnist, "load", lambda split: made)
    data = stacked_digits.load.__wrapped__("test")
    assert data.items.shape == (40, 3, 28, 28)
    read = (data.items[:, :, 0, 0].astype(int) - 5) // 20
    assert np.array_equal(read @ [100, 10, 1], data.labels)
    assert all(np.array_equal(np.bincount(channel), np.full(10, 4)) for channel in read.T)  # every digit once a channel
    assert len(set(map(tuple, read))) > 10  # in an order of its own
    assert np.allclose(stacked_digits.shares(), 1e-3)


def test_the_role_of_an_emoji_has_neither_tone_nor_gender():
    for person in ("1f468", "1f469", "1f9d1"):
        for tone in ("", "-1f3fb", "-1f3ff"):
            assert emoji.role_of(f"{person}{tone}-200d-1f373.png") == "1f9d1-200d-1f373"
    assert emoji.role_of("1f46e-1f3fd-200d-2640-fe0f.png") == emoji.role_of("1f46e.png") == "1f46e"
    assert emoji.role_of("1f600.png") != emoji.role_of("1f601.png")
