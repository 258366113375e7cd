"""Tiles for the codec: which photographs, none of them among those that are tested on; no file is fetched here."""

import numpy as np
from PIL import Image

from genlab.data import photograph_tiles, photographs


def test_no_photograph_is_in_both_splits():
    trained = {*photograph_tiles.TRAINED.values(), *photographs.TRAINED.values()}
    tested = {digest for files in photographs.LOMIRI.values() for digest in files.values()}
    assert len(trained) == 23
    assert not trained & tested
    assert not {*photograph_tiles.TRAINED} & {*photographs.SKIMAGE, *photographs.SKLEARN}


def test_tiles_come_at_four_sizes_with_drawings_among_them(tmp_path, monkeypatch):
    Image.fromarray(np.full((1200, 1920, 3), 90, np.uint8)).save(tmp_path / "a.jpg")
    monkeypatch.setattr(photograph_tiles, "TRAINED", {"a.jpg": ""})
    monkeypatch.setattr(photographs, "TRAINED", {})
    monkeypatch.setattr(photographs, "obtain_trained", lambda: tmp_path)
    monkeypatch.setattr(photograph_tiles, "obtain", lambda *_, **__: tmp_path)
    monkeypatch.setattr(photographs, "drawings", lambda: [np.full((128, 128, 3), 200, np.uint8)])
    photograph_tiles.load.cache_clear()
    try:
        data = photograph_tiles.load("train")
    finally:
        photograph_tiles.load.cache_clear()
    assert data.items.shape == (2 * 3 + 3 * 4 + 5 * 8 + 7 * 12 + 1, 3, 160, 160)
    assert data.labels.sum() == 1
    assert (data.items[-1] == 200).all()
