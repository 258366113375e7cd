"""The bench of languages: what a text adds to a compressed file, and what is said where a library is missing."""

import sys
from pathlib import Path

import numpy as np
import pytest

TRAIN = "".join(f"line {i} of the owl and the pussycat\n" for i in range(400))


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent.parent / "benchmarks"))
    import language

    return language


def test_what_was_read_before_costs_little_and_noise_costs_itself(bench):
    noise = "".join(chr(32 + int(i)) for i in np.random.default_rng(0).integers(0, 64, 1000))
    assert bench.primed(bench.xz, TRAIN, TRAIN[500:1500]) < 500
    assert 6000 < bench.primed(bench.xz, TRAIN, noise) < 7500  # six bits each, and what a file needs


def test_a_missing_library_is_said_in_a_sentence(bench, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyppmd", None)
    found = bench.compressors(TRAIN, TRAIN[:300])
    assert found["PPMd"] == "not run: pyppmd is not installed"
    assert 0 < found["xz -9 --extreme"] < 8
    assert "pyppmd is not installed" in capsys.readouterr().err


def test_bits_are_pooled_over_works(bench):
    found = bench.figure_of(np.array([10.0, 90.0]), np.array([10, 30]))
    assert (found["value"], found["low"], found["high"]) == (2.5, 1, 3)
