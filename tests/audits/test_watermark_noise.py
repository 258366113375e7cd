"""The mark in a diffusion model's first noise: lossless, keyed, and a p-value that holds for whatever is looked at."""

import math

import numpy as np
import pytest
from scipy import stats

from audits.provenance import Claim, Key, noise_marks
from audits.watermark import WatermarkError, noise

KEY, OTHER = b"a key of sixteen bytes or more", b"another key of sixteen bytes"
SIZE = 784


def shaded(nonces, key=KEY, size=SIZE, seed=0):
    drawn = np.random.default_rng(seed).standard_normal((len(nonces), size))
    return np.abs(drawn) * noise.signs(key, nonces, size)


def test_marked_noise_is_normal_and_its_coordinates_are_unrelated():
    marked = shaded(range(3000))
    assert stats.kstest(marked.ravel()[::7], "norm").pvalue > 1e-3
    # a law that is normal in each number might still tie numbers together: no pair of neighbours, no pair of items does
    beside = np.mean(marked[:, :-1] * marked[:, 1:]) * math.sqrt(marked[:, 1:].size)
    across = np.mean(marked[:-1] * marked[1:]) * math.sqrt(marked[1:].size)
    assert max(abs(beside), abs(across)) < 4
    assert set(np.unique(noise.signs(KEY, [7], SIZE))) == {-1, 1}


def test_signs_depend_on_key_nonce_and_size_alone():
    one, two = noise.signs(KEY, [3, 9], SIZE)
    assert np.array_equal(noise.signs(KEY, [9], SIZE)[0], two)
    for other in (two, noise.signs(OTHER, [3], SIZE)[0], noise.signs(KEY, [3], SIZE + 8)[0][:SIZE]):
        assert abs(float(np.mean(one * other))) < 5 / math.sqrt(SIZE)
    assert noise.signs(KEY, [0, noise.NONCES - 1], 13).shape == (2, 13)  # no whole number of bytes


def test_a_mark_is_read_through_much_noise_and_names_its_nonce():
    rng = np.random.default_rng(1)
    blurred = shaded([40_000, 12]) + 1.6 * rng.standard_normal((2, SIZE))
    found = noise.detect(blurred, [OTHER, KEY])
    assert found.nonces == ((0, 40_000), (1, 12))
    assert found.p_value < 1e-12
    assert found.tried == 2 * 2 * noise.NONCES
    assert noise.detect(blurred, [OTHER]).nonces == ()


def test_the_p_value_is_hoeffdings_bound_times_all_that_was_tried():
    x = shaded([5])
    signs = noise.signs(KEY, range(noise.NONCES), SIZE).astype(np.float32)
    t = float((signs @ x[0].astype(np.float32)).max() / np.linalg.norm(x[0]))
    expected = noise.NONCES * math.exp(-(t**2) / 2)
    assert noise.detect(x, [KEY]).p_value == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize("kind", ["normal", "one number", "all alike", "powers of two", "nothing"])
def test_no_stranger_is_called_ours(kind):
    """The bound is over the key, so strangers are looked at under many keys; the least p-value is no small one."""
    rng = np.random.default_rng(2)
    x = {
        "normal": rng.standard_normal((4, SIZE)),
        "one number": np.eye(4, SIZE),
        "all alike": np.ones((4, SIZE)),
        "powers of two": np.tile(2.0 ** -np.arange(SIZE), (4, 1)),
        "nothing": np.zeros((4, SIZE)),
    }[kind]
    values = [noise.detect(x, [bytes([i]) * 16]).p_value for i in range(10)]
    assert min(values) > 1e-3
    assert max(values) <= 1


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: noise.signs(KEY, [noise.NONCES], SIZE), "nonce is a whole number from 0 to 65,535"),
        (lambda: noise.signs(b"short", [0], SIZE), "at least 16"),
        (lambda: noise.signs(KEY, [0], 0), "1 to 4,096 numbers"),
        (lambda: noise.signs(KEY, [0], 10**9), "1 to 4,096 numbers"),
        (lambda: noise.detect(np.zeros(SIZE), [KEY]), "shape"),
        (lambda: noise.detect(np.zeros((1, SIZE)), []), "At least one key"),
    ],
)
def test_bad_input_is_one_sentence(wrong, sentence):
    with pytest.raises(WatermarkError, match=sentence):
        wrong()


def test_the_layer_says_what_was_found():
    key = Key.of(b"k" * 16)
    claim = Claim("painter", "0" * 64, "generate", 7, {}, {})
    other = Claim("painter", "0" * 64, "generate", 8, {}, {})
    rows = np.random.default_rng(0).standard_normal((3, SIZE))
    rows[1:] = np.abs(rows[1:]) * noise_marks.signs(key, [claim, other], SIZE)
    pixels = np.zeros((8, 8), np.uint8)
    found = noise_marks.detector([key], "painter", lambda given: rows)(pixels)
    assert found.p_value < 1e-30
    assert found.payload is None
    assert found.detail.startswith("painter made it from noise with signs of a key here, in 2 of 3 readings.")
    alone = noise_marks.detector([key], "painter", lambda given: rows[:1])(pixels)
    assert alone.p_value > 1e-3
    assert "has no signs of a key here" in alone.detail
    assert noise_marks.detector([key], "painter", lambda given: None)(pixels) is None
