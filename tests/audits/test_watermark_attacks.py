"""The attacks do what their names say."""

import numpy as np
import pytest

from audits.watermark.attacks import ATTACKS


@pytest.fixture(scope="module")
def picture():
    rng = np.random.default_rng(0)
    return (rng.random((32, 40, 3)).repeat(2, 0).repeat(2, 1) * 255).astype(np.uint8)


def test_there_are_thirty():
    assert len(ATTACKS) == 30


@pytest.mark.parametrize("name", ATTACKS)
def test_each_changes_the_picture_the_same_way_twice_and_leaves_its_input(name, picture):
    before = picture.copy()
    once, twice = ATTACKS[name](picture), ATTACKS[name](picture)
    assert once.dtype == np.uint8
    assert once.ndim == 3
    assert (once == twice).all()
    assert (picture == before).all()
    assert once.shape != picture.shape or (once != picture).any()


def test_sizes_and_directions(picture):
    height, width = picture.shape[:2]
    assert ATTACKS["crop50"](picture).shape == (height // 2, width // 2, 3)
    assert ATTACKS["crop50+back"](picture).shape == picture.shape
    assert ATTACKS["rot90"](picture).shape == (width, height, 3)
    assert (ATTACKS["rot90"](picture)[0] == picture[:, -1]).all()
    assert (ATTACKS["hflip"](picture)[:, 0] == picture[:, -1]).all()
    assert (ATTACKS["shift3px"](picture)[0, 0] == picture[3, 3]).all()
    assert ATTACKS["screenshot"](picture).shape == (round(height * 0.9), round(width * 0.9), 3)
    grey = ATTACKS["grayscale"](picture)
    assert (grey == grey[..., :1]).all()
    assert len(np.unique(ATTACKS["palette32"](picture).reshape(-1, 3), axis=0)) <= 32
    noise = ATTACKS["noise.05"](np.full((64, 64, 3), 128, np.uint8)).astype(float) - 128
    assert abs(noise.std() - 12.75) < 0.6
