"""The kernel distance: unbiased, equal to a sum written out by hand, with an interval that covers."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from audits.quality import FeatureError, kernel_distance
from audits.quality.kernel import polynomial_mmd


def test_equals_the_sums_written_out():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(7, 3)), rng.normal(size=(5, 3))

    def k(x, y):
        return (sum(x * y) / 3 + 1) ** 3

    same_a = np.mean([k(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j])
    same_b = np.mean([k(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j])
    across = np.mean([k(x, y) for x in a for y in b])
    assert polynomial_mmd(a, b) == pytest.approx(same_a + same_b - 2 * across)


def test_agrees_with_the_kernel_of_scikit_learn():
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(size=(60, 8)), rng.normal(size=(40, 8)) + 0.2])
    k = polynomial_kernel(x, degree=3, gamma=None, coef0=1)
    np.fill_diagonal(k, 0)
    expected = k[:60, :60].sum() / (60 * 59) + k[60:, 60:].sum() / (40 * 39) - 2 * k[:60, 60:].mean()
    assert polynomial_mmd(x[:60], x[60:]) == pytest.approx(expected)


def test_is_unbiased_where_nothing_differs():
    rng = np.random.default_rng(2)
    draws = [polynomial_mmd(rng.normal(size=(30, 4)), rng.normal(size=(30, 4))) for _ in range(400)]
    assert abs(np.mean(draws)) < 4 * np.std(draws) / np.sqrt(len(draws))
    assert min(draws) < 0


def test_the_interval_covers_the_truth():
    rng = np.random.default_rng(3)

    def draw():
        return rng.normal(size=(200, 4)), rng.normal(size=(200, 4)) + 0.6

    truth = np.mean([polynomial_mmd(*draw()) for _ in range(400)])
    found = [kernel_distance(*draw(), subsets=40, size=50, seed=i) for i in range(60)]
    assert np.mean([f.low <= truth <= f.high for f in found]) >= 0.88
    assert np.std([f.value for f in found]) * 1.96 < 2 * np.mean([f.high - f.low for f in found])


def test_the_seed_decides_and_small_sets_lower_the_size():
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(40, 4)), rng.normal(size=(50, 4))
    assert kernel_distance(a, b, seed=1) == kernel_distance(a, b, seed=1)
    assert kernel_distance(a, b, seed=1).value != kernel_distance(a, b, seed=2).value
    assert "subsets of 20" in kernel_distance(a, b).reading


@pytest.mark.parametrize("bad", [np.zeros((3, 4)), np.zeros((9, 5)), np.full((9, 4), np.inf)])
def test_bad_features_are_refused(bad):
    with pytest.raises(FeatureError):
        kernel_distance(np.zeros((9, 4)), bad)
