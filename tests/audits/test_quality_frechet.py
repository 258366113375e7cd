"""The Fréchet distance against its oracles: zero, a shift, a closed form, an independent computation."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from audits.quality import FeatureError, frechet_distance, frechet_finding


def features(n, width, seed):
    rng = np.random.default_rng(seed)
    return np.tanh(rng.normal(size=(n, width)) @ rng.normal(size=(width, width))) + rng.normal(size=width)


@pytest.mark.parametrize(("n", "width"), [(500, 16), (10, 32)])  # more items than features, and fewer
def test_a_set_is_at_distance_zero_from_itself(n, width):
    x = features(n, width, 0)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-10)


def test_a_shift_adds_its_squared_length():
    x, shift = features(300, 8, 1), np.linspace(-1, 2, 8)
    assert frechet_distance(x, x + shift) == pytest.approx(shift @ shift, rel=1e-9)


def test_one_dimension_has_a_closed_form():
    x = features(200, 1, 2)
    assert frechet_distance(x, 3 * x) == pytest.approx(4 * (x.mean() ** 2 + x.var(ddof=1)), rel=1e-9)


def test_agrees_with_a_matrix_square_root():
    a, b = features(400, 12, 3), features(350, 12, 4)
    s, t = np.cov(a.T), np.cov(b.T)
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(s + t - 2 * np.real(sqrtm(s @ t)))
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)


def test_float32_features_are_measured_in_float64():
    x = (1000 + features(300, 8, 7)).astype(np.float32)
    assert frechet_distance(x, x.astype(np.float64)) == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.zeros((1, 4)), "1 rows"),
        (np.zeros((5, 3)), "different widths"),
        (np.full((5, 4), np.nan), "NaN"),
        (np.zeros(4), "shape"),
        ([["a"] * 4] * 3, "numbers"),
    ],
)
def test_bad_features_are_refused_in_a_sentence(bad, words):
    with pytest.raises(FeatureError, match=words):
        frechet_distance(np.eye(4), bad)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_the_interval_covers_the_expectation_at_this_size(shift):
    rng = np.random.default_rng(8)

    def draw():
        return rng.exponential(size=(200, 6)), rng.exponential(size=(200, 6)) * (1 + shift) + shift

    expectation = np.mean([frechet_distance(*draw()) for _ in range(300)])
    found = [frechet_finding(*draw(), seed=i) for i in range(60)]
    covered = np.mean([f.low <= expectation <= f.high for f in found])
    assert covered >= 0.88  # nominal 95 %; fewer than 53 of 60 happens once in 100
    assert np.mean([f.high - f.low for f in found]) < 3 * expectation + 0.2  # and not by being endless


def test_the_verdict_reads_the_floor():
    real, same, far = features(400, 6, 9)[:200], features(400, 6, 9)[200:], features(200, 6, 9) + 3
    floor = frechet_distance(real, same)
    assert frechet_finding(real, same, floor=floor).verdict == "cannot tell"
    assert frechet_finding(real, far, floor=floor).verdict == "worse"
    assert frechet_finding(real, far).floor is None
    assert frechet_finding(real, far, seed=1) == frechet_finding(real, far, seed=1)
