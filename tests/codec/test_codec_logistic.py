"""Whole frequencies of the mixture against the floating-point likelihood that the model is trained with."""

import numpy as np
import torch

from genlab.codec.logistic import frequencies, on_grids
from genlab.models.likelihoods import discretised_logistic


def parameters(seed: int, pixels: int = 64) -> np.ndarray:
    """(9, pixels): logits, means and log scales of three logistics."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [rng.normal(0, 2, (3, pixels)), rng.uniform(-1.2, 1.2, (3, pixels)), rng.uniform(-6.5, 1, (3, pixels))]
    )


def test_frequencies_are_whole_and_cover_every_value():
    found = frequencies(*on_grids(parameters(0)))
    assert found.shape == (64, 256)
    assert found.flags["C_CONTIGUOUS"]  # the coder reads rows
    assert (found == np.round(found)).all()
    assert (found >= 0).all()
    assert found.sum(1).max() < 2**53


def test_frequencies_cost_what_the_likelihood_says():
    given = parameters(1)
    found = frequencies(*on_grids(given))
    tensor = torch.from_numpy(given).float().view(1, 9, 8, 8)
    exact = np.stack([
        discretised_logistic(torch.full((1, 1, 8, 8), v / 255), tensor).exp().flatten().numpy() for v in range(256)
    ], 1)  # fmt: skip
    assert np.allclose(exact.sum(1), 1, atol=1e-4)  # else the oracle is wrong
    share = (found + 1e-3) / (found + 1e-3).sum(1, keepdims=True)
    divergence = (exact * np.log2(np.maximum(exact, 1e-30) / share)).sum(1)
    assert divergence.mean() < 0.002  # bits a pixel
    assert divergence.max() < 0.02


def test_numbers_near_each_other_share_a_grid_point():
    given = parameters(2)
    moved = given + np.random.default_rng(3).uniform(-1e-9, 1e-9, given.shape)
    for a, b in zip(on_grids(given), on_grids(moved), strict=True):
        assert (a == b).mean() > 0.999


def test_what_is_not_finite_or_far_away_still_gives_frequencies():
    given = parameters(4)
    given[:, 0], given[:, 1], given[:, 2] = np.nan, np.inf, -np.inf
    found = frequencies(*on_grids(given))
    assert np.isfinite(found).all()
    assert (found.sum(1) > 0).all()
