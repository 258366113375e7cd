"""Coverage of groups where it is known: items that are real ones, items far away, and groups with too few."""

import numpy as np

from genlab.metrics.group_coverage import covered


def test_a_group_is_covered_by_its_own_items_only():
    rng = np.random.default_rng(0)
    real = np.concatenate([rng.normal(0, 1, (60, 3)), rng.normal(50, 1, (60, 3)), rng.normal(-50, 1, (60, 3))])
    groups = np.repeat([0, 1, 2], 60)
    made = np.concatenate([real[:60], real[:60], real[120:125]])  # group 1 is filled with the faces of group 0
    first, second, third = covered(real, groups, made, np.repeat([0, 1, 2], [60, 60, 5]), groups=3, most=60)
    assert (first.coverage, first.recall, first.real, first.made) == (1, 1, 60, 60)
    assert (second.coverage, second.recall, second.made) == (0, 0, 60)
    assert np.isnan(third.coverage)
    assert third.made == 5


def test_no_more_than_most_are_looked_at():
    real = np.random.default_rng(1).normal(0, 1, (40, 2))
    (found,) = covered(real, np.zeros(40), real, np.zeros(40), groups=1, most=20)
    assert (found.real, found.made, found.coverage) == (20, 20, 1)
