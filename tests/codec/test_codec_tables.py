"""Integer tables and the coder over them: sums, ideal sizes, exact round trips, damaged bytes."""

import hashlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlab.codec import tables


@pytest.mark.parametrize("index", range(tables.TABLES))
def test_a_table_is_a_distribution_over_whole_numbers(index):
    table = tables.frequencies(index)
    end = tables.reach(index)
    assert table.sum() == tables.TOTAL
    assert table.min() >= 1
    assert len(table) == 2 * end + 2
    assert np.array_equal(table[: 2 * end + 1], table[: 2 * end + 1][::-1])


@pytest.mark.parametrize("index", [1, 20, 40, 63])
def test_a_table_costs_what_its_logistic_distribution_costs(index):
    """Cross entropy of exact probabilities under the table against their own entropy."""
    scale, end = math.exp(tables.LOG_LEAST + index * tables.LOG_STEP), tables.reach(index)
    edges = 1 / (1 + np.exp(-(np.arange(-end, end + 2) - 0.5) / scale))
    p, q = np.diff(edges), tables.frequencies(index)[:-1] / tables.TOTAL
    excess = (p * np.log2(p / q)).sum()
    assert 0 <= excess + 1e-6 < 0.001 + 0.001 * -(p * np.log2(p)).sum()


def test_the_tables_are_the_same_on_every_machine():
    """A machine whose exp() led to other tables could not read files of this one: it must fail here."""
    raw = b"".join(tables.frequencies(k).astype("<i8").tobytes() for k in range(tables.TABLES))
    assert hashlib.sha256(raw).hexdigest() == TABLES_DIGEST


TABLES_DIGEST = "cb2979f13389fbe5e925fa195b2b04797a2c4834587643e96e5e023fcaa7c520"


@given(st.integers(0, 2**32 - 1), st.integers(0, 400), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_numbers_come_back_and_cost_what_the_tables_say(seed, count, calls):
    rng = np.random.default_rng(seed)
    writer, kept, bits = tables.Writer(), [], 0.0
    for _ in range(calls):
        index = rng.integers(0, tables.TABLES, count).astype(np.uint8)
        scales = np.exp(tables.LOG_LEAST + index * tables.LOG_STEP)
        values = np.where(index > 0, np.rint(rng.logistic(size=count) * scales), 0).astype(np.int64)
        far = (rng.random(count) < 0.01) & (index > 0)
        values[far] = rng.integers(-tables.LARGEST, tables.LARGEST, far.sum())
        writer.put(values, index)
        kept.append((values, index))
        bits += tables.cost(values, index).sum()
    raw = writer.finish()
    assert abs(8 * len(raw) - bits) <= 0.001 * bits + 160
    reader = tables.Reader(raw)
    for values, index in kept:
        assert np.array_equal(reader.take(index), values)
    assert reader.finish() == len(raw)


def test_damaged_streams_are_refused():
    rng = np.random.default_rng(0)
    index = rng.integers(1, tables.TABLES, 2000).astype(np.uint8)
    writer = tables.Writer()
    writer.put(np.rint(rng.logistic(size=2000) * 2).astype(np.int64), index)
    raw = writer.finish()
    for end in range(0, len(raw), 7):
        with pytest.raises(ValueError, match="damaged"):
            tables.Reader(raw[:end])
    reader = tables.Reader(raw)
    reader.take(index[:-1])
    with pytest.raises(ValueError, match="damaged"):  # something is left over
        reader.finish()
    whole = tables.with_check(raw)
    assert tables.checked(whole) == raw
    for place in range(0, len(whole), 13):
        harmed = bytearray(whole)
        harmed[place] ^= 1 << place % 8
        with pytest.raises(ValueError, match="damaged"):
            tables.checked(bytes(harmed))


@given(st.integers(0, 2**35 - 1))
def test_varints_come_back(number):
    raw = tables.varint(number)
    assert tables.read_varint(b"x" + raw + b"y", 1) == (number, 1 + len(raw))
    with pytest.raises(ValueError, match="damaged"):
        tables.read_varint(raw[:-1], 0)


def test_steps_are_the_differences_of_the_tables():
    for index in (20, 40, 55):
        end, bits = tables.reach(index), np.log2(tables.TOTAL / tables.frequencies(index))
        first, further = tables.steps()[index]
        assert bits[end + 1] - bits[end] == pytest.approx(first, abs=6e-3)
        far = 1 + int(6 * tables.scales()[index])
        assert bits[end + far + 1] - bits[end + far] == pytest.approx(further, rel=0.1)
