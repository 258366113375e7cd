"""The true shares of K groups behind what a classifier with a known confusion predicted."""

from __future__ import annotations

import numpy as np

CELLS = 2**22  # random numbers held at once


def dirichlet(parameters: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """`draws` of Dirichlet vectors (draws, ..., K), one for each row of `parameters` (..., K)."""
    gammas = rng.standard_gamma(parameters, size=(draws, *parameters.shape))
    gammas += 1e-300  # a row of parameters below 1e-2 can underflow to nothing but zeros
    return gammas / gammas.sum(-1, keepdims=True)


def on_simplex(points: np.ndarray) -> np.ndarray:
    """The nearest point with shares >= 0 that sum to 1, for every row of `points` (..., K) (Duchi et al. 2008)."""
    ordered = -np.sort(-points, axis=-1)
    excess = (np.cumsum(ordered, axis=-1) - 1) / np.arange(1, points.shape[-1] + 1)
    last = np.count_nonzero(ordered > excess, axis=-1)[..., None] - 1
    return np.maximum(points - np.take_along_axis(excess, last, axis=-1), 0)


def truths(confusion: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """The shares p on the simplex that solve C^T p = q: `confusion` (..., K, K), `predicted` q (..., K)."""
    transposed = np.swapaxes(confusion, -1, -2)
    try:
        solved = np.linalg.solve(transposed, predicted[..., None])[..., 0]
    except np.linalg.LinAlgError:  # rows that are exactly alike
        solved = (np.linalg.pinv(transposed) @ predicted[..., None])[..., 0]
    return on_simplex(solved)


def truth_draws(
    counts: np.ndarray, confusion: np.ndarray, *, draws: int, rng: np.random.Generator, folder: bool = False
) -> np.ndarray:
    """Draws (draws, K) of the true shares of K groups, given what was predicted and what was validated.

    `counts` (K,) are predictions and `confusion` (K, K) validation items, row true and column predicted. Each
    draw takes the predicted shares and every row of the confusion from Dirichlets with Jeffreys' half an item
    in each cell, and solves for the truth. With `folder` the truth is that of the items given: the predicted
    shares then vary only through the classifier's errors on them.
    """
    step = max(1, CELLS // confusion.size)
    return np.concatenate(
        [_some(counts, confusion, min(step, draws - done), rng, folder) for done in range(0, draws, step)]
    )


def _some(counts, confusion, draws, rng, folder) -> np.ndarray:
    rows = dirichlet(confusion + 0.5, draws, rng)
    if not folder:
        return truths(rows, dirichlet(counts + 0.5, draws, rng))
    n, groups = int(counts.sum()), len(counts)
    first = truths(rows, np.broadcast_to(counts / n, (draws, groups)))
    held = np.rint(first * n).astype(np.int64)
    errors = rng.multinomial(held, rows).sum(1) - np.einsum("di,dij->dj", held, rows)
    return truths(rows, (counts - errors) / n)


def informative(confusion: np.ndarray) -> np.ndarray:
    """Youden's index of every group (K,): its hit rate less the highest rate at which another group is taken for it.

    At 0 or below the classifier tells this group from another no better than chance.
    """
    rates = confusion / confusion.sum(1, keepdims=True)
    others = np.where(np.eye(len(rates), dtype=bool), -np.inf, rates)
    return np.diag(rates) - others.max(0)
