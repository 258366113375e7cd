"""Class shares: intervals that hold together at their stated rate, every class present, names or numbers."""

import numpy as np
import pytest
from scipy.stats import chi2

from audits.quality import class_shares


def test_simultaneous_intervals_hold_together_and_single_ones_do_not():
    rng, truth = np.random.default_rng(0), np.full(10, 0.1)
    together = alone = 0
    for _ in range(150):
        report = class_shares(rng.choice(10, size=300, p=truth), classes=10)
        single = [f for f in report.findings if f.name.endswith(", alone")]
        joint = [f for f in report.findings if f.name.startswith("share") and f not in single]
        together += all(f.low <= 0.1 <= f.high for f in joint)
        alone += all(f.low <= 0.1 <= f.high for f in single)
    assert together / 150 >= 0.86  # 92 % in the long run
    assert alone / 150 <= 0.78  # 63 % in the long run


def test_every_class_is_present_even_if_empty():
    report = class_shares([0, 0, 2], classes=["bag", "boot", "coat"])
    assert [f.name for f in report.findings[1:4]] == ["share of bag", "share of boot", "share of coat"]
    empty = report["share of boot"]
    assert (empty.value, empty.low, empty.n) == (0, 0, 3)
    assert 0.4 < empty.high < 1


def test_names_and_numbers_agree():
    names = ["a", "b", "c"]
    assert class_shares(["b", "a", "b"], classes=names) == class_shares(np.array([1, 0, 1]), classes=names)


def test_a_skewed_set_is_told_from_a_fair_one():
    fair = class_shares(np.arange(2000) % 10, classes=10)
    assert fair["largest deviation"].value == 0
    assert fair["largest deviation"].verdict == "cannot tell"
    skewed = class_shares(np.r_[np.arange(2000) % 10, np.zeros(300, int)], classes=10)
    assert skewed["largest deviation"].verdict == "worse"
    assert skewed["largest deviation"].low > 0
    assert "more than" in skewed["share of 0"].reading


def test_the_floor_is_what_a_fair_generator_shows():
    rng = np.random.default_rng(1)
    counts = [np.bincount(rng.integers(0, 4, 100), minlength=4) for _ in range(2000)]
    shown = [np.abs(count / 100 - 0.25).max() for count in counts]
    floor = class_shares(rng.integers(0, 4, 100), classes=4)["largest deviation"].floor
    assert floor == pytest.approx(np.mean(shown), rel=0.05)


@pytest.mark.parametrize(
    ("predicted", "classes"), [([], 3), ([0, 3], 3), ([-1], 3), (["x"], ["a", "b"]), ([[0]], 2), ([0], 1)]
)
def test_labels_that_do_not_fit_are_refused(predicted, classes):
    with pytest.raises(ValueError, match=r"predicted|classes"):
        class_shares(predicted, classes=classes)


def test_the_simultaneous_intervals_are_those_of_goodman():
    counts, n = np.array([10, 30, 60]), 100
    report = class_shares(np.repeat([0, 1, 2], counts), classes=3)
    c = chi2.ppf(1 - 0.05 / 3, 1)  # Goodman (1965)
    root = np.sqrt(c * (c + 4 * counts * (n - counts) / n))
    for i in range(3):
        found = report[f"share of {i}"]
        low, high = ((c + 2 * counts[i] + sign * root[i]) / (2 * (n + c)) for sign in (-1, 1))
        assert (found.low, found.high) == pytest.approx((low, high))
        alone = report[f"share of {i}, alone"]
        assert found.low < alone.low < alone.value < alone.high < found.high
