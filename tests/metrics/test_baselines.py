"""Trivial generators: what they must be by construction."""

import numpy as np
import pytest

from genlab.data import Data
from genlab.metrics.baselines import BASELINES, baseline


@pytest.fixture(scope="module")
def data() -> Data:
    """Two classes of 8x8... large enough for 64 components: bright squares on the left or on the right."""
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    items = rng.integers(0, 40, (400, 1, 10, 10), dtype=np.uint8)
    items[labels == 0, :, :, :4] += 200
    items[labels == 1, :, :, 6:] += 200
    return Data("toy", "train", items, labels, ("left", "right"), "MIT", "nobody")


@pytest.mark.parametrize("name", BASELINES)
def test_shape_range_labels_and_repeatability(data, name):
    items, labels = baseline(name, data, count=31, seed=3)
    again, _ = baseline(name, data, count=31, seed=3)
    other, _ = baseline(name, data, count=31, seed=4)
    assert items.shape == (31, 1, 10, 10)
    assert items.dtype == np.float32
    assert 0 <= items.min() <= items.max() <= 1
    assert labels.tolist() == [i % 2 for i in range(31)]
    assert np.array_equal(items, again)
    assert not np.array_equal(items, other)


@pytest.mark.parametrize("name", ["mixture", "mixup"])
def test_items_belong_to_their_class(data, name):
    items, labels = baseline(name, data, count=60)
    left, right = items[:, 0, :, :4].mean((1, 2)), items[:, 0, :, 6:].mean((1, 2))
    assert ((left > right) == (labels == 0)).all()


def test_mixup_lies_between_two_items_of_the_class(data):
    items, labels = baseline("mixup", data, count=10)
    for item, label in zip(items, labels, strict=True):
        own = data.items[data.labels == label] / 255
        assert (item <= own.max(0) + 1e-6).all()
        assert (item >= own.min(0) - 1e-6).all()


def test_unknown_name(data):
    with pytest.raises(ValueError, match="Baselines are"):
        baseline("gan", data, count=1)
