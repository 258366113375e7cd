"""The palette oracle on portraits whose tone is known."""

import numpy as np
import pytest

from genlab.data import portraits
from genlab.metrics import palette


def test_it_names_the_tone_of_drawn_portraits():
    items, groups = portraits.draw(200, portraits.MIXES["portraits-balanced"], first_seed=2_000_000)
    assert (palette.tones(items) == groups["tone"]).mean() > 0.97
    assert np.array_equal(palette.tones(items), palette.tones(items / 255))


def test_it_says_so_where_no_skin_is_seen():
    blank = np.full((3, 3, 64, 64), 255, np.uint8)
    blue = np.zeros((2, 3, 64, 64), np.uint8)
    blue[:, 2] = 200
    assert palette.tones(blank).tolist() == [-1, -1, -1]
    assert palette.tones(blue).tolist() == [-1, -1]


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="Portraits are"):
        palette.tones(np.zeros((2, 1, 64, 64)))
