"""Modes of known laws: perfect samplers, planted losses, and sums written out."""

import numpy as np
import pytest

from genlab.metrics.modes import cut_variance, digit_modes, mode_coverage, mode_findings, perfect_divergence

ANGLES = 2 * np.pi * np.arange(8) / 8
RING = np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1)
DEVIATION = 0.05


def ring(n: int, *, modes=range(8), spread: float = 1.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return RING[rng.choice(list(modes), n)] + spread * DEVIATION * rng.normal(size=(n, 2))


def test_a_perfect_sampler_finds_all_modes_at_their_spread():
    seen = mode_coverage(ring(20_000), RING, DEVIATION)
    assert (seen.found, seen.modes) == (8, 8)
    assert seen.high_quality == pytest.approx(1 - np.exp(-4.5), abs=0.003)  # a Rayleigh law within three deviations
    np.testing.assert_allclose(seen.spreads, 1, atol=0.05)
    assert seen.divergence < 0.001
    assert seen.effective == pytest.approx(8, abs=0.01)


def test_the_cut_is_that_of_a_large_sample():
    x = np.random.default_rng(1).normal(size=(400_000, 2))
    squared = (x**2).sum(1)
    assert cut_variance(2) == pytest.approx(squared[squared <= 9].mean(), rel=0.01)


def test_planted_faults_are_counted():
    seen = mode_coverage(ring(5000, modes=range(5)), RING, DEVIATION)
    assert seen.found == 5
    assert seen.divergence == pytest.approx(np.log(8 / 5), abs=0.01)
    assert np.isnan(seen.spreads[5:]).all()
    tight = mode_coverage(ring(5000, spread=0.25), RING, DEVIATION)
    np.testing.assert_allclose(tight.spreads, 0.25 / np.sqrt(cut_variance(2) / 2), rtol=0.15)
    half = np.concatenate([ring(500), np.zeros((400, 2)), np.full((100, 2), np.nan)])
    assert mode_coverage(half, RING, DEVIATION).high_quality == pytest.approx(0.5, abs=0.02)
    far = mode_coverage(np.zeros((10, 2)), RING, DEVIATION)
    assert (far.found, far.high_quality, far.effective) == (0, 0.0, 0.0)
    assert far.divergence == pytest.approx(np.log(8))


def test_digits_by_hand_and_the_floor_of_a_perfect_sampler():
    seen = digit_modes(np.array([[0, 0, 1], [0, 0, 1], [9, 9, 9], [1, 0, 0]]))
    expected = 0.5 * np.log(0.5 * 1000) + 2 * 0.25 * np.log(0.25 * 1000)
    assert (seen.found, seen.divergence) == (3, pytest.approx(expected))
    floor = perfect_divergence(26_000)
    assert floor.mean() == pytest.approx(999 / 52_000, rel=0.02)  # the mean of a chi-square over 2n
    triples = np.random.default_rng(2).integers(10, size=(26_000, 3))
    assert digit_modes(triples).divergence == pytest.approx(0.0192, abs=4 * floor.std())
    shares = np.random.default_rng(3).dirichlet(np.full(1000, 5.0))
    drawn = np.random.default_rng(4).choice(1000, 26_000, p=shares)
    stacked = np.stack([drawn // 100, drawn // 10 % 10, drawn % 10], 1)
    assert digit_modes(stacked, reference=shares).divergence < 0.025 < digit_modes(stacked).divergence


def test_findings_judge_by_a_perfect_sampler():
    good = {f.name: f for f in mode_findings(ring(1000), RING, DEVIATION, draws=60)}
    assert {f.verdict for f in good.values()} == {"cannot tell"}
    bad = {f.name: f for f in mode_findings(ring(1000, modes=range(6)), RING, DEVIATION, draws=60)}
    assert (bad["modes found"].value, bad["modes found"].floor, bad["modes found"].verdict) == (6, 8, "worse")
    assert bad["KL of the modes"].verdict == "worse"
    assert bad["high quality"].verdict == "cannot tell"


def test_bad_input_is_one_sentence():
    for points, centres, deviation in (
        (np.zeros((3, 3)), RING, 0.1), (np.zeros((0, 2)), RING, 0.1), (np.zeros((3, 2)), RING, 0.0),
        (np.zeros((3, 2)), RING, np.nan),
    ):  # fmt: skip
        with pytest.raises(ValueError):
            mode_coverage(points, centres, deviation)
    for triples in (np.zeros((2, 2), int), np.full((2, 3), 10), np.zeros((2, 3)), np.zeros((0, 3), int)):
        with pytest.raises(ValueError, match="three digits"):
            digit_modes(triples)
    with pytest.raises(ValueError, match="positive shares"):
        digit_modes(np.zeros((2, 3), int), reference=np.ones(1000))
