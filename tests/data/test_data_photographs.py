"""Photographs: which are trained on and which never are, how they are cut; no file is fetched here."""

import numpy as np
import pytest
from PIL import Image

from genlab.data import photographs


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Two small pictures in the place of the real ones: left half dark, right half light."""
    pixels = np.zeros((700, 900, 3), np.uint8)
    pixels[:, 450:] = 200
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file in files:
        Image.fromarray(pixels).save(file)
    monkeypatch.setattr(photographs, "test_files", lambda: files)
    photographs.load.cache_clear()
    yield files
    photographs.load.cache_clear()


def test_no_photograph_is_in_both_splits():
    tested = {name for files in photographs.LOMIRI.values() for name in files}
    tested |= {*photographs.SKIMAGE, *photographs.SKLEARN}
    assert not tested & {f"{name}.jpg" for name in photographs.TRAINED}
    assert photographs.PLASMA not in photographs.LOMIRI
    digests = [d for files in photographs.LOMIRI.values() for d in files.values()] + [*photographs.TRAINED.values()]
    assert len(set(digests)) == len(digests)


def test_test_squares_are_centred_first_and_then_cut_at_random_but_always_alike(pictures):
    found = photographs.test_pictures(64)
    assert len(found) == 50
    name, middle = found[0]
    assert name == "a.png"
    assert middle.shape == (64, 64, 3)
    assert middle[:, :30].max() < 10  # the edge is in the middle
    assert middle[:, 34:].min() > 190
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(found, photographs.test_pictures(64), strict=True))
    assert len({name for name, _ in found[2:]}) == 48
    data = photographs.load("test")
    assert data.items.shape == (50, 3, 256, 256)
    assert data.items.dtype == np.uint8


def test_tiles_do_not_overlap_and_come_at_three_sizes(tmp_path):
    """A ramp from left to right: each tile's mean says where it was cut."""
    ramp = np.linspace(0, 255, 1024)[None, :, None] + np.zeros((640, 1, 3))
    Image.fromarray(ramp.astype(np.uint8)).save(tmp_path / "ramp.jpg", quality=95)
    tiles = photographs.tiles(tmp_path / "ramp.jpg")
    assert len(tiles) == 2 * 3 + 3 * 4 + 5 * 8
    assert all(tile.shape == (128, 128, 3) for tile in tiles)
    means = [tile.mean() for tile in tiles[-40:-32]]  # the first row at the largest size
    assert np.all(np.diff(means) > 20)
