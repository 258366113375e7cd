"""Copies: an honest generator is not accused, a copying one is caught."""

import numpy as np
import pytest

from audits.privacy import copy_ratios, nearest_copies, nearest_distance_ratio
from audits.quality import FeatureError


@pytest.fixture(scope="module")
def sets():
    rng = np.random.default_rng(0)
    sizes = {"train": 1500, "held_out": 1000, "fake": 1000}
    return {name: rng.normal(size=(n, 8)) for name, n in sizes.items()}


def test_an_honest_generator_looks_like_held_out_items(sets):
    copies = nearest_copies(sets["fake"], sets["train"], sets["held_out"], quantile=0.01)
    assert copies.verdict == "cannot tell"
    assert copies.floor == pytest.approx(0.01, abs=0.002)
    ratio = nearest_distance_ratio(sets["fake"], sets["train"], sets["held_out"])
    assert ratio.low <= 1 <= ratio.high
    assert ratio.verdict == "cannot tell"


def test_planted_copies_are_counted(sets):
    fake = sets["fake"].copy()
    fake[:80] = sets["train"][:80] + 1e-3
    copies = nearest_copies(fake, sets["train"], sets["held_out"])
    assert copies.value == pytest.approx(0.08, abs=0.005)
    assert copies.low <= 0.08 <= copies.high
    assert copies.verdict == "worse"


def test_exact_copies_have_ratio_zero_even_among_duplicates(sets):
    assert (copy_ratios(sets["train"][:5], sets["train"]) == 0).all()
    assert (copy_ratios(np.zeros((2, 3)), np.zeros((60, 3))) == 0).all()


def test_a_generator_that_hugs_its_training_set_is_seen(sets):
    near = sets["train"][:1000] + 0.2 * sets["fake"]
    ratio = nearest_distance_ratio(near, sets["train"], sets["held_out"])
    assert ratio.high < 1
    assert ratio.verdict == "worse"


def test_the_bootstrap_interval_covers_one_for_honest_generators():
    rng = np.random.default_rng(1)
    train = rng.normal(size=(300, 4))
    found = [
        nearest_distance_ratio(rng.normal(size=(150, 4)), train, rng.normal(size=(150, 4)), draws=200, seed=i)
        for i in range(60)
    ]
    assert np.mean([f.low <= 1 <= f.high for f in found]) >= 0.87


def test_what_cannot_be_judged_is_refused(sets):
    with pytest.raises(FeatureError, match="k is 50"):
        nearest_copies(sets["fake"], sets["train"][:20], sets["held_out"])
    with pytest.raises(FeatureError, match="hold out others"):
        nearest_distance_ratio(sets["fake"], sets["train"], sets["train"])
    with pytest.raises(FeatureError, match="quantile"):
        nearest_copies(sets["fake"], sets["train"], sets["held_out"], quantile=0)
