"""Conformal p-values against what is known on paper: their uniform law, the beta-binomial count, and ties."""

import numpy as np
import pytest
from scipy.stats import betabinom

from genlab.metrics.conformal import allowed_above, false_alarms, fewest_for, p_values, threshold


def test_p_values_count_the_held_out_items_that_are_as_strange():
    assert p_values([1.0, 2.0, 3.0, 4.0], [5.0, 4.0, 2.5, 0.0]).tolist() == [1 / 5, 2 / 5, 3 / 5, 1.0]


def test_ties_count_against_an_alarm():
    assert p_values([7.0] * 9, [7.0]).tolist() == [1.0]


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.3])
def test_an_item_is_above_the_threshold_exactly_where_its_p_value_is_at_most_the_rate(rate):
    rng = np.random.default_rng(0)
    held_out, fresh = rng.integers(0, 400, 250).astype(float), rng.integers(0, 500, 2_000).astype(float)
    assert ((fresh >= threshold(held_out, rate)) == (p_values(held_out, fresh) <= rate)).all()


def test_too_few_held_out_items_never_raise_an_alarm():
    assert threshold(np.arange(98.0), 0.01) == np.inf
    assert threshold(np.arange(99.0), 0.01) < np.inf
    assert (fewest_for(0.01), fewest_for(0.05), fewest_for(0.3)) == (99, 19, 3)
    assert false_alarms(50, 1_000, 0.01) == (0, 0)


@pytest.mark.parametrize(("n", "rate"), [(200, 0.01), (500, 0.05), (99, 0.01)])
def test_false_alarms_follow_the_beta_binomial_law(n, rate):
    """The whole distribution of counts over many calibrations, by its mean, its spread and the promised bounds."""
    rng, fresh, runs = np.random.default_rng(1), 400, 4_000
    counts = np.array([(p_values(rng.random(n), rng.random(fresh)) <= rate).sum() for _ in range(runs)])
    law = betabinom(fresh, allowed_above(n, rate), n + 1 - allowed_above(n, rate))
    assert abs(counts.mean() - law.mean()) < 5 * law.std() / np.sqrt(runs)
    assert abs(counts.std() / law.std() - 1) < 0.1
    low, high = false_alarms(n, fresh, rate)
    assert ((counts < low) | (counts > high)).mean() < 0.004
    assert law.cdf(high) - law.cdf(low - 1) >= 0.999
    assert law.sf(high - 1) > 0.0005  # no wider than need be


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="finite"):
        p_values([1.0, np.nan], [1.0])
    with pytest.raises(ValueError, match="held-out"):
        p_values([], [1.0])
