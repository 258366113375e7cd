"""Fashion-MNIST as everybody knows it."""

import numpy as np
import pytest

from genlab.data import DataError, load
from genlab.data.fashion import read_idx, write_idx


@pytest.mark.parametrize(("split", "each"), [("train", 6000), ("test", 1000)])
def test_the_official_split(split, each):
    data = load("fashion", split)
    assert data.items.shape == (10 * each, 1, 28, 28)
    assert data.items.dtype == np.uint8
    assert data.labels.dtype == np.int64
    assert np.bincount(data.labels).tolist() == [each] * 10
    assert len(data.names) == 10
    assert data.licence == "MIT"
    assert "zalandoresearch" in data.attribution
    assert len(data.caveats) >= 2
    assert len(data) == 10 * each
    assert data.items.mean() == pytest.approx(73, abs=1)


def test_no_test_item_is_a_training_item():
    rows = [{item.tobytes() for item in load("fashion", split).items} for split in ("train", "test")]
    assert len(rows[0] & rows[1]) <= 10  # the data set is known to hold a few pictures twice


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="Data sets are fashion"):
        load("imagenet")
    with pytest.raises(ValueError, match="Splits are train and test"):
        load("fashion", "validation")


def test_idx_files_go_there_and_back(tmp_path):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    write_idx(tmp_path / "a", array)
    assert np.array_equal(read_idx(tmp_path / "a"), array)


@pytest.mark.parametrize("raw", [b"", b"\0\0", b"\0\0\x09\x01\0\0\0\1\0", b"PNG...."])
def test_other_files_are_refused(tmp_path, raw):
    (tmp_path / "a").write_bytes(raw)
    with pytest.raises(DataError, match="not an IDX file"):
        read_idx(tmp_path / "a")
