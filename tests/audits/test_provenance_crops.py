"""Cut-outs: found by their sub-windows, put in their place, and told apart from parts of other pictures."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from test_provenance_examine import CLAIM, KEY
from test_provenance_perceptual import saved, smooth

from audits.provenance import crops, seal
from audits.provenance.crops import Rectangle, fitted, scanned_windows, stored_windows
from audits.provenance.examine import examine
from audits.provenance.ledger import Ledger
from audits.provenance.looks import decoded, thumbnail
from audits.provenance.lookup import PART, SLOPES
from audits.provenance.parts import PACKED, Parts, packed
from audits.provenance.perceptual import luma
from audits.provenance.recording import entry_of

SIZES = ((260, 180), (200, 200), (150, 300))


def cut(pixels, share, x, y):
    """A cut-out of so much of each side; x and y from 0 to 1 say where."""
    tall, wide = pixels.shape[:2]
    high, broad = round(tall * share), round(wide * share)
    top, left = round((tall - high) * y), round((wide - broad) * x)
    return pixels[top : top + high, left : left + broad], (left, top)


def test_a_stored_window_is_where_it_says():
    pixels = smooth(size=(256, 128))
    windows = stored_windows(pixels)
    assert len(windows.hashes) <= crops.MOST
    for i in (0, len(windows.hashes) - 1):
        left, top, side = (round(float(a[i]) * 128) for a in (windows.left, windows.top, windows.side))
        alone = crops._windows(luma(pixels[top : top + side, left : left + side]), crops.SIDE, crops.GRID, 1)
        assert int(np.bitwise_count(alone.hashes[0] ^ windows.hashes[i])) <= 2


def test_hashes_are_low_cosines_against_their_median():
    """Every tenth window of a cut-out, cut and transformed alone."""
    pixels = smooth(4, (150, 110))
    seen = scanned_windows(pixels)
    for i in range(0, len(seen.hashes), len(seen.hashes) // 10):
        small = crops._scaled(luma(pixels), round(crops.SIDE / seen.side[i]))
        top, left = (round(part[i] * crops.SIDE / seen.side[i]) for part in (seen.top, seen.left))
        waves = crops._cosines() @ small[top : top + crops.SIDE, left : left + crops.SIDE] @ crops._cosines().T
        bits = (waves > np.median(waves)).ravel()
        assert int(seen.hashes[i]) == int("".join("01"[bit] for bit in bits.astype(int)), 2)


def test_flat_windows_and_slivers_have_no_hashes():
    assert len(stored_windows(np.full((200, 300), 9, np.uint8)).hashes) == 0
    assert len(stored_windows(smooth(size=(500, 100))).hashes) == 0
    assert len(scanned_windows(smooth(size=(500, 100))).hashes) == 0
    assert len(scanned_windows(np.zeros((1, 1), np.uint8)).hashes) == 0
    half = smooth().copy()
    half[:, :130] = 0
    assert 0 < len(stored_windows(half).hashes) < len(stored_windows(smooth()).hashes)


def test_a_rectangle_is_moved_to_where_it_fits():
    pixels = smooth(3, (200, 200))
    part, (left, top) = cut(pixels, 0.7, 0.3, 0.6)
    whole = decoded(thumbnail(pixels), "image/jpeg")
    fit = fitted(part, whole, Rectangle(left / 200 + 0.05, top / 200 - 0.04, 0.72))
    place = fit.place
    assert fit.luma > 0.98
    assert fit.slopes > 0.95
    assert abs(place.left - left / 200) < 0.03
    assert abs(place.top - top / 200) < 0.03
    assert abs(place.side - 0.7) < 0.03
    assert fitted(part, decoded(thumbnail(smooth(4)), "image/jpeg"), place).luma < 0.7
    away = fitted(part, whole, Rectangle(5, 5, 0.7))
    assert (away.luma, away.slopes) == (-1, -1)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """Eighteen pictures in three shapes."""
    made = Ledger(f"sqlite:///{tmp_path_factory.mktemp('crops') / 'ledger.sqlite'}")
    for i in range(18):
        sealed = seal(saved(smooth(i, SIZES[i % 3]), "PNG"), "image/png", replace(CLAIM, seed=i), key=KEY)
        made.append([entry_of(sealed, thumbnail=True)])
    return made


def test_most_cut_outs_are_found_and_none_of_other_pictures(ledger):
    chance, found = np.random.default_rng(0), 0
    for i in range(18):
        part, _ = cut(smooth(i, SIZES[i % 3]), chance.uniform(0.75, 0.9), chance.random(), chance.random())
        again = np.asarray(Image.fromarray(part).resize((part.shape[1] * 3 // 2, part.shape[0] * 3 // 2)))
        result = examine(saved(again, "JPEG", quality=75), key=KEY, ledger=ledger)
        if result.entry is not None:
            found += 1
            assert result.entry.claim.seed == i
            assert result.verdict.verdict == "altered"
            assert "cut to about" in result.sentence
    assert found >= 14
    for i in range(100, 109):
        assert examine(saved(smooth(i, SIZES[i % 3]), "PNG"), key=KEY, ledger=ledger).entry is None


def test_the_share_that_is_left_is_told(ledger):
    part, _ = cut(smooth(1, SIZES[1]), 0.8, 0.2, 0.9)
    result = examine(saved(part, "PNG"), key=KEY, ledger=ledger)
    (share,) = [int(c.split()[3].strip("%")) for c in result.changes if c.startswith("cut to about")]
    assert abs(share - 64) <= 5


def test_the_same_shape_with_another_pattern_is_another_picture():
    """Two bright discs on black: luma agrees, what is drawn on them does not."""
    y, x = np.mgrid[:200, :200]
    disc = (x - 100) ** 2 + (y - 100) ** 2 < 80**2
    one, other = (np.where(disc, 170 + 20 * np.sign(np.sin(a / 5)), 0).astype(np.uint8) for a in (x, y))
    fit = fitted(one[20:180, 20:180], decoded(thumbnail(other), "image/jpeg"), Rectangle(0.1, 0.1, 0.8))
    assert fit.luma > 0.9
    assert fit.slopes < SLOPES
    assert fitted(one[20:180, 20:180], decoded(thumbnail(one), "image/jpeg"), fit.place).slopes > fit.slopes


def test_parts_find_what_comes_from_several_writers(ledger):
    places = Parts()
    for i in range(5):
        places.add([i + 1], [packed(stored_windows(smooth(i)))])
        assert len(packed(stored_windows(smooth(i)))) % PACKED.itemsize == 0
    best = places.places(cut(smooth(2), 0.8, 0.5, 0.5)[0], 3)[0]
    assert best.id == 3
    assert best.votes > 2
    assert abs(best.rectangle.side - 0.8) < 0.06
    assert Parts().places(smooth(), 3) == []
    assert PART > 0.9
