"""Rounding against its two ends, and reconstruction points against the means they stand for."""

import numpy as np

from genlab.codec.rounding import CENTRES, thrifty
from genlab.codec.tables import TABLES, cost, scales


def test_without_thrift_latents_are_rounded_and_with_it_costs_fall():
    rng = np.random.default_rng(0)
    index = rng.integers(1, 30, 20_000).astype(np.uint8)
    apart = rng.logistic(size=index.size) * scales()[index]
    plain, saving = (thrifty(apart, index, CENTRES, thrift) for thrift in (0.0, 1.0))
    assert np.array_equal(plain[np.abs(plain) != 1], np.rint(apart).astype(int)[np.abs(plain) != 1])
    assert np.all(np.abs(saving) <= np.abs(plain))
    price = 12 / (2 * np.log(2))

    def total(values: np.ndarray) -> float:
        shown = values + np.sign(values) * CENTRES[index]
        return price * np.square(apart - shown).sum() + cost(values, index).sum()

    assert total(saving) < total(plain)
    assert np.array_equal(thrifty(-apart, index, CENTRES), -thrifty(apart, index, CENTRES))


def test_numbers_of_table_0_are_0():
    assert not thrifty(np.array([5.0, -3.0]), np.zeros(2, np.uint8), CENTRES).any()


def test_what_a_number_stands_for_is_the_mean_of_what_is_rounded_to_it():
    rng = np.random.default_rng(1)
    for table in (20, 30, 45, TABLES - 1):
        drawn = rng.logistic(size=2_000_000) * scales()[table]
        far = max(2, round(3 * scales()[table]))
        there = drawn[np.rint(drawn) == far]
        assert abs(there.mean() - far - CENTRES[table]) < 5 * 0.3 / len(there) ** 0.5 + 0.01
